# base: two profiles beside each other: tables, picture, assertions, calls.
# runs: plain asan

tally 'a base' "$PY" tests/report/base.py "$BIN" "$T"
