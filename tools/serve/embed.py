"""Turns files into the C source of their bytes: embed.py OUT NAME=FILE..."""

import sys


def array(name, data):
    rows = [data[i : i + 20] for i in range(0, len(data), 20)]
    bytes_ = "\n".join("    " + "".join(f"{byte}," for byte in row) for row in rows)
    return (
        f"const unsigned char asset_{name}[] = {{\n{bytes_}\n}};\n"
        f"const size_t asset_{name}_size = sizeof(asset_{name});\n"
    )


def main():
    parts = ['#include "assets.h"\n']
    for argument in sys.argv[2:]:
        name, path = argument.split("=", 1)
        with open(path, "rb") as file:
            parts.append(array(name, file.read()))
    with open(sys.argv[1], "w", encoding="ascii") as out:
        out.write("\n".join(parts))


main()
