"""The curves of bench/ann as a picture: recall to the right, queries a second upward."""

import math

WIDTH, HEIGHT = 460, 360
LEFT, RIGHT, TOP, BOTTOM = 60, 20, 40, 50
LEAST = 0.8  # recall at the left edge
COLOURS = {
    "kith": "#c0392b", "kith-exact": "#c0392b", "faiss-flat": "#7f8c8d",
    "faiss-same": "#8e44ad", "faiss-hnsw": "#2980b9", "hnswlib": "#27ae60",
    "usearch": "#d68910",
}


def x_of(recall):
    """Each tenth of what is missing takes the same room."""
    share = math.log10((1 - LEAST) / max(1 - recall, 1e-4)) / math.log10((1 - LEAST) / 1e-4)
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def panel(results, way, title, offset):
    rates = [p[way] for r in results for p in r["points"] if p["recall"] >= LEAST]
    low = 10 ** math.floor(math.log10(min(rates)))
    high = 10 ** math.ceil(math.log10(max(rates)))

    def y_of(rate):
        share = math.log10(rate / low) / math.log10(high / low)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    out = [f'<g transform="translate({offset},0)">',
           f'<text x="{WIDTH / 2}" y="22" text-anchor="middle" font-weight="bold">{title}</text>']
    for recall in (0.8, 0.9, 0.95, 0.99, 0.999, 1):
        x = x_of(recall)
        out.append(f'<path d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="#ddd"/>')
        out.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 16}" '
                   f'text-anchor="middle">{recall:g}</text>')
    rate = low
    while rate <= high:
        y = y_of(rate)
        out.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        out.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{rate:,}</text>')
        rate *= 10
    for result in results:
        colour = COLOURS[result["engine"]]
        points = [(x_of(p["recall"]), y_of(p[way])) for p in result["points"]
                  if p["recall"] >= LEAST]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" '
                   'stroke-width="2"/>')
        shape = 5 if len(points) == 1 else 2.5
        out += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{shape}" fill="{colour}"/>'
                for x, y in points]
    out.append(f'<text x="{WIDTH / 2}" y="{HEIGHT - 12}" text-anchor="middle">'
               "recall@10</text></g>")
    return out


def draw(results, n_rows, threads):
    width, height = 2 * WIDTH, HEIGHT + 40
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
           'font-family="sans-serif" font-size="11">',
           f'<rect width="{width}" height="{height}" fill="#fff"/>']
    out += panel(results, "single", f"{n_rows:,} vectors: queries/s, one on one thread", 0)
    out += panel(results, "batch", f"queries/s, all at once on {threads} threads", WIDTH)
    for i, result in enumerate(results):
        x, y = LEFT + i * 120, HEIGHT + 20
        out.append(f'<circle cx="{x}" cy="{y}" r="5" fill="{COLOURS[result["engine"]]}"/>')
        out.append(f'<text x="{x + 10}" y="{y + 4}">{result["engine"]}</text>')
    return "\n".join(out + ["</svg>", ""])
