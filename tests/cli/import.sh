#!/usr/bin/env bash
# Vectors from elsewhere: import, export, reembed, search --vectors.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
use_tiny_model

# Writes NumPy files without NumPy: npy.save(path, rows, ...).
cat >npy.py <<'END'
import struct

def header(text, version=(1, 0)):
    size = 10 if version[0] == 1 else 12
    body = text + " " * (-(size + len(text) + 1) % 64) + "\n"
    length = struct.pack("<H" if version[0] == 1 else "<I", len(body))
    return b"\x93NUMPY" + bytes(version) + length + body.encode()

def save(path, rows, kind="f4", version=(1, 0), text=None, tail=b""):
    code = {"f2": "e", "f4": "f", "f8": "d"}[kind]
    if text is None:
        text = "{'descr': '<%s', 'fortran_order': False, 'shape': (%d, %d), }" % (
            kind, len(rows), len(rows[0]))
    with open(path, "wb") as out:
        out.write(header(text, version))
        for row in rows:
            out.write(struct.pack("<%d%s" % (len(row), code), *row))
        out.write(tail)
END
python_here() {
    PYTHONPATH=$work python3 -
}

# ---------------------------------------------------------------- every kind of npy
python_here <<'END'
import npy
rows = [[3, 4, 0, 0, 0], [0, 0, -0.5, 0, 0], [1, 1, 1, 1, 1], [0, 2.0 ** -24, 0, 0, 1]]
npy.save("f2.npy", rows, "f2")
npy.save("f4.npy", rows)
npy.save("f8.npy", rows, "f8")
npy.save("v2.npy", rows, version=(2, 0))
npy.save("v3.npy", rows, version=(3, 0))
npy.save("order.npy", rows,
         text='{"shape":(4,5),"fortran_order":False,"descr":"<f4"}')
END
run kith import f4.kith --vectors f4.npy --jsonl
is_status 0 "import of a NumPy file"
out_json 'd[0] == {"v": 1, "committed": 4} and d[-1]["indexed"] == 4
          and d[-1]["skipped"] == []' "four rows, four records"
run kith list f4.kith
out_is "ids are the numbers of the rows" <<<$'0\n1\n2\n3'
kith export f4.kith --format npy --ids ids.txt >stored.npy
check "stored at unit length, and exported as f32" python_here <<'END'
import struct
data = open("stored.npy", "rb").read()
assert len(data) == 128 + 80 and b"'shape': (4, 5)" in data[:128], data[:128]
rows = [struct.unpack_from("<5f", data, 128 + 20 * i) for i in range(4)]
assert [round(x, 3) for x in rows[0]] == [0.6, 0.8, 0, 0, 0], rows[0]
assert rows[1] == (0, 0, -1, 0, 0) and rows[3] == (0, 2.0 ** -24, 0, 0, 1), rows
END
check "the ids beside it" diff ids.txt <(printf '0\n1\n2\n3\n')
kith export f4.kith --format npy | cat >piped.npy
check "through a pipe the same bytes" cmp stored.npy piped.npy
printf 'before' >appended
kith export f4.kith --format npy >>appended
check "appended to a file the same bytes" cmp stored.npy <(tail -c +7 appended)
for kind in f2 f8 v2 v3 order; do
    run kith import "$kind.kith" --vectors "$kind.npy"
    is_status 0 "$kind.npy"
    kith export "$kind.kith" --format npy >"$out"
    check "gives the same vectors" cmp "$out" stored.npy
done
run kith status f4.kith
out_has '^model +none: vectors were imported, 5 dimensions$' "status tells"
run kith status f4.kith --json
out_json 'd[0]["model"] is None and d[0]["precision"] is None
          and d[0]["fingerprint"] is None and d[0]["dim"] == 5' "and as JSON"

