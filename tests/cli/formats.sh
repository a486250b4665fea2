#!/usr/bin/env bash
# What index makes of each format.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
use_tiny_model

# ---------------------------------------------------------------- JSONL
cat >faq.jsonl <<'END'
{"id": 7, "question": "How long?", "answer": "Two days.", "x": 1.10, "big": 12345678901234567890123}
{"_id": "x", "contents": "Apple", "title": "Fruit", "deep": {"a": [1, "}", {"b": "\"{"}]}}
{"docid": "y", "content": "A pear", "question": "Not the text?"}
{"document": "without an id"}

{"id": "nul", "text": "a\u0000b", "t\u0061g": "escaped"}
END
run kith index jsonl.kith faq.jsonl --jsonl
is_status 0 "index JSONL"
out_json 'd[-1]["indexed"] == 5 and d[-1]["skipped"] == []' "all of it"
out_json 'set(d[-1]) >= {"v", "indexed", "unchanged", "skipped", "truncated",
          "duplicates", "seconds"}' \
    "the keys of the last line"
out_json 'd[0] == {"v": 1, "committed": 5}' "a line for the commit"
run kith list jsonl.kith --jsonl
out_json '{r["id"] for r in d} == {"7", "x", "y", "nul", "'"$work"'/faq.jsonl:4"}' \
    "ids: id, _id, docid, SOURCE:LINE; a number becomes its digits"
out_json '[r["title"] for r in d if r["id"] == "x"] == ["Fruit"]' "the title"
out_json '[r["metadata"] for r in d if r["id"] == "x"]
          == [{"deep": {"a": [1, "}", {"b": "\"{"}]}}]' \
    "the rest becomes metadata"
out_json '[r["metadata"] for r in d if r["id"] == "nul"] == [{"tag": "escaped"}]' \
    "a key with an escape"
out_has '"x":1.10,"big":12345678901234567890123' "numbers keep their digits"
out_json 'all(r["source"]["path"] == "'"$work"'/faq.jsonl" for r in d)' \
    "the source's path"
out_json '[r["source"]["line"] for r in d if r["id"] == "nul"] == [[6, 6]]' "the line"
out_json 'all(open("faq.jsonl", "rb").read()[r["source"]["byte"][0]:r["source"]["byte"][1]]
          .startswith(b"{") for r in d)' "the bytes are those of the object"
run kith get jsonl.kith nul
check "a NUL in a text is kept" cmp "$out" <(printf 'a\0b\n')
run kith get jsonl.kith y
out_is "content comes before question" <<<"A pear"

cat >own.jsonl <<'END'
{"key": "a", "body": "one", "head": "h", "text": "not this"}
{"key": "b", "text": "no body"}
END
run kith index own.kith own.jsonl --id-field key --text-field body --title-field head \
    --jsonl
is_status 3 "a record without the field that was named is refused"
out_json 'd[-1]["indexed"] == 1
          and d[-1]["skipped"][0]["source"].endswith("own.jsonl:2")' \
    "and listed"
run kith get own.kith a --json
out_json 'd[0]["records"][0]["passages"][0]["text"] == "one" and d[0]["records"][0]["title"] == "h"
          and d[0]["records"][0]["metadata"] == {"text": "not this"}' "named fields"

# ---------------------------------------------------------------- CSV and TSV
{
    printf '\xef\xbb\xbfid,text,title,note\r\n1,"one, ""quoted""",T,\r\n2,"two\nlines",,n\r\n\r\n'
    printf '3,ragged\r\n4,too,many,cells,here\r\n5,"x"y,,\r\n,without id,,\r\n'
    printf '6,last,,"no end'
} >a.csv
run kith index csv.kith a.csv --jsonl
is_status 3 "ragged rows are refused"
out_json 'd[-1]["indexed"] == 3' "the good ones are there"
out_json '[s["source"].rsplit(":", 1)[1] for s in d[-1]["skipped"]]
          == ["6", "7", "8", "10"]' \
    "the others are listed with their lines"
out_json '"2 cells where the header has 4" in d[-1]["skipped"][0]["reason"]' \
    "a short row"
out_json '"closing quote" in d[-1]["skipped"][2]["reason"]' "text behind a quote"
out_json '"never closed" in d[-1]["skipped"][3]["reason"]' \
    "a quote that is never closed"
run kith get csv.kith 1 2 --jsonl
out_json 'd[0]["passages"][0]["text"] == "one, \"quoted\""' "quotes and commas"
out_json 'd[0]["metadata"] == {"note": ""} and d[0]["title"] == "T"' \
    "metadata and title"
out_json 'd[1]["passages"][0]["text"] == "two\nlines" and d[1]["source"]["line"]
          == [3, 4]' \
    "a cell of two lines"
out_json 'open("a.csv", "rb").read()[d[0]["source"]["byte"][0]:d[0]["source"]["byte"][1]]
          == b"1,\"one, \"\"quoted\"\"\",T,\r"' "the bytes of a row, byte order mark counted"
run kith get csv.kith a.csv:9
out_is "a row without an id is SOURCE:LINE" <<<"without id"

printf 'text\ttag\n"quoted" text\t1\nplain\t2\n' >a.tsv
run kith index tsv.kith a.tsv
is_status 0 "TSV"
run kith get tsv.kith a.tsv:2
out_is "quotes mean nothing in TSV" <<<'"quoted" text'
printf 'a,b\n1,2\n' >no_text.csv
run kith index no.kith no_text.csv --jsonl
is_status 3 "a table without a text column is refused"
out_json '"header: no text" in d[-1]["skipped"][0]["reason"]' "and the reason told"
printf 'text,text\n1,2\n' >twice.csv
run kith index no.kith twice.csv
is_status 3 "a table with a column twice is refused"

