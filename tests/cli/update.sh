#!/usr/bin/env bash
# A second run: what is unchanged, changed, given twice, gone.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
use_tiny_model

cat >r.jsonl <<'END'
{"id":"a","text":"one"}
{"id":"b","text":"two","n":1}
{"id":"c","text":"three"}
END
run kith index c.kith r.jsonl --jsonl
out_json 'd[-1]["indexed"] == 3' "a first run"
run kith index c.kith r.jsonl --jsonl
is_status 0 "a second run"
out_json 'd[-1]["indexed"] == 0 and d[-1]["unchanged"] == 3' "changes nothing"
out_json 'len(d) == 1' "and commits nothing"
printf '{"id":"a","text":"ONE!"}\n{"id":"b","text":"two","n":2}\n' >r.jsonl
run kith index c.kith r.jsonl --jsonl
out_json 'd[-1]["indexed"] == 2' "a changed text and changed metadata"
run kith get c.kith a b c --jsonl
is_status 0 "what the source lost is still there"
out_json 'd[0]["passages"][0]["text"] == "ONE!" and d[1]["metadata"] == {"n": 2}' \
    "the changes"
run kith index c.kith r.jsonl --prune --jsonl
is_status 0 "--prune"
out_json 'd[-1]["deleted"] == 1' "forgets it"
run kith get c.kith c
is_status 1 "it is gone"

printf '{"id":"a","text":"first"}\n{"id":"a","text":"second"}\n' >twice.jsonl
run kith index twice.kith twice.jsonl --jsonl
is_status 0 "an id twice"
out_json 'd[-1]["duplicates"] == 1' "is counted"
run kith get twice.kith a
out_is "the later one wins" <<<"second"

# A source with refused lines is not pruned: they may be the ones that seem gone.
printf '{"id":"x","text":"x"}\n{"id":"y","text":"y"}\n' >s.jsonl
kith index -q s.kith s.jsonl
printf '{"id":"x","text":"x"}\n{"id":"y","text"\n' >s.jsonl
run kith index s.kith s.jsonl --prune --jsonl
is_status 3 "--prune with a broken line"
err_has 'not pruned' "says that it does not prune"
run kith get s.kith y
is_status 0 "the record of the broken line is still there"

# Folders.
mkdir -p notes/deep
printf 'one\n' >notes/1.txt
printf 'two\n' >notes/deep/2.txt
printf 'three\n' >notes-not-below.txt
kith index -q f.kith notes notes-not-below.txt
rm notes/deep/2.txt notes-not-below.txt
run kith index f.kith notes --jsonl
out_json 'd[-1]["unchanged"] == 1 and d[-1]["deleted"] == 0' \
    "a file that is gone, without --prune"
run kith index f.kith notes --prune --jsonl
is_status 0 "with --prune"
out_json 'd[-1]["deleted"] == 1' "its record is forgotten"
run kith list f.kith
out_is "files outside of the folder are not looked at" <<'END'
notes-not-below.txt
notes/1.txt
END
mv notes away
run kith index f.kith notes --prune
is_status 3 "--prune with a folder that is not there"
run kith list f.kith
out_has 'notes/1.txt' "forgets nothing"

# A changed file: its passages are replaced.
python3 -c 'for i in range(60): print("Paragraph %d of a long text.\n" % i)' >long.txt
kith index -q l.kith long.txt
run kith status l.kith --json
out_json 'd[0]["records"] == 1 and d[0]["passages"] > 3' "a file of many passages"
printf 'Short now.\n' >long.txt
run kith index l.kith long.txt --jsonl
run kith status l.kith --json
out_json 'd[0]["records"] == 1 and d[0]["passages"] == 1' "becomes one passage"
