#!/bin/bash
# libkith.so shows kith_* and nothing else. usage: symbols.sh LIBRARY
set -u
echo 1..2
shown=$(nm -D --defined-only "$1" | awk '$3 !~ /^KITH_[0-9]/ { print $3 }' | sed 's/@.*//')
others=$(printf '%s\n' "$shown" | grep -v '^kith_' | grep -v '^__asan\|^__ubsan\|^__odr_asan')
if [ -z "$others" ]; then
    echo "ok 1 - only kith_* is visible"
else
    echo "not ok 1 - only kith_* is visible"
    printf '%s\n' "$others" | sed 's/^/# /'
fi
if printf '%s\n' "$shown" | grep -q '^kith_search$'; then
    echo "ok 2 - kith_search is there"
else
    echo "not ok 2 - kith_search is there"
fi
