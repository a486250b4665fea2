#!/usr/bin/env bash
# Commits, interruption, and several processes on one collection.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
use_tiny_model

# wait_for SECONDS COMMAND...: until it succeeds.
wait_for() {
    local tries=$((10 * $1))
    shift
    until "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        if [ "$tries" -eq 0 ]; then
            return 1
        fi
        sleep 0.1
    done
}

python3 -c 'for i in range(10000): print("Line %d of a text." % i)' >lines.txt
run kith index many.kith lines.txt --format lines --jsonl
is_status 0 "10,000 lines"
out_json '[x["committed"] for x in d[:-1]] == sorted(x["committed"] for x in d[:-1])' \
    "the numbers of committed records grow"
out_json 'len(d) > 3 and d[-2]["committed"] == d[-1]["indexed"] == 10000' \
    "up to all of them"
out_json 'all(b["committed"] - a["committed"] <= 4096
          for a, b in zip([{"committed": 0}] + d, d[:-1]))' \
    "at most 4,096 at a time"

# ---------------------------------------------------------------- little memory
run kith index lines.kith lines.txt --format lines --jsonl --mem 64K
is_status 0 "10,000 lines with little memory"
out_json 'len(d) > 3 and d[-2]["committed"] == d[-1]["indexed"] == 10000' \
    "are all committed"
for collection in many lines; do
    kith list "$collection.kith" >"$collection.ids"
    kith search "$collection.kith" "Line 7 of a text." -k 100 --exact --jsonl \
        >"$collection.hits"
done
check "and are the same as with much" cmp many.ids lines.ids
check "with the same vectors" cmp many.hits lines.hits
# Fewer than postings are made of: that reads all records, in a mapped file.
python3 -c 'import json
for i in range(1500):
    print(json.dumps({"id": str(i), "text": "Line %d." % i, "long": "x" * 40000}))' \
    >large.jsonl
if ldd "$KITH_PROGRAM" | grep -q libasan; then
    skip "--mem bounds the memory" "freed memory is kept under AddressSanitizer"
else
    run_measured "$KITH_PROGRAM" index large.kith large.jsonl --mem 2M
    is_status 0 "60 MB of records"
    check "--mem bounds the memory ($peak_kib KiB)" test "$peak_kib" -lt 40000
fi
rm large.jsonl
for size in 0 1X -1 ''; do
    run kith index many.kith lines.txt --mem "$size"
    is_status 2 "--mem '$size'"
done

# ---------------------------------------------------------------- a slow source
mkfifo feed
"$KITH_PROGRAM" index slow.kith - --source log --format lines --jsonl \
    <feed >slow.out 2>slow.err &
writer=$!
exec 7>feed
printf 'one\ntwo\nthree\n' >&7
check "records that wait for more input are committed" \
    wait_for 20 grep -q '"committed":3' slow.out
run kith search slow.kith one --json
is_status 0 "search while another process indexes"
out_json 'len(d[0]["hits"]) == 3' "sees what is committed"

run kith index slow.kith lines.txt --format lines --no-wait
is_status 4 "a second index with --no-wait"
err_has "$writer" "names the process that writes"
run kith delete slow.kith log:1 --no-wait
is_status 4 "delete --no-wait"
printf '{"id":"late","text":"from the second"}\n' >second.jsonl
"$KITH_PROGRAM" index slow.kith second.jsonl 2>second.err &
second=$!
check "a second index says for whom it waits" \
    wait_for 20 grep -q "waiting for process $writer" second.err
check "and waits" kill -0 "$second"

# ---------------------------------------------------------------- interruption
printf 'four\n' >&7
kill -INT "$writer"
status=0
wait "$writer" || status=$?
cp slow.out "$out"
cp slow.err "$err"
is_status 130 "an interrupted index"
err_has 'interrupted: [0-9]+ records were committed; the same command goes on' \
    "says what is kept"
exec 7>&-
status=0
wait "$second" || status=$? # for is_status
is_status 0 "the second index finishes then"
run kith list slow.kith
out_has '^log:3$' "what the first one committed is there"
out_has '^late$' "what the second one committed too"
run kith index slow.kith --source log --format lines - --jsonl <<<$'one\ntwo\nthree\nfour'
out_json 'd[-1]["unchanged"] >= 3 and d[-1]["unchanged"] + d[-1]["indexed"] == 4' \
    "the same command goes on"

# ---------------------------------------------------------------- two that begin at once
printf '{"id":"1","text":"a"}\n' >1.jsonl
printf '{"id":"2","text":"b"}\n' >2.jsonl
"$KITH_PROGRAM" index both.kith 1.jsonl 2>1.err &
first=$!
"$KITH_PROGRAM" index both.kith 2.jsonl 2>2.err &
second=$!
check "two that make the same collection: the first" wait "$first"
check "and the second" wait "$second"
run kith list both.kith
out_is "have both written" <<'END'
1
2
END
