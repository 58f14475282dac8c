# names: the category of each stack in a table, by language.

if need 'names' protoc; then
    tally 'names' "$PY" tests/report/names.py "$BIN" tests/report/names.txt \
        "$T/names"
fi
