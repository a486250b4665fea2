#!/usr/bin/env bash
# The man page knows every command and every option, man finds no fault with it, and its
# examples run: those that come with their output give it.
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
    verify import export reembed rerank eval encode compare tokens serve \
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
# Run the command that was read, if any: it prints what the page says.
run_example() {
    if [ -n "$example" ]; then
        run bash -c "$example"
        check "the page's ${example%%$'\n'*}" diff "$top/state/output" "$out"
    fi
    : >"$top/state/output"
}
# run_examples COMMAND: those of its section.
run_examples() {
    local line example=''
    while IFS= read -r line; do
        if [[ $line == "$ "* ]]; then
            run_example
            example=${line#"$ "}
        elif [[ $example == *\\ ]]; then
            example+=$'\n'$line
        else
            printf '%s\n' "$line" >>"$top/state/output"
        fi
    done < <(section "$1" | awk '/^\.EE/ { inside = 0 } inside; /^\.EX/ { inside = 1 }' |
        sed "s/\\\\(aq/'/g; s/\\\\(dq/\"/g; s/\\\\e/\\\\/g")
    run_example
}
export -f kith
if [ -f "$real_model" ]; then
    mkdir -p "$KITH_HOME/models"
    ln -s "$(realpath "$real_model")" "$KITH_HOME/models/all-MiniLM-L6-v2.kmodel"
    for command in encode compare tokens; do
        run_examples "$command"
    done
else
    skip "the page's examples" "no all-MiniLM-L6-v2.kmodel"
fi
# The stop words of the page are those that are dropped.
awk '/^\.SH STOP WORDS/ { found = 1 } /^\.SH JSON/ { found = 0 }
    /^\.EE/ { inside = 0 } found && inside; /^\.EX/ { inside = 1 }' "$page" |
    tr ' ' '\n' >stopwords.txt
n_words=$(wc -l <stopwords.txt)
check "the page's stop words are sorted" env LC_ALL=C sort -cu stopwords.txt
check "they are as many as in the source" test "$n_words" -eq \
    "$(grep '^    "' "$tests/../../encoder/stopwords.c" | grep -oE '"[a-z]+"' | wc -l)"
rm -rf "$KITH_HOME"
use_tiny_model
run kith encode --static --drop-stopwords stopwords.txt
err_has "^kith: $n_words of $n_words texts have no word to average" "all are dropped"

# The examples of eval, on the sample corpus.
cp "$tests"/../../docs/samples/faq* .
section eval >"$top/state/section"
n_examples=0
while read -r example; do
    run bash -c "kith() { \"\$KITH_PROGRAM\" \"\$@\"; }; $example"
    is_status 0 "$example"
    n_examples=$((n_examples + 1))
done < <(sed -n 's/^\$ //p' "$top/state/section")
check "the page has examples of eval" test "$n_examples" -ge 5
for status_number in 0 1 2 3 4 5 130; do
    check "the page has exit status $status_number" grep -qx ".B $status_number" "$page"
done
for variable in KITH_HOME KITH_API_KEY KITH_CPU NO_COLOR OPENBLAS_CORETYPE; do
    check "the page has $variable" grep -q "$variable" "$page"
done
# Those of its tasks name files of the project, here and in docs/eval.md.
while read -r line; do
    read -ra words <<<"$line"
    run env -C "$tests/../.." "$KITH_PROGRAM" "${words[@]:1}"
    is_status 0 "$line"
done < <(sed -nE 's/^(\$ |    )(kith eval --task )/\2/p' - \
    "$tests/../../docs/eval.md" <<<"$plain")
if command -v man >/dev/null; then
    run env LC_ALL=C.UTF-8 MANROFFSEQ='' MANWIDTH=80 \
        man --warnings -E UTF-8 -l -Tutf8 -Z "$page"
    check "man has no warnings" test ! -s "$err"
else
    skip "man has no warnings" "man is not installed"
fi
