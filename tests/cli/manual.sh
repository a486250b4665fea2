#!/usr/bin/env bash
# The man page knows every command and every option, and man finds no fault with it.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
page=$tests/../../docs/man/kith.1

# Minus signs are written \\- in the source.
plain=$(sed 's/\\-/-/g' "$page")
# section COMMAND: what the page says of it.
section() {
    awk -v title=".SS \"kith $1 " '/^\.S[SH]/ { found = index($0, title) == 1 } found' \
        <<<"$plain"
}
for command in index search pairs join dedupe cluster get list delete compact status \
    verify import export reembed encode compare tokens \
    "model import" "model list" "model info" "model test"; do
    # shellcheck disable=SC2086
    run kith help $command
    is_status 0 "help $command"
    section "$command" >"$top/state/section"
    while read -r option; do
        check "the page has $option of $command" \
            grep -qE -- "(^| )$option( |\$)" "$top/state/section"
    done < <(grep -oE -- '^  (-., )?--[a-z-]+' "$out" | grep -oE -- '--[a-z-]+' |
        grep -vx -- --help)
done
for status_number in 0 1 2 3 4 5 130; do
    check "the page has exit status $status_number" grep -qx ".B $status_number" "$page"
done
for variable in KITH_HOME KITH_CPU NO_COLOR OPENBLAS_CORETYPE; do
    check "the page has $variable" grep -q "$variable" "$page"
done
if command -v man >/dev/null; then
    run env LC_ALL=C.UTF-8 MANROFFSEQ='' MANWIDTH=80 \
        man --warnings -E UTF-8 -l -Tutf8 -Z "$page"
    check "man has no warnings" test ! -s "$err"
else
    skip "man has no warnings" "man is not installed"
fi
