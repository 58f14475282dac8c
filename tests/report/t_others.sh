# others: profiles as other languages' profilers write them.

tally 'profiles of others' "$PY" tests/report/others.py "$BIN" "$T"
