# base: comparison of two profiles, or of runs: tables, picture, assertions.
# runs: plain asan

tally 'a base' "$PY" tests/report/base.py "$BIN" "$T"
tally 'runs of both sides' "$PY" tests/report/runs.py "$BIN" "$T"
