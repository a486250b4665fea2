#!/usr/bin/env bash
# Standard streams, full disks, damaged collections.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
use_tiny_model
printf '{"id":"a","text":"one"}\n{"id":"b","text":"two"}\n' >r.jsonl
kith index -q c.kith r.jsonl

# ---------------------------------------------------------------- standard output
for command in "help" "--version" "list c.kith" "list c.kith --json" "get c.kith a" \
    "status c.kith" "search c.kith one --json" "compare a b" "tokens a" "model list" \
    "index c.kith r.jsonl --jsonl" "encode r.jsonl" "encode r.jsonl --format npy"; do
    status=0
    # shellcheck disable=SC2086
    kith $command >/dev/full 2>"$err" || status=$?
    : >"$out"
    is_status 4 "a full disk behind the output of $command"
    err_has 'No space left on device' "is told"
done
status=0
kith list c.kith >&- 2>"$err" || status=$?
is_status 4 "stdout that is closed"
status=0
kith index new.kith r.jsonl --jsonl >&- 2>"$err" || status=$?
is_status 4 "index with a closed stdout"
run kith get new.kith a
check "has not written into the collection" test "$status" -ne 5
seq 1 6000 >many.txt
kith index -q many.kith many.txt --format lines
run bash -c '"$0" list many.kith | head -n 1' "$KITH_PROGRAM"
err_is_empty "a reader that goes away is no error to speak of"

# ---------------------------------------------------------------- standard input
run bash -c '"$0" encode - <&-' "$KITH_PROGRAM"
is_status 4 "stdin that is closed"
run bash -c '"$0" encode - <"$1"' "$KITH_PROGRAM" "$work"
is_status 4 "a folder on stdin"

# ---------------------------------------------------------------- interruption
mkfifo questions
for signal in INT TERM; do
    "$KITH_PROGRAM" search c.kith --queries - --jsonl -k 1 <questions >"$out" 2>"$err" &
    asked=$!
    exec 7>questions
    echo one >&7
    for _ in $(seq 100); do
        test -s "$out" && break
        sleep 0.1
    done
    kill -"$signal" "$asked"
    status=0
    wait "$asked" || status=$?
    is_status 130 "SIG$signal"
    out_json 'len(d) == 1' "what was answered is there"
    exec 7>&-
done

# ---------------------------------------------------------------- damage
cp -r c.kith cut.kith
store=$(echo cut.kith/g*/data.mdb)
truncate -s 4096 "$store"
for command in "list cut.kith" "search cut.kith one" "index cut.kith r.jsonl" \
    "status cut.kith"; do
    # shellcheck disable=SC2086
    run kith $command
    is_status 5 "${command%% *} with a truncated data.mdb"
done
cp -r c.kith cut2.kith
truncate -s 4100 "$(echo cut2.kith/g*/vectors)"
run kith search cut2.kith one
is_status 5 "truncated vectors"
cp -r c.kith bent.kith
echo "kith 0 g000001 0000000000000000" >bent.kith/CURRENT
run kith search bent.kith one
is_status 5 "an altered CURRENT"
cp -r c.kith later.kith
sed -i 's/^kith 0/kith 7/' later.kith/CURRENT
run kith search later.kith one
is_status 5 "a collection of a later version"
err_has 'version 7' "names the version"
mkdir not_a_collection
echo mine >not_a_collection/file
run kith search not_a_collection one
is_status 4 "a folder that is no collection"
run kith index not_a_collection r.jsonl
check "is not made one" test "$status" -ne 0
check "and its files are left alone" grep -q mine not_a_collection/file
run kith index r.jsonl r.jsonl
check "a file in the place of a collection" test "$status" -ge 4
check "is left alone" grep -q one r.jsonl

# ---------------------------------------------------------------- a full disk
# A file system of 2 MB needs root; a limit on the size of files stands in for it.
seq 1 12000 >more.txt
run bash -c 'ulimit -f 1000
    trap "" XFSZ
    "$0" index full.kith more.txt --format lines --jsonl' "$KITH_PROGRAM"
is_status 4 "no room for the collection"
check "the message names what is kept" grep -q 'records were committed' "$err"
committed=$(python3 -c 'import json, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
print(max([line.get("committed", 0) for line in lines], default=0))' "$out")
run kith status full.kith --json
is_status 0 "the collection still opens"
out_json "d[0][\"records\"] >= $committed" "with all that was committed ($committed)"
run kith index full.kith more.txt --format lines --jsonl
is_status 0 "the same command goes on when there is room"
run kith status full.kith --json
out_json 'd[0]["records"] == 12000' "up to the end"