# ---------------------------------------------------------------- asking with vectors
run kith search f4.kith --vectors f4.npy --jsonl -k 2
is_status 0 "search --vectors"
out_json '[x["query_id"] for x in d] == ["0", "1", "2", "3"]' "a query a row"
out_json '[x["hits"][0]["id"] for x in d] == ["0", "1", "2", "3"]' "each finds itself"
out_json 'all(x["query"] is None and len(x["hits"]) == 2 for x in d)' "as answers are"
run kith search f4.kith --vectors f4.npy -k 1
out_has '^3$' "people see the number of the row"
out_has '^  1  1\.0000  3$' "and its hit"
run kith search f4.kith --like 2 -k 1 --json
is_status 0 "search --like"
run kith search f4.kith --vectors f4.npy --json
is_status 2 "--json is for one question"
run kith search f4.kith "a text"
is_status 5 "a text for a collection without a model"
err_has 'no model' "is refused with a reason"
printf 'a text\n' >lines.txt
run kith index f4.kith lines.txt --format lines
is_status 5 "so is index"
run kith import f4.kith --vectors f4.npy --model tiny
is_status 5 "a model for a collection without one"
python_here <<'END'
import npy
npy.save("bad_rows.npy", [[1, 0, 0, 0, 0], [0] * 5, [0, 0, 0, 0, float("nan")],
                          [0, 0, 0, 0, float("-inf")], [0, 0, 0, 0, 1]])
npy.save("wide.npy", [[1, 2, 3, 4, 5, 6]])
END
run kith search f4.kith --vectors bad_rows.npy --jsonl
is_status 3 "rows that are no vectors"
out_json '["error" in x for x in d] == [False, True, True, True, False]' \
    "have an answer that says why"
err_has 'bad_rows.npy:2: .*not finite' "people are told"
run kith search f4.kith --vectors wide.npy
is_status 5 "vectors of another dimension"

# ---------------------------------------------------------------- broken files
python_here <<'END'
import npy
good = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 5), }"
rows = [[1, 0, 0, 0, 0]]
bad = {
    "big_endian": good.replace("<f4", ">f4"), "integers": good.replace("<f4", "<i4"),
    "structured": good.replace("'<f4'", "[('a', '<f4')]"),
    "fortran": good.replace("False", "True"), "truth": good.replace("False", "0"),
    "one": good.replace("(1, 5)", "(5,)"), "three": good.replace("(1, 5)", "(1, 1, 5)"),
    "none": good.replace("(1, 5)", "()"), "zero": good.replace("(1, 5)", "(1, 0)"),
    "more_rows": good.replace("(1,", "(2,"), "fewer": good.replace("(1,", "(0,"),
    "overflow": good.replace("(1,", "(4611686018427387905,"),
    "digits": good.replace("(1,", "(99999999999999999999999,"),
    "negative": good.replace("(1,", "(-1,"), "no_shape": good.replace("shape", "shade"),
    "twice": good.replace("}", "'descr': '<f4'}"), "open": good.replace("}", ""),
    "trailing": good + "x", "missing": "{'descr': '<f4', 'shape': (1, 5)}", "empty": "",
}
for name, text in bad.items():
    npy.save("bad_%s.npy" % name, rows, text=text)
npy.save("bad_version.npy", rows, version=(4, 0))
npy.save("bad_tail.npy", rows, tail=b"x")
data = open("f4.npy", "rb").read()
for n in (0, 5, 8, 9, 11, 60, 127, len(data) - 1):
    open("bad_cut_%d.npy" % n, "wb").write(data[:n])
open("bad_magic.npy", "wb").write(b"\x92" + data[1:])
open("bad_length.npy", "wb").write(data[:8] + b"\xff\xff" + data[10:])
open("bad_nul.npy", "wb").write(data.replace(b" \n", b"\0\n"))
END
n_bad=0
for file in bad_[!r]*.npy; do
    run kith import none.kith --vectors "$file"
    if [ "$status" -ne 5 ] || ! grep -q "^kith: $file: " "$err"; then
        is_status 5 "$file is refused"
        err_has "^kith: $file: " "by its name"
    fi
    n_bad=$((n_bad + 1))
