#!/usr/bin/env python3
"""Compiles the library for aarch64, and tests/aarch64/encode_ids.c into a program.

usage: cross_compile.py BUILD COMPILER FOLDER

Each source of the library, but FAISS's module and the kernels of x86, is compiled with
the flags that it has in BUILD, a build folder of x86, less those that only x86 knows.
FOLDER/encode_ids is linked from encoder/ and src/base/ alone, statically. The functions
that call utf8proc, jansson and nettle are not reached from it and left out by the
linker, so none of these libraries is needed for aarch64.
"""

import json
import os
import pathlib
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = "tests/aarch64/encode_ids.c"
LIBRARY = ("encoder/", "index/", "src/")
LINKED = ("encoder/", "src/base/", PROGRAM)
# Of x86: the sets of instructions, and control-flow protection. Of this build: where to
# write what, and sanitizers.
DROPPED = ("-m", "-fcf-protection", "-fsanitize", "-fcolor", "-M", "-g")
OWN = ["-Werror", "-ffunction-sections", "-fdata-sections", "-DXXH_INLINE_ALL"]


def flags_of(entry):
    """The flags of one entry of compile_commands.json that hold for any CPU."""
    words = iter(shlex.split(entry["command"])[1:])
    flags = []
    for word in words:
        if word in ("-o", "-c", "-MQ", "-MF"):
            next(words)
        elif word == "-isystem":
            flags += [word, next(words)]
        elif not word.startswith(DROPPED):
            flags.append(word)
    return flags


def sources(build):
    """(path below ROOT, flags) of what is compiled."""
    for entry in json.loads((build / "compile_commands.json").read_text()):
        path = (build / entry["file"]).resolve()
        name = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else ""
        is_x86 = "/kernels/" in name and path.name != "portable.c"
        is_faiss = name.startswith("index/faiss/")
        if name.startswith(LIBRARY) and not is_x86 and not is_faiss:
            yield name, flags_of(entry)
            if name == "encoder/forward.c":
                yield PROGRAM, flags_of(entry)


def main(build, compiler, folder):
    build, folder = pathlib.Path(build).resolve(), pathlib.Path(folder).resolve()

    def compile_one(source):
        name, flags = source
        out = folder / (name.replace("/", "_") + ".o")
        command = [compiler, *flags, *OWN, "-c", ROOT / name, "-o", out]
        return subprocess.run(command, cwd=build).returncode, name, out

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(compile_one, sources(build)))
    failed = [name for status, name, _ in results if status != 0]
    if failed or len(results) < 20:
        sys.exit(f"{len(results)} sources, not compiled: {' '.join(failed)}")
    objects = [out for _, name, out in results if name.startswith(LINKED)]
    command = [compiler, "-static", "-Wl,--gc-sections", *objects, "-lm", "-lpthread",
               "-o", folder / "encode_ids"]
    status = subprocess.run(command).returncode
    print(f"{len(results)} sources compiled, {len(objects)} linked")
    sys.exit(status)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