# ---------------------------------------------------------------- lines
printf '\xef\xbb\xbffirst\r\n\n  \nsecond\0nul\nthird' >some.txt
run kith index lines.kith some.txt --format lines --jsonl
is_status 0 "lines"
out_json 'd[-1]["indexed"] == 3 and d[-1]["skipped"] == []' "blank lines are ignored"
run kith get lines.kith some.txt:1 some.txt:4 some.txt:5 --jsonl
out_json '[r["passages"][0]["text"] for r in d] == ["first", "second\0nul", "third"]' \
    "the lines"
out_json '[r["source"]["byte"] for r in d] == [[3, 8], [14, 24], [25, 30]]' \
    "their bytes"

# ---------------------------------------------------------------- files and folders
mkdir -p notes/deep notes/.git
printf 'The first file.\n\nWith two paragraphs.\n' >notes/a.txt
printf '# Title\n\nText.\n' >notes/deep/b.md
printf 'hidden\n' >notes/.git/c.txt
printf 'hidden\n' >notes/.d.txt
printf 'image' >notes/e.png
: >notes/empty.rst
printf '{"id":"f","text":"from JSONL"}\n' >notes/f.ndjson
ln -s .. notes/deep/up
ln -s ../a.txt notes/deep/link.txt
ln -s nowhere notes/deep/lost.txt
mkfifo notes/pipe.txt
mkdir notes/old.kith
printf 'not read\n' >notes/old.kith/g.txt
run timeout 20 "$KITH_PROGRAM" index files.kith notes --jsonl
is_status 3 "a folder with a link that leads nowhere"
out_json 'd[-1]["indexed"] == 3' "text files and JSONL are read, once each"
out_json '{s["source"][len("'"$work"'/notes/"):]: s["reason"] for s in d[-1]["skipped"]} == {
    "deep/lost.txt": "No such file or directory",
    "deep/up": "symbolic link to a folder: not followed",
    "e.png": "unknown format", "empty.rst": "empty", "old.kith": "a collection",
    "pipe.txt": "not a regular file"}' \
    "everything else is listed, but for what is hidden"
run kith list files.kith
out_is "ids are paths, shown relative to the working folder" <<'END'
notes/a.txt
notes/deep/b.md
f
END
rm notes/deep/lost.txt
run kith index files.kith notes --jsonl
is_status 0 "what is empty or of an unknown format is no failure"
out_json 'd[-1]["indexed"] == 0 and d[-1]["unchanged"] == 3' "nothing changed"
cd notes/deep || exit 1
run kith get ../../files.kith b.md
out_has '^Text\.$' "a path relative to another folder is an id too"
cd "$work" || exit 1
run kith get files.kith "$work/notes/a.txt" --json
out_json 'd[0]["records"][0]["source"]["byte"] == [0, 38]' "the bytes of a file"
run kith index png.kith notes/e.png
is_status 3 "a file of unknown format that was named is refused"
check "no collection is made for it" test ! -e png.kith
run kith index png.kith notes/e.png --format files
is_status 0 "unless the format is told"

# Passages know where in the file they stand.
python3 - <<'END'
with open("long.txt", "w") as f:
    for i in range(60):
        f.write(f"Paragraph {i} says that the river runs to the sea, which is wide.\n\n")
END
run kith index long.kith long.txt --jsonl
out_json 'd[-1]["indexed"] == 1 and d[-1]["truncated"] == 0' "a long file"
run kith get long.kith long.txt --json
out_json 'len(d[0]["records"][0]["passages"]) > 3' "becomes passages"
out_json 'all(open("long.txt", "rb").read()[p["byte"][0]:p["byte"][1]].decode() == p["text"]
          for p in d[0]["records"][0]["passages"])' "each is the bytes that it names"
out_json 'all(p["text"] in "\n".join(open("long.txt").read().split("\n")[p["line"][0] - 1:p["line"][1]])
          for p in d[0]["records"][0]["passages"])' "is in the lines"
out_json 'all(p["text"].count("\n") == p["line"][1] - p["line"][0]
          for p in d[0]["records"][0]["passages"])' "and in no others"
run kith index cut.kith long.txt --long truncate --jsonl
out_json 'd[-1]["indexed"] == 1 and d[-1]["truncated"] == 1' \
    "--long truncate cuts and counts"

# ---------------------------------------------------------------- standard input
run kith index in.kith - <<<'{"id":"a","text":"object"}'
is_status 0 "JSONL on stdin is recognised"
run kith index in.kith - --source log <<<'a line'
is_status 0 "lines on stdin"
run kith list in.kith
out_is "they are called NAME:LINE" <<'END'
a
log:1
END
run kith index in2.kith - <<<'a line'
is_status 2 "lines on stdin need a name"
err_has '--source NAME' "the message says so"
run kith index in3.kith - --format lines <<<'a line'
is_status 2 "and when the format is told"
check "no collection is made then" test ! -e in3.kith
run kith index in3.kith notes/a.txt --source name
is_status 2 "a name for a standard input that is not read"
run kith index in2.kith - <<<'{"text":"no id"}'
is_status 2 "objects without an id as well"
run kith index pipe.kith <(printf '{"id":"p","text":"from a pipe"}\n')
is_status 0 "a pipe of the shell's"
run kith get pipe.kith p
out_is "is read" <<<"from a pipe"