done
check "$n_bad broken files are refused" test "$n_bad" -eq 33
check "and leave no collection behind" test ! -e none.kith
run kith import none.kith --vectors no-such.npy
is_status 4 "a file that is not there"
run kith import none.kith --vectors "$work"
is_status 4 "a folder"
run kith import none.kith --vectors bad_rows.npy --jsonl
is_status 3 "rows that are zero or not finite"
out_json 'd[-1]["indexed"] == 2
          and [s["reason"].split(":")[0] for s in d[-1]["skipped"]]
          == ["row 1", "row 2", "row 3"]' \
    "are skipped and listed, the others are there"
run kith import f4.kith --vectors wide.npy
is_status 5 "vectors of another dimension"
err_has '6 numbers; 5 are needed' "are refused as a whole"

# ---------------------------------------------------------------- ids and texts
printf 'a\r\nb\nc\nlast' >ids.txt
printf 'first text\n\nthird\r\nfourth\n' >texts.txt
run kith import t.kith --vectors f4.npy --ids ids.txt --texts texts.txt
is_status 0 "--ids and --texts"
run kith export t.kith
out_json '[(x["id"], x["text"]) for x in d] == [("a", "first text"), ("b", ""),
          ("c", "third"), ("last", "fourth")]' "a line a row"
out_json 'd[2]["source"]["line"] == [3, 3] and d[2]["source"]["byte"] == [12, 17]' \
    "and its place"
cat >texts.jsonl <<'END'
{"id":"x","text":"one","title":"T","n":1.50}

