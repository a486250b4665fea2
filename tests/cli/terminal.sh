#!/usr/bin/env bash
# What a terminal shows: progress, colour, harmless bytes.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
use_tiny_model

python3 - <<'END'
import json
with open("r.jsonl", "w") as f:
    f.write(json.dumps({"id": "e\x1b[31mvil", "title": "t\x07",
                        "text": "red \x1b[2J text \u202e over " + "word " * 40,
                        "answer": "a\x1b]0;x\x07b\nc"}) + "\n")
END
kith index -q c.kith r.jsonl
run kith search c.kith red --show answer
out_lacks "$escape" "text for people has no control bytes even in a pipe"
out_has 'e\\x1b\[31mvil' "they are shown as \\x1b"
check "lines fit in 80 columns" test "$(grep -v vil "$out" | wc -L)" -le 80
on_terminal env -u NO_COLOR "$KITH_PROGRAM" search c.kith red --show answer
out_has "$escape\\[1m" "colour on a terminal"
sed -i 's/\x1b\[[01]m//g' "$out"
out_lacks "$escape" "and no other control bytes"
on_terminal env NO_COLOR=1 "$KITH_PROGRAM" search c.kith red --show answer
out_lacks "$escape" "with NO_COLOR, no colour"
for command in "get c.kith e"$'\033'"[31mvil" "list c.kith"; do
    IFS=' ' read -ra words <<<"$command"
    on_terminal "$KITH_PROGRAM" "${words[@]}"
    is_status 0 "${words[0]} on a terminal"
    out_lacks "$escape" "shows control bytes harmlessly"
done
run kith list c.kith
check "list in a pipe gives ids as they are" grep -q $'e\033\[31mvil' "$out"

# A slow source: a line of progress after a second.
slow() {
    for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
        echo "line $i"
        sleep 0.2
    done
}
mkfifo feed
slow >feed &
on_terminal "$KITH_PROGRAM" index p.kith --format lines feed
is_status 0 "index on a terminal"
out_has 'indexing: [0-9]+ records, [0-9]+/s' "shows progress"
slow >feed &
on_terminal "$KITH_PROGRAM" index p2.kith --format lines feed -q
is_status 0 "index -q on a terminal"
check "shows nothing" test ! -s "$out"
slow >feed &
on_terminal env TERM=dumb "$KITH_PROGRAM" index p3.kith --format lines feed
is_status 0 "index on a dumb terminal"
out_has '12 indexed' "tells what it did"
out_lacks 'indexing:' "but shows no progress"
slow >feed &
run kith index p4.kith --format lines feed
is_status 0 "index in a pipe"
err_lacks 'indexing:' "shows no progress"
err_has '12 indexed' "tells what it did"
wait
