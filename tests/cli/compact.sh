#!/usr/bin/env bash
# compact: what was deleted gives its space back, and is in no file.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
use_tiny_model

not() {
    ! "$@"
}

# total FOLDER: bytes of its files.
total() {
    find "$1" -type f -printf '%b\n' | awk '{ n += $1 } END { print n * 512 }'
}

python3 - <<'END'
import json
with open("all.jsonl", "w") as a, open("rest.jsonl", "w") as r:
    for i in range(6000):
        word = "gone" if i % 2 else "kept"
        line = json.dumps({"id": "%s%d" % (word, i), "text": "%sword %d" % (word, i),
                           "title": "T%d" % i, "tag": "%stag" % word}) + "\n"
        a.write(line)
        if i % 2 == 0:
            r.write(line)
END
kith index -q c.kith all.jsonl --ann never
kith index -q fresh.kith rest.jsonl --ann never
seq 1 2 5999 | sed 's/^/gone/' | xargs "$KITH_PROGRAM" delete -q c.kith
kith get c.kith kept0 kept2 kept5998 --jsonl >get.before
kith list c.kith --jsonl >list.before
kith search c.kith "keptword 40" -k 50 --exact --jsonl >search.before
check "before, deleted texts are in the files" grep -rqa goneword c.kith
before=$(total c.kith/g000001)

run kith compact c.kith --ann never --json
is_status 0 "compact --json"
after=$(total c.kith/g000002)
out_json 'd[0]["v"] == 1 and d[0]["records"] == 3000 and d[0]["dropped"] >= 3000
          and d[0]["seconds"] > 0 and d[0]["passages"] >= 3000' "tells what it did"
out_json "abs(d[0]['bytes']['before'] - $before) < 70000
          and abs(d[0]['bytes']['after'] - $after) < 70000
          and d[0]['bytes']['after'] < d[0]['bytes']['before']" "and the bytes"
for word in goneword gonetag; do
    check "$word is in no file" not grep -rqa "$word" c.kith
done
check "one generation is left" test "$(cd c.kith && echo g*)" = g000002
fresh=$(total fresh.kith)
check "as small as if made anew ($after, $fresh bytes)" \
    test "$((after * 10))" -le "$((fresh * 11))"
kith get c.kith kept0 kept2 kept5998 --jsonl >get.after
kith list c.kith --jsonl >list.after
kith search c.kith "keptword 40" -k 50 --exact --jsonl >search.after
for what in get list search; do
    check "$what gives the same as before" cmp "$what.before" "$what.after"
done

run kith index c.kith all.jsonl --jsonl --ann never
out_json 'd[-1]["unchanged"] == 3000 and d[-1]["indexed"] == 3000' \
    "index knows every record that was kept"
head -n 2000 all.jsonl >first.jsonl
mv first.jsonl all.jsonl
run kith index c.kith all.jsonl --prune --jsonl --ann never
out_json 'd[-1]["unchanged"] == 2000 and d[-1]["deleted"] == 4000' \
    "--prune knows what its source has lost"

run kith compact c.kith --ann always
is_status 0 "compact --ann always"
out_is_empty "prints nothing on stdout"
err_has '2000 records \([0-9]+ passages\) kept, [0-9]+ rows dropped: [0-9.]+ MiB before' \
    "tells people"
run kith status c.kith --json
out_json 'd[0]["index"]["kind"] != "exact"
          and d[0]["index"]["covers"] == d[0]["rows"] == d[0]["passages"]' \
    "and builds the index anew"
run kith search c.kith "keptword 40" --where 'tag = "gonetag"' -k 2000 --json
out_json 'len(d[0]["hits"]) == 1000' "filters find what they found"
run kith search c.kith "keptword 40" --ann always --min-recall 0 --json
out_json 'd[0]["exact"] is False and len(d[0]["hits"]) == 10' "which searches use"
run kith compact c.kith -q
is_status 0 "compact -q"
err_is_empty "says nothing"
run kith status c.kith --json
out_json 'd[0]["index"]["kind"] == "exact"' "--ann auto builds none for so few"

# ---------------------------------------------------------------- a search that goes on
mkfifo questions
"$KITH_PROGRAM" search c.kith --queries - --jsonl <questions >answers 2>answers.err &
searching=$!
exec 8>questions
ask() { # ask WORDS N: and wait for answer N
    echo "$1" >&8
    for _ in $(seq 100); do
        [ "$(wc -l <answers)" -ge "$2" ] && return 0
        sleep 0.1
    done
    return 1
}
check "a search answers" ask "keptword 40" 1
kith compact -q c.kith
check "answers after a compaction" ask "keptword 40" 2
check "the same" test "$(sed 's/"query_id":"[0-9]*"//' answers | uniq | wc -l)" -eq 1
kith delete -q c.kith kept40
check "and again" ask "keptword 40" 3
exec 8>&-
check "the search ends well" wait "$searching"
check "and sees what was deleted after it" not grep -q '"id":"kept40"' <(tail -n 1 answers)

# ---------------------------------------------------------------- what is refused
run kith compact none.kith
is_status 4 "a collection that is not there"
err_has 'no collection none.kith' "says so"
run kith compact
is_status 2 "no collection"
run kith compact c.kith fresh.kith
is_status 2 "two collections"
run kith compact c.kith --ann sometimes
is_status 2 "--ann with a word that is none"

mkfifo feed
"$KITH_PROGRAM" index c.kith - --source log --format lines <feed 2>index.err &
writer=$!
exec 7>feed
echo one >&7
for _ in $(seq 100); do
    run kith compact c.kith --no-wait
    [ "$status" -ne 0 ] && break
    sleep 0.1
done
is_status 4 "compact --no-wait while another process writes"
err_has "$writer" "names that process"
"$KITH_PROGRAM" compact c.kith 2>compact.err &
waiting=$!
for _ in $(seq 100); do
    grep -q "waiting for process $writer" compact.err && break
    sleep 0.1
done
check "compact says for whom it waits" grep -q "waiting for process $writer" compact.err
kill -INT "$waiting"
status=0
wait "$waiting" || status=$?
cp compact.err "$err"
is_status 130 "an interrupted compact"
err_has 'interrupted: nothing has changed' "has changed nothing"
exec 7>&-
check "the other process ends well" wait "$writer"

kith list fresh.kith >list.before
python3 - <<'END'
name = "fresh.kith/g000001/vectors"
data = bytearray(open(name, "rb").read())
data[5000] ^= 1
open(name, "wb").write(data)
END
run kith compact fresh.kith
is_status 5 "a damaged row"
err_has 'checksum.*backup' "is not carried over"
check "and nothing has changed" test "$(cd fresh.kith && echo g*)" = g000001
kith list fresh.kith >list.after
check "the records are still there" cmp list.before list.after
