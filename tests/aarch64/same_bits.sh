#!/usr/bin/env bash
# aarch64 gives the vectors of x86, bit for bit: the library is cross-compiled, its
# encoder run by qemu's user emulation, and the SHA-256 of its vectors compared with
# that of the program's, which uses the fastest kernels of this machine. tests/parity
# compares those with the other kernels of x86.
#
# usage: same_bits.sh BUILD                    what tools/check runs
#        same_bits.sh BUILD TEXTS.jsonl...     every text ("t") of these files with
#                                              all-MiniLM-L6-v2: a minute a 1,000 tokens
build=$(realpath "$1")
KITH_PROGRAM=${KITH_PROGRAM:-$build/tools/kith}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
shift
files=()
for file in "$@"; do
    files+=("$(realpath "$file")")
done
# shellcheck source=tests/cli/lib.sh
. "$here/../cli/lib.sh"
golden=$tests/../golden
program=$top/state/encode_ids

compiler=$(command -v aarch64-linux-gnu-gcc)
qemu=$(command -v qemu-aarch64 || command -v qemu-aarch64-static)
if [ -z "$compiler" ] || [ -z "$qemu" ]; then
    skip_all "no aarch64-linux-gnu-gcc or qemu-aarch64, NOT TESTED: see tools/setup"
fi

# hash_of FILE: its SHA-256, or a failure when there is nothing in it.
hash_of() {
    test -s "$1" && sha256sum <"$1" | cut -d ' ' -f 1
}

# Vectors of both, in x86.f32 and aarch64.f32. MODEL TEXTS PRECISION POOLING
encode_twice() {
    local -a pooling=()
    if [ "$4" != default ]; then
        pooling=(--pooling "$4")
    fi
    rm -f x86.f32 aarch64.f32
    kith encode "$2" --text-field t --model "$1" --precision "$3" "${pooling[@]}" \
        --quiet >x86.f32 || return
    kith tokens --jsonl "$2" --text-field t --model "$1" >tokens.jsonl || return
    python3 -c 'import json, sys
for line in sys.stdin:
    print(*json.loads(line)["ids"])' <tokens.jsonl >ids || return
    "$qemu" "$program" "$1" "$3" "$4" <ids >aarch64.f32
}

# same_bits NAME MODEL TEXTS PRECISION [POOLING]
same_bits() {
    local start=$SECONDS theirs ours
    run encode_twice "$2" "$3" "$4" "${5:-default}"
    is_status 0 "$1, $4: vectors of both"
    theirs=$(hash_of x86.f32)
    ours=$(hash_of aarch64.f32)
    sed 's/^/# /' "$err"
    echo "# $((SECONDS - start)) s"
    echo "# SHA-256 on aarch64 $ours"
    echo "# SHA-256 on x86     $theirs"
    check "$1, $4: same bits" test -n "$ours" -a "$ours" = "$theirs"
}

# all_texts FILE PRECISION: in parts, so that one sees how far it is.
all_texts() {
    local name=${1##*/} part
    rm -f part-* all.x86.f32 all.aarch64.f32
    split -l 100 "$1" part-
    for part in part-*; do
        same_bits "$name, $part" "$real_model" "$part" "$2"
        cat x86.f32 >>all.x86.f32
        cat aarch64.f32 >>all.aarch64.f32
    done
    echo "# SHA-256 of all on aarch64 $(hash_of all.aarch64.f32)"
    check "$name, $2: same bits" cmp all.x86.f32 all.aarch64.f32
}

run python3 "$here/cross_compile.py" "$build" "$compiler" "$top/state"
is_status 0 "the library compiles for aarch64"

if [ ${#files[@]} -gt 0 ]; then
    use_real_model
    for file in "${files[@]}"; do
        all_texts "$file" int8
        all_texts "$file" fp32
    done
    exit
fi

use_tiny_model
tiny=$KITH_HOME/models/tiny.kmodel
for precision in fp32 int8; do
    same_bits "tiny model" "$tiny" "$golden/tiny-texts.jsonl" "$precision"
done
for pooling in cls max pooler; do
    same_bits "tiny model, pooling $pooling" "$tiny" "$golden/tiny-texts.jsonl" fp32 \
        "$pooling"
done

if [ ! -f "$real_model" ]; then
    skip "64 texts with all-MiniLM-L6-v2" "the model is not here: run tools/setup model"
    exit
fi
# The 60 shortest, and four up to 72 tokens long.
python3 - "$golden/texts.jsonl" >some.jsonl <<'END'
import json, sys
lines = open(sys.argv[1], encoding="utf-8").read().splitlines()
lines.sort(key=lambda line: len(json.loads(line)["ids"]))
print(*lines[:60], *lines[60::29], sep="\n")
END
check "64 texts" test "$(wc -l <some.jsonl)" -eq 64
for precision in int8 fp32; do
    same_bits "64 texts with all-MiniLM-L6-v2" "$real_model" some.jsonl "$precision"
done
