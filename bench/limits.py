"""The limit of the machine: what its multiply-adds alone would take for the texts."""

import statistics
import subprocess

SECONDS = 0.2  # of each loop of peak.c


class Limits:
    """The loops of peak.c, measured again and again; figures are medians.

    kernels: the limit of this set of kith's kernels, instead of the machine's best
    (for None, and for "portable", which is compiled for no instruction set).
    """

    def __init__(self, program, threads, kernels):
        self.command = [program, str(threads), str(SECONDS)]
        self.kernels = None if kernels == "portable" else kernels
        self.measured = {}

    def measure(self):
        lines = subprocess.run(
            self.command, check=True, capture_output=True, text=True
        ).stdout.splitlines()
        for line in lines:
            precision, name, _, gops = line.split()
            self.measured.setdefault((precision, name), []).append(float(gops))

    def reset(self):
        self.measured = {}

    def of(self, precision):
        """10^9 operations a second, and the instruction set; None: not measured."""
        medians = {
            name: statistics.median(values)
            for (of, name), values in self.measured.items()
            if of == precision
        }
        if self.kernels and precision == "int8":
            medians = {n: gops for n, gops in medians.items() if n == self.kernels}
        elif self.kernels:
            # avx512, avx512vnni and amx compute fp32 with AVX-512, others with AVX2.
            is_512 = self.kernels.startswith(("avx512", "amx"))
            wanted = "avx512" if is_512 else "avx2"
            medians = {n: gops for n, gops in medians.items() if n == wanted}
        if not medians:
            return None
        name = max(medians, key=medians.get)
        return medians[name], name

    def spread(self, precision):
        """The lowest and the highest measurement of what of() gives."""
        values = self.measured[precision, self.of(precision)[1]]
        return min(values), max(values)


class Work:
    """The operations of texts: of the linear layers, and of attention. Two a
    multiply-add; embeddings, GELU, softmax and layer norms count as none."""

    def __init__(self, config, lengths):
        hidden, layers = config["hidden_size"], config["num_hidden_layers"]
        linear = 4 * hidden**2 + 2 * hidden * config["intermediate_size"]
        self.linear = sum(2 * layers * linear * n for n in lengths)
        self.attention = sum(4 * layers * hidden * n**2 for n in lengths)

    def seconds(self, limits, precision):
        """At the limit; int8: attention at the fp32 limit. None: no limit measured."""
        linear, attention = limits.of(precision), limits.of("fp32")
        if not linear or not attention:
            return None
        return 1e-9 * (self.linear / linear[0] + self.attention / attention[0])