{"text":"two"}
{"broken
{"_id":"y","question":"four"}
END
run kith import j.kith --vectors f4.npy --texts texts.jsonl --jsonl
is_status 3 "a broken text"
out_json 'd[-1]["indexed"] == 3
          and d[-1]["skipped"][0]["reason"].startswith("row 2: invalid JSON")' \
    "is skipped with its row"
run kith export j.kith --vectors
out_json '[(x["id"], x["text"], x["title"]) for x in d] ==
          [("1", "two", ""), ("x", "one", "T"), ("y", "four", "")]' \
    "records as index reads"
out_has '"metadata":\{"n":1.50\}' "with metadata"
run kith search j.kith --vectors f4.npy --jsonl -k 1
out_json '[x["hits"][0]["id"] for x in d][3] == "y"' "rows stay with their texts"
for lines in 3 5; do
    seq "$lines" >n.txt
    for option in ids texts; do
        run kith import none2.kith --vectors f4.npy "--$option" n.txt
        is_status 5 "$lines $option for four rows"
        err_has "n.txt: $lines $option for 4 rows" "are refused"
    done
done
check "before anything is written" test ! -e none2.kith
printf 'a\n\n\xff\nd\n' >odd.txt
run kith import odd.kith --vectors f4.npy --ids odd.txt --jsonl
is_status 3 "ids that are empty or not UTF-8"
out_json 'd[-1]["indexed"] == 2 and len(d[-1]["skipped"]) == 2' "are skipped"
printf 'a\na\nb\na\n' >twice.txt
run kith import twice.kith --vectors f4.npy --ids twice.txt --jsonl
out_json 'd[-1]["duplicates"] == 2' "an id twice is counted"
run kith search twice.kith --vectors f4.npy --jsonl -k 1
out_json 'd[3]["hits"][0]["id"] == "a" and d[3]["hits"][0]["score"] > 0.999
          and d[0]["hits"][0]["score"] < 0.9' "and the later one wins"
run kith import t.kith --vectors f4.npy --ids ids.txt --texts texts.txt --jsonl
out_json 'd[-1]["unchanged"] == 4 and d[-1]["indexed"] == 0' \
    "again: nothing has changed"

# ---------------------------------------------------------------- JSONL
cat >v.jsonl <<'END'
{"id":"array","text":"one","vector":[1,0,-2.5e-1],"tag":"t"}
{"id":"base64","vector":"AACAPwAAAAAAAAA/"}
{"id":"short","vector":[1,0]}
{"id":"zero","vector":[0,0,0]}
{"id":"nan","vector":"AADAfwAAgD8AAIA/"}
{"id":"words","vector":["1",0,0]}
{"id":"odd","vector":"AACAPwAAAAAAAAA"}
{"id":"bytes","vector":"AACAPw=="}
{"id":"digit","vector":"AACAPwAA!AAAAAA/"}
{"id":"empty","vector":[]}
{"id":"object","vector":{"a":1}}
{"id":"none","text":"no vector"}
{"id":"huge","vector":[1e39,0,0]}
{"broken
{"text":"without an id","vector":[0,1,0]}
END
run kith import v.kith v.jsonl --jsonl
is_status 3 "JSONL with vectors"
out_json 'd[-1]["indexed"] == 3
          and [int(s["source"].rsplit(":")[-1]) for s in d[-1]["skipped"]]
          == list(range(3, 15))' \
    "good lines are there, the others listed with their lines"
run kith export v.kith
out_json '[x["id"].rsplit("/")[-1] for x in d] == ["v.jsonl:15", "array", "base64"]
          and d[1]["metadata"] == {"tag": "t"} and d[1]["source"]["line"] == [1, 1]' \
    "the records"
run kith import stdin.kith - <v.jsonl
is_status 2 "standard input: a record without an id"
sed 's/"vector"/"emb"/' v.jsonl | head -n 2 >emb.jsonl
run kith import field.kith - --vector-field emb <emb.jsonl
is_status 0 "--vector-field, standard input"
run kith import other.kith emb.jsonl --jsonl
is_status 3 "no vector"
out_json 'd[-1]["skipped"][0]["reason"] == "no vector: there is no \"vector\""' \
    "is told"
check "and no collection made" test ! -e other.kith

printf 'one\ntwo\n' >two.txt
kith encode --format jsonl two.txt >encoded.jsonl
run kith import e.kith encoded.jsonl
is_status 0 "what encode has printed"
cat >odd.jsonl <<'END'
{"v":1,"id":"a","passage":0,"passages":1,"text":"x","metadata":{"k":[1]},"source":{"path":"p","byte":[3,4],"line":[1,2]},"vector":[1,2]}
{"v":1,"id":"b","passage":1,"passages":1,"vector":[1,2]}
{"v":1,"passage":0,"passages":1,"vector":[1,2]}
{"v":1,"id":"c","passage":1,"passages":2,"vector":[1,2]}
{"v":1,"id":"d","passage":0.5,"passages":2,"vector":[1,2]}
{"v":1,"id":"e","passage":0,"passages":2,"vector":[1,2]}
{"v":1,"id":"f","passage":1,"passages":2,"vector":[1,2]}
{"v":1,"id":"g","passage":0,"passages":3,"text":"0","vector":[1,2]}
{"v":1,"id":"g","passage":1,"passages":3,"text":"1","vector":[1,0]}
{"v":1,"id":"g","passage":2,"passages":3,"text":"2","vector":[0,2]}
{"v":1,"id":"h","passage":0,"passages":2,"vector":[1,2]}
END
run kith import odd.kith2 odd.jsonl --jsonl
is_status 3 "odd lines of an export"
out_json 'd[-1]["indexed"] == 2 and
          [int(s["source"].rsplit(":")[-1]) for s in d[-1]["skipped"]]
          == [2, 3, 4, 5, 6, 7, 11]' "are listed"
run kith export odd.kith2
out_json '[(x["id"], x["passage"], x["passages"]) for x in d]
          == [("a", 0, 1), ("g", 0, 3), ("g", 1, 3), ("g", 2, 3)]' "records are whole"
out_json 'd[0]["metadata"] == {"k": [1]}
          and d[0]["source"] == {"path": "p", "byte": [3, 4], "line": [1, 2]}' \
    "with metadata and place"

# ---------------------------------------------------------------- usage
for arguments in "c.kith" "c.kith a.jsonl --vectors f4.npy" \
    "c.kith a.jsonl --ids ids.txt" \
    "c.kith --vectors f4.npy --vector-field x" "c.kith a.jsonl --precision fp32"; do
    # shellcheck disable=SC2086
    run kith import $arguments
    is_status 2 "import $arguments"
done
run kith export f4.kith --ids x
is_status 2 "export: --ids without npy"
run kith reembed f4.kith
is_status 2 "reembed without --to"
run kith reembed f4.kith --to n.kith
is_status 2 "reembed without a model or precision"
run kith reembed f4.kith --to ./f4.kith --model tiny
is_status 2 "reembed into itself"
run kith reembed f4.kith --to n.kith --precision fp32
is_status 2 "reembed of a collection without a model"
on_terminal "$KITH_PROGRAM" export f4.kith --format npy
is_status 2 "export: NumPy on a terminal"

# ---------------------------------------------------------------- there and back
python3 - <<'END'
import json
with open("docs.jsonl", "w") as out:
    for i in range(600):
        sentence = "Sentence %d about %d things. " % (i, i * i)
        out.write(json.dumps({"id": "d%03d" % i,
                              "title": "Title %d" % (i % 7) * (i % 3),
                              "text": sentence * (60 if i % 90 > 87 else 1),
                              "n": i, "t": "line\nfeed \u00e9"}) + "\n")
END
kith index -q docs.kith docs.jsonl
printf 'Paragraph %s of a text.\n\n' {1..150} >long.txt
kith index -q docs.kith long.txt
run kith status docs.kith --json
out_json 'd[0]["passages"] > d[0]["records"] + 20' "a collection with passages"
printf 'Sentence 7 about things\nParagraph\nTitle 3\n' >q.txt
# answers COLLECTION: what is found, without the plan of records that tie.
answers() {
    kith search "$1" --queries q.txt --jsonl -k 300 --passages |
        python3 -c '
import json, sys
for line in sys.stdin:
    hits = json.loads(line)["hits"]
    print(json.dumps(sorted([-h["score"], h["id"], h["passage"], h["text"], h["title"],
                             h["metadata"], h["source"]] for h in hits)))'
}
answers docs.kith >"$top/state/answers"
kith export docs.kith --vectors >e.jsonl
run kith import back.kith e.jsonl --model tiny --jsonl
is_status 0 "import of an export"
out_json 'd[-1]["indexed"] == 601 and d[-1]["skipped"] == []' "all records"
answers back.kith >"$out"
check "gives the same answers" cmp "$out" "$top/state/answers"
kith export back.kith --vectors >"$out"
check "and the same export" cmp "$out" e.jsonl
run kith import back.kith e.jsonl --model tiny --jsonl
out_json 'd[-1]["unchanged"] == 601' "again: nothing has changed"
kith export docs.kith >texts_only.jsonl
run kith import encoded.kith texts_only.jsonl --model tiny
is_status 0 "an export without vectors, with a model"
kith export encoded.kith --vectors >"$out"
check "is encoded passage by passage to the same vectors" cmp "$out" e.jsonl
run kith import none3.kith texts_only.jsonl
is_status 3 "without one it is refused"
grep -v '"passage":3,' e.jsonl >gap.jsonl
run kith import gap.kith gap.jsonl --jsonl
is_status 3 "an export that lacks passages"
out_json 'd[-1]["indexed"] + len({s["reason"] for s in d[-1]["skipped"]}) > 590
          and any("3 of the " in s["reason"] for s in d[-1]["skipped"])' "is told"
run kith get gap.kith "$work/long.txt"
is_status 1 "no record is made of a part"
kith export docs.kith --format npy --ids ids.txt >rows.npy
check "npy and ids: a line a row" \
    test "$(wc -l <ids.txt)" -eq "$(wc -l <e.jsonl)"

# ---------------------------------------------------------------- reembed
run kith reembed docs.kith --to fp32.kith --precision fp32 --jsonl
is_status 0 "reembed to fp32"
out_json 'd[-1]["indexed"] == 601' "all records"
run kith status fp32.kith --json
out_json 'd[0]["precision"] == "fp32"' "the new precision"
kith export fp32.kith >"$out"
check "the same records" cmp "$out" texts_only.jsonl
differs() {
    ! cmp -s "$1" "$2"
}
kith export fp32.kith --vectors >"$out"
check "other vectors" differs "$out" e.jsonl
run kith reembed fp32.kith --to int8.kith --precision int8
is_status 0 "and back"
kith export int8.kith --vectors >"$out"
check "the first vectors again" cmp "$out" e.jsonl
run kith reembed fp32.kith --to int8.kith --precision int8 --jsonl
out_json 'd[-1]["unchanged"] == 601 and d[-1]["indexed"] == 0' \
    "a second run finds all done"
run kith reembed fp32.kith --to docs2.kith --model tiny --precision fp32
is_status 0 "with --model"
run kith reembed t.kith --to u.kith --model tiny --jsonl
is_status 3 "reembed of imported vectors: a record without text"
out_json 'd[-1]["indexed"] == 3 and [s["source"] for s in d[-1]["skipped"]] == ["b"]' \
    "is listed, the others are encoded"
run kith search u.kith "first text" --jsonl -k 1
out_json 'd[0]["hits"][0]["id"] == "a" and d[0]["hits"][0]["score"] > 0.999' \
    "and found by text"

# ---------------------------------------------------------------- vectors of a model
kith encode --format npy lines.txt >m.npy
run kith import m.kith --vectors m.npy --texts lines.txt --model tiny
is_status 0 "vectors of a known model"
run kith search m.kith "a text" --json
out_json 'd[0]["hits"][0]["score"] > 0.999' "are found by text"
kith index -q m2.kith lines.txt --format lines
run kith import m2.kith --vectors m.npy --ids lines.txt
is_status 0 "vectors for a collection with a model"
run kith search m2.kith --vectors m.npy --jsonl
out_json 'len(d[0]["hits"]) == 2
          and d[0]["hits"][0]["score"] == d[0]["hits"][1]["score"]' \
    "are those that it would have made"
run kith import m3.kith --vectors f4.npy --model tiny
is_status 5 "vectors that cannot be the model's"
check "leave no collection behind" test ! -e m3.kith

# ---------------------------------------------------------------- many, and interrupted
python_here <<'END'
import npy, random
random.seed(1)
npy.save("many.npy", [[random.gauss(0, 1) for _ in range(8)] for _ in range(60000)])
npy.save("few.npy", [[1] * 8])
END
run_measured "$KITH_PROGRAM" import few.kith --vectors few.npy
few_kib=$peak_kib
run_measured "$KITH_PROGRAM" import many.kith --vectors many.npy --ann never --jsonl
is_status 0 "60,000 vectors"
out_json 'len(d) > 10 and [x["committed"] for x in d[:-1]] ==
          sorted(x["committed"] for x in d[:-1])' "are committed in steps"
if ldd "$KITH_PROGRAM" | grep -q libasan; then
    skip "in bounded memory" "the sanitizer keeps what was freed"
else
    # Reading all records at the end maps the store, and that is resident too.
    store_kib=$(($(stat -c %s many.kith/g*/data.mdb) / 1024))
    check "in bounded memory ($few_kib, $peak_kib KiB; store $store_kib)" \
        test $((peak_kib - few_kib - store_kib)) -lt 12000
fi
run python3 - "$KITH_PROGRAM" <<'END'
import json, signal, subprocess, sys
command = [sys.argv[1], "import", "cut.kith", "--vectors", "many.npy", "--jsonl"]
kith = subprocess.Popen(command, stdout=subprocess.PIPE)
kith.stdout.readline()
kith.send_signal(signal.SIGTERM)
kith.stdout.read()
sys.exit(kith.wait())
END
is_status 130 "an interrupted import"
run kith import cut.kith --vectors many.npy --jsonl --ann always
is_status 0 "goes on"
out_json '0 < d[-1]["unchanged"] < 60000
          and d[-1]["unchanged"] + d[-1]["indexed"] == 60000' \
    "where it was"
run kith status cut.kith --json
out_json 'd[0]["records"] == 60000 and d[0]["rows"] == 60000
          and d[0]["index"]["covers"] == 60000' "and has all of it, and an index"
