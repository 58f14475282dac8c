# load's counts are exactly those of a server that records each call, through
# resets, refusals, GOAWAY, lost connections and restarts; percentiles, too.
# runs: plain
# COUNTS is the length of the run; `make soak` sets it, as in COUNTS='-d 60s'.

make -s .build/record 2>"$ERR" && bg .build/record -m 5 &&
    wait_for 20 grep -q listening "$T/bg.out" ||
    fail 'a server that records' "$(tail_of "$ERR")"
# shellcheck disable=SC2086 # an option and its value
LIMIT=120 check 'a run of calls that end in all ways' 3 "$BIN" load -q -c 4 \
    -m 5 ${COUNTS:--N 12000} --log-requests "$T/calls.log" -o "$T/calls.json" \
    "$(sed -n 's/^listening on //p' "$T/bg.out")"
kill "$PID"
ended "$PID" 20
tally 'what a server recorded' "$PY" tests/load/result.py recorded \
    "$T/calls.json" "$T/calls.log" "$T/bg.out"
