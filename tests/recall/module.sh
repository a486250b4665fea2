#!/bin/bash
# libkith-faiss.so shows one function, needs no other FAISS, and has FAISS's AVX2 code: the
# generic one is 5 to 8 times slower. usage: module.sh MODULE
set -u
echo 1..3
n=0
check() { # NAME COMMAND...
    n=$((n + 1))
    if "${@:2}"; then
        echo "ok $n - $1"
    else
        echo "not ok $n - $1"
    fi
}
shown=$(nm -D --defined-only "$1" | awk '{ print $3 }' |
    grep -v '^__asan\|^__ubsan\|^__odr_asan')
needed=$(readelf -d "$1" | grep NEEDED)
# vpshufb on 32 bytes is what fast scan is made of.
n_avx2=$(objdump -d --no-show-raw-insn "$1" | grep -c 'vpshufb .*%ymm')
check "only kith_faiss_ops is visible" [ "$shown" = kith_faiss_ops ]
check "FAISS is inside" [ "${needed/libfaiss/}" = "$needed" ]
check "its AVX2 code ($n_avx2 shuffles)" [ "$n_avx2" -ge 100 ]
