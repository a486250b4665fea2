#!/bin/bash
# Who may include whom: docs/architecture.md. usage: includes.sh SOURCE_ROOT
set -u
cd "$1" || exit 1
n=0
check() { # NAME OFFENDING_LINES
    n=$((n + 1))
    if [ -z "$2" ]; then
        echo "ok $n - $1"
    else
        echo "not ok $n - $1"
        printf '%s\n' "$2" | sed 's/^/# /'
    fi
}
# Headers of the folders $1, as an alternation for grep.
headers() {
    find "$@" -name '*.h' -printf '%f\n' | paste -sd '|' | sed 's/\./\\./g'
}
# Lines in the folders $2.. that include a header of the alternation $1.
offenders() {
    local names=$1
    shift
    [ -n "$names" ] && grep -rnE --include='*.[ch]' "#include [<\"](.*/)?($names)[>\"]" "$@"
}
src_own() {
    find src -maxdepth 1 -name '*.h' -printf '%P\n' | paste -sd '|' | sed 's/\./\\./g'
}
echo 1..14
check "src/base includes no other module" \
    "$(offenders "$(headers encoder)|$(headers index)|$(headers filter)|$(headers src/store)|$(src_own)" src/base)"
check "encoder/ includes only src/base" \
    "$(offenders "$(headers index)|$(headers filter)|$(headers src/store)|$(src_own)" encoder)"
check "index/ includes only src/base" \
    "$(offenders "$(headers encoder)|$(headers filter)|$(headers src/store)|$(src_own)" index)"
check "filter/ includes only src/base" \
    "$(offenders "$(headers encoder)|$(headers index)|$(headers src/store)|$(src_own)" filter)"
check "src/store includes only src/base" \
    "$(offenders "$(headers encoder)|$(headers index)|$(headers filter)|$(src_own)" src/store)"
check "tools/ sees only kith.h and eval/" \
    "$(offenders "$(headers encoder)|$(headers index)|$(headers filter)|$(headers src/store)|$(headers src/base)|$(src_own)" tools)"
check "eval/ includes no other module" \
    "$(offenders "$(headers encoder)|$(headers index)|$(headers filter)|$(headers src/store)|$(headers src/base)|$(src_own)|$(headers include)|$(headers tools)" eval)"
check "eval/ is seen by tools/ alone" \
    "$(offenders "$(headers eval)|lbfgs\.h" src encoder index filter | grep -v '^eval/')"
check "FAISS is seen by index/faiss alone" \
    "$(grep -rnE --include='*.[ch]' '#include (<faiss|[<"]cblas)' . | grep -v '^\./index/faiss/\|^\./build')"
check "LMDB is seen by src/store alone" \
    "$(grep -rnE --include='*.[ch]' '#include [<"]lmdb' . | grep -v '^\./src/store/\|^\./build')"
check "utf8proc is seen by encoder/ alone" \
    "$(grep -rnE --include='*.[ch]' '#include [<"]utf8proc' . | grep -v '^\./encoder/\|^\./build')"
check "HTTP is seen by tools/serve/server.c alone" \
    "$(grep -rnE --include='*.[ch]' '#include [<"]microhttpd' . | grep -v '^\./tools/serve/server\.c\|^\./build')"
check "tools/serve is seen by kith serve alone" \
    "$(offenders "$(headers tools/serve)" src encoder index filter eval tools | grep -v '^tools/serve/\|^tools/cmd_serve\.c')"
check "file names are unique" \
    "$(git ls-files -co --exclude-standard -- '*.[ch]' 2>/dev/null | grep -v '/kernels/' |
        sed 's,.*/,,' | sort | uniq -d)"
