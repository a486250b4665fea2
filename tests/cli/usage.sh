#!/usr/bin/env bash
# Help, version, and what is wrong with a command line.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

run kith --version
is_status 0 "--version"
out_has '^kith [0-9]+\.[0-9]+\.[0-9]+$' "the version"
out_has '^library +[0-9]' "the library's version"
out_has '^kernels +portable' "the kernels"
out_has '^formats +collection 0, model 2$' "the formats"

run kith help
is_status 0 "help"
for command in index search pairs join dedupe cluster get list delete compact status \
    verify import export reembed encode compare tokens model; do
    out_has "^  $command " "help names $command"
done
cp "$out" "$top/state/help"
run kith --help
check "--help is help" cmp "$out" "$top/state/help"

for command in index search pairs join dedupe cluster get list delete compact status \
    verify import export reembed encode compare tokens model; do
    run kith help "$command"
    is_status 0 "help $command"
    out_has "^usage: kith $command" "help $command begins with the usage"
    cp "$out" "$top/state/help"
    run kith "$command" --help
    check "kith $command --help is kith help $command" cmp "$out" "$top/state/help"
    run kith "$command" --nonsense
    is_status 2 "$command with an option that is not there"
    err_has "$command: there is no option --nonsense" "$command names that option"
    out_is_empty "$command prints nothing on stdout then"
done
run kith help model import
out_has '^usage: kith model import FOLDER' "help of a form of model"

run kith
is_status 2 "no command"
run kith nonsense
is_status 2 "a command that is not there"
err_has 'no command "nonsense"' "it is named"
run kith help nonsense
is_status 2 "help for a command that is not there"

run kith search
is_status 2 "search without a collection"
run kith search c.kith
is_status 2 "search without a query"
run kith search c.kith one two
is_status 2 "search with two queries"
run kith search c.kith one --queries file
is_status 2 "search with a query and --queries"
run kith search c.kith ''
is_status 2 "an empty query"
run kith search c.kith '  '
is_status 2 "a blank query"
run kith search c.kith query -k 0
is_status 2 "k = 0"
run kith search c.kith query -k 10001
is_status 2 "k over 10,000"
run kith search c.kith query -k ten
is_status 2 "k that is no number"
err_has '"ten"' "it is named"
run kith search c.kith query -k
is_status 2 "-k without a value"
run kith search c.kith query -k -1
is_status 2 "a negative k"
run kith search c.kith query --min-score nan
is_status 2 "a score that is no number"
run kith search c.kith query --min-recall 1.5
is_status 2 "a recall over 1"
run kith search c.kith query --ann sometimes
is_status 2 "--ann with a word that is not there"
err_has 'auto\|always\|never' "the words that are there are named"
run kith search c.kith query --json --trec
is_status 2 "two formats"
run kith search c.kith query --exact --ann always
is_status 2 "--exact with --ann always"
run kith search c.kith query --explain=yes
is_status 2 "a switch with a value"
run kith index c.kith
is_status 2 "index without a source"
run kith index c.kith x --max-record 12Q
is_status 2 "a size with an unknown unit"
run kith index c.kith x --max-record 99999999999999999999
is_status 2 "a size of more than 64 bits"
run kith compare one
is_status 2 "compare with one sentence"
run kith get c.kith
is_status 2 "get without an id"
run kith encode
is_status 2 "encode without a file"
run kith model nonsense
is_status 2 "a form of model that is not there"
run kith model import . --name 'a/b'
is_status 2 "a model's name with a slash"

# The order of options and arguments, and "--".
use_tiny_model
printf 'one\ntwo\n' >lines.txt
run kith index --format lines c.kith -q lines.txt
is_status 0 "options before, between and behind arguments"
run kith search -k1 c.kith --json -- -k
is_status 0 "a query that looks like an option, behind --"
out_json 'd[0]["query"] == "-k" and len(d[0]["hits"]) == 1' "-k1, and the query"
run kith search c.kith one --top-k=2 --no-explain --json
out_json 'len(d[0]["hits"]) == 2' "--top-k=2"
err_is_empty "--no-explain takes a switch back"
run kith search c.kith one --explain
err_has 'exact' "--explain tells the plan"
