# re: regular expressions compared with RE2 (make re compares fifty times as
# many), and costly ones.

if need 'expressions as RE2' re2; then
    check 'what answers is built' 0 make -s .build/unit
    PYTHONPATH=$PYTHONPATH:$RE2 tally 'expressions as RE2' "$PY" \
        tests/report/beside_re2.py .build/unit 4000 1
fi
LIMIT=900 tally 'expressions that ask for much' "$PY" tests/report/costly.py \
    "$BIN" "$T"
