# README: its commands run, and print what README shows but for numbers; its
# length and width.
# runs: plain

need 'README: its commands run' shop &&
    tally 'README: its commands run' "$PY" tests/program/readme.py README \
        "$BIN" "$SHOP"

# make demo, shortened to a few seconds.
DEMO_PROFILE=4s DEMO_LOAD=2s check 'make demo' 0 make -s demo
has 'make demo ends with a report' "$OUT" '^Verdict'

lines=$(wc -l <README)
[ "$lines" -le 370 ] && same 'README has at most 370 lines' yes yes ||
    fail 'README has at most 370 lines' "$lines"
same 'no line of README is over 80 columns' "$(grep -cE '.{81}' README)" 0
