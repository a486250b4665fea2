#!/usr/bin/env bash
# Bad input: a listed skip or a clear error, and nothing lost.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
use_tiny_model

# ---------------------------------------------------------------- lines of JSON
python3 - <<'END'
import json
lines = [
    b'{"id":"good1","text":"one"}',
    b'{"id":"broken","text":"one"',
    b'{"id":"latin","text":"caf\xe9"}',
    b'{"id":"surrogate","text":"\\ud800"}',
    b'["an","array"]',
    b'{"id":"number","text":5}',
    b'{"id":"none"}',
    b'{"id":1.5,"text":"a broken id"}',
    b'{"id":"twice","text":"a","text":"b"}',
    b'{"id":"blank","text":"  "}',
    json.dumps({"id": "i" * 3000, "text": "long id"}).encode(),
    json.dumps({"id": "i" * 4097, "text": "too long an id"}).encode(),
    b'{"id":"deep","text":"x","m":' + b"[" * 5000 + b"]" * 5000 + b"}",
    b'{"id":"good2","text":"two"} trailing',
    b'{"id":"good3","text":"three"}',
]
open("bad.jsonl", "wb").write(b"\n".join(lines))
END
run kith index bad.kith bad.jsonl --jsonl
is_status 3 "JSONL with broken lines"
out_json 'd[-1]["indexed"] == 3' \
    "the good ones are there, with one of 3,000 bytes of id"
out_json '[int(s["source"].rsplit(":", 1)[1]) for s in d[-1]["skipped"]] ==
          [2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 14]' "every other line is listed"
out_json '"column" in d[-1]["skipped"][0]["reason"]' "with the column"
out_json '"UTF-8" in d[-1]["skipped"][1]["reason"]' "with what is wrong"
out_json 'd[-1]["skipped"][8]["reason"] == "empty"' "an empty text is told of"
err_has 'skipped bad.jsonl:2: invalid JSON' "people are told too"
err_has 'skipped 2 more' "but not of all"
run kith index bad.kith bad.jsonl -q
is_status 3 "-q"
err_has 'skipped bad.jsonl:2' "-q does not hide what was refused"
run kith get bad.kith "$(printf 'i%.0s' {1..3000})"
out_is "an id of 3,000 bytes is found" <<<"long id"

# ---------------------------------------------------------------- not UTF-8
printf 'good\nbad \xff byte\nagain good\n' >latin.txt
run kith index latin.kith latin.txt --format lines --jsonl
is_status 3 "a line that is not UTF-8"
out_json 'd[-1]["indexed"] == 2 and d[-1]["skipped"][0]["reason"]
          == "not UTF-8 (byte 5 of the line)"' \
    "is listed with the byte"
run kith index latin2.kith latin.txt --jsonl
is_status 3 "a file that is not UTF-8"
out_json 'd[-1]["skipped"][0]["reason"] == "not UTF-8 (byte 10)"' \
    "is listed with the byte"
printf '\xff\xfeh\0i\0' >utf16.txt
run kith index latin2.kith utf16.txt
is_status 3 "UTF-16"
printf 'text\nok\nbad \xc3\n' >latin.csv
run kith index latin3.kith latin.csv --jsonl
is_status 3 "a row that is not UTF-8"
out_json 'd[-1]["indexed"] == 1' "the other one is there"

# ---------------------------------------------------------------- too long, empty
python3 - <<'END'
with open("huge.jsonl", "wb") as f:
    f.write(b'{"id":"before","text":"x"}\n{"id":"huge","text":"')
    for _ in range(100):
        f.write(b"word word " * 100_000)
    f.write(b'"}\n{"id":"after","text":"x"}\n')
END
printf '{"id":"small","text":"x"}\n' >small.jsonl
run_measured "$KITH_PROGRAM" index small.kith small.jsonl
small_kib=$peak_kib
run_measured "$KITH_PROGRAM" index huge.kith huge.jsonl --jsonl
is_status 3 "a line of 100 MB"
out_json 'd[-1]["indexed"] == 2 and "--max-record" in d[-1]["skipped"][0]["reason"]' \
    "is listed, and those around it are there"
check "without holding it in memory ($small_kib and $peak_kib KiB)" \
    test $((peak_kib - small_kib)) -lt 50000
rm huge.jsonl
printf 'text\n"%s"\nok\n' "$(printf 'x%.0s' {1..2000})" >wide.csv
printf '%s\nok\n' "$(printf 'x%.0s' {1..2000})" >wide.txt
for format in csv lines; do
    run kith index "wide-$format.kith" "wide.${format/lines/txt}" --format "$format" \
        --max-record 1000 --jsonl
    is_status 3 "--max-record with $format"
    out_json 'd[-1]["indexed"] == 1 and len(d[-1]["skipped"]) == 1' "skips the long one"
done
run kith index wide-files.kith wide.txt --max-record 1K --jsonl
is_status 3 "--max-record with a file"
run kith index wide-files.kith wide.txt --max-record 2004 --jsonl
is_status 0 "a file just as long as allowed"
: >empty.jsonl
: >empty.csv
: >empty.txt
run kith index empty.kith empty.jsonl empty.csv empty.txt --jsonl
is_status 0 "empty files"
out_json 'd[-1]["indexed"] == 0' "give no record"
run kith status empty.kith --json
out_json 'd[0]["records"] == 0' "and an empty collection"
run kith search empty.kith anything
is_status 1 "which answers nothing"

# ---------------------------------------------------------------- files
run kith index lost.kith no-such-file.jsonl --jsonl
is_status 3 "a file that is not there"
out_json 'd[-1]["skipped"][0]["reason"] == "No such file or directory"' "is listed"
check "no collection is made for it" test ! -e lost.kith
mkdir locked
printf 'secret\n' >locked/secret.txt
printf 'open\n' >open.txt
chmod 000 locked/secret.txt
if [ "$(id -u)" -ne 0 ]; then
    run kith index locked.kith locked open.txt --jsonl
    is_status 3 "an unreadable file"
    out_json 'd[-1]["indexed"] == 1 and d[-1]["skipped"][0]["reason"]
          == "Permission denied"' \
        "is listed"
else
    skip "an unreadable file" "root reads every file"
fi
run kith index folder.kith "$work" --format jsonl -q
is_status 3 "a folder of what is no JSONL"
run kith index null.kith /dev/null --format lines
is_status 0 "/dev/null"

# ---------------------------------------------------------------- control bytes
printf '{"broken \033[31m\n' >$'evil\033[31m.jsonl'
run kith index evil.kith $'evil\033[31m.jsonl'
is_status 3 "control bytes in names and texts"
err_lacks "$escape" "do not reach the terminal"
