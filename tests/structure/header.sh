#!/bin/bash
# include/kith.h compiles alone, in every language that it claims, under extreme warnings.
# usage: header.sh SOURCE_ROOT
set -u
root=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
printf '#include <kith.h>\nint main(void) { return kith_version() == 0; }\n' >"$dir/t.c"
cp "$dir/t.c" "$dir/t.cpp"
warnings="-Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wundef
          -Wcast-qual -Wstrict-prototypes -Werror"
n=0
try() { # NAME COMMAND...
    n=$((n + 1))
    if "${@:2}" >"$dir/out" 2>&1; then
        echo "ok $n - $1"
    else
        echo "not ok $n - $1"
        sed 's/^/# /' "$dir/out"
    fi
}
compilers=(gcc)
command -v clang-14 >/dev/null && compilers+=(clang-14)
echo "1..$((2 * ${#compilers[@]}))"
for cc in "${compilers[@]}"; do
    cxx=${cc/gcc/g++}
    cxx=${cxx/clang/clang++}
    # shellcheck disable=SC2086
    try "$cc, C11" "$cc" -std=c11 $warnings -I"$root/include" -c "$dir/t.c" -o "$dir/t.o"
    # shellcheck disable=SC2086
    try "$cxx, C++17" "$cxx" -std=c++17 ${warnings/-Wstrict-prototypes/} \
        -I"$root/include" -c "$dir/t.cpp" -o "$dir/t.o"
done
