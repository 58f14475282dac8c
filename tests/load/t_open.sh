# The open loop: what is measured when the server stalls, when it is too slow,
# and when the client is too slow.
# runs: plain (asan)

# stall NAME ARGS...: start tests/load/stall.c; $TO and $PEER
stall() {
    local name=$1
    shift
    make -s .build/stall >"$T/make.log" 2>&1 || {
        fail "$name" "$(tail_of "$T/make.log")"
        return 1
    }
    bg .build/stall "$@"
    PEER=$PID
    wait_for 20 grep -q listening "$T/bg.out" || fail "$name" 'no server' ||
        return
    TO=$(sed -n 's/^listening on //p' "$T/bg.out")
}
stop_stall() { kill "$PEER" && wait "$PEER" 2>/dev/null; }

# A server that takes 200 us per call and stalls for a second: latency of the
# calls due in that second is measured from when they were due.
stalls() {
    stall 'a server that stands still' -s 200 -b 1000 || return
    LIMIT=60 check 'a server that stands still for 1 s of 4' 0 "$BIN" load \
        --rate 1000 -d 4s -c 1 -m 10 -o "$T/stall.json" \
        --log-requests "$T/stall.log" "$TO"
    stop_stall
    tally 'a server that stands still' "$PY" tests/load/result.py stall \
        "$T/stall.log" "$T/stall.json"
    is_limit 'a server that stands still' "$T/stall.json" server
}

# Needs an idle machine: `make soak` sets EXACT.
exact() {
    stall 'two stalls' -s 200 -b 4500 || return
    LIMIT=60 check 'two stalls in 20 s' 0 "$BIN" load --rate 1000 -d 20s -c 1 \
        -m 10 -p 50,91,93,95,97,99,99.5,99.9 -o "$T/exact.json" "$TO"
    stop_stall
    tally 'two stalls' "$PY" tests/load/result.py simulated "$T/exact.json" \
        200 4500
    stall 'ten times too slow' -s 10000 || return
    check 'a queue of 100' 0 "$BIN" load --rate 1000 -d 1s -c 4 \
        --allow-not-sent --max-in-flight 100 -p 50,75,90 -o "$T/exact.json" "$TO"
    stop_stall
    tally 'a queue of 100' "$PY" tests/load/result.py simulated \
        "$T/exact.json" 10000 0 100
}

# is_limit NAME JSON WANT: is the verdict WANT, or one caused by other programs?
is_limit() {
    tally "$1" "$PY" tests/load/result.py verdict "$2" "$3"
}

# A server that takes 10 ms per call where one is due each ms: only the calls
# that fit in flight, and one more for each answer, are sent.
too_slow() {
    stall 'ten times too slow' -s 10000 || return
    LIMIT=60 check 'ten times the rate that the server can serve' 3 "$BIN" \
        load --rate 1000 -d 1s --max-in-flight 100 -c 4 -o "$T/slow.json" "$TO"
    is_limit 'ten times too slow' "$T/slow.json" server
    holds 'ten times too slow: 100 calls wait, and one more for each answer' \
        "$T/slow.json" 'r["counts"]["ok"] == r["counts"]["sent"] and
            100 <= r["counts"]["sent"] <=
            101 + r["window"]["elapsed_ns"] / 10e6'
    holds 'ten times too slow: the others are not sent' "$T/slow.json" \
        'r["counts"]["not_sent"] == 1000 - r["counts"]["sent"] > 0'
    check 'ten times too slow, one connection' 0 "$BIN" load --rate 1000 -d 1s \
        --drain 300ms -o "$T/one.json" "$TO"
    is_limit 'ten times too slow, one connection' "$T/one.json" server
    check 'ten times too slow, and a short drain' 0 "$BIN" load --rate 1000 \
        -d 1s --drain 300ms -c 4 -o "$T/over.json" "$TO"
    holds 'a short drain: what is in flight at its end is cut off' \
        "$T/over.json" 'r["counts"]["planned"] == 1000 and 0 <
            r["counts"]["ok"] <= 2 + (r["window"]["elapsed_ns"] +
            r["drain"]["ns"]) / 10e6 and
            r["counts"]["ok"] + r["counts"]["cut_off"] == 1000'
    check 'a closed loop, a slow server' 0 "$BIN" load -c 20 -d 2s \
        -o "$T/closed.json" "$TO"
    is_limit 'a closed loop, a slow server' "$T/closed.json" server
    stop_stall
}

# Calls still in flight at the end of -d are waited for, up to --drain.
stragglers() {
    stall 'stragglers' -s 1000000 || return
    check 'a call in flight at the end of -d' 0 "$BIN" load -c 1 -d 200ms \
        -o "$T/waits.json" "$TO"
    holds 'a call in flight at the end of -d: its answer counts' \
        "$T/waits.json" 'r["counts"]["ok"] == 1 == r["counts"]["planned"]'
    check 'a call in flight at the end of --drain' 3 "$BIN" load -c 1 -d 200ms \
        --drain 10ms -o "$T/cut.json" "$TO"
    holds 'a call in flight at the end of --drain: it is cut off' "$T/cut.json" \
        '(r["counts"]["ok"], r["counts"]["cut_off"]) == (0, 1)'
    stop_stall
    # The server stalls from 500 ms on: it answers during the drain, which is no
    # part of the run.
    for mode in '-m 5' '-r 2000 -m 5' '-r 2000 -N 2000'; do
        stall "stragglers, $mode" -s 100 -b 500 -l 1500 -e 90000 || return
        # shellcheck disable=SC2086 # options and their values
        check "stragglers, $mode" 0 "$BIN" load -c 1 -d 1s $mode \
            -o "$T/late.json" "$TO"
        holds "stragglers, $mode: the drain is no time of the run" \
            "$T/late.json" 'r["window"]["elapsed_ns"] == 10**9 and
            r["drain"]["ns"] > 0 and r["drain"]["ok"] > 0 and
            r["throughput"]["rps_ok"] == r["counts"]["ok"] - r["drain"]["ok"]'
        holds "stragglers, $mode: CPU and waiting are of the run alone" \
            "$T/late.json" 'all(t["wall_ns"] < 1.4e9
            for t in r["client"]["threads"])'
        stop_stall
    done
}

busy_client() {
    local cpu hogs=()
    need 'a client on a busy CPU' taskset || return
    start_server -w 0 -t 1 || return
    cpu=$(taskset -cp $$ | sed 's/.*[ ,-]//')
    for _ in 1 2 3; do
        taskset -c "$cpu" sh -c 'while :; do :; done' &
        hogs+=($!)
    done
    check 'a client pinned beside busy loops, --strict' 5 "$BIN" load \
        --rate 40000 -d 1s -c 4 --allow-not-sent --cpus "$cpu" --strict -o "$T/busy.json" \
        "127.0.0.1:$PORT"
    kill "${hogs[@]}"
    has 'a client pinned beside busy loops, --strict: said' "$ERR" \
        '--strict: exit status 5, as the run is MACHINE-LIMITED'
    holds 'a client pinned beside busy loops: the machine is the limit' \
        "$T/busy.json" 'r["verdict"]["limit"] == "machine"'
    stop_server 'the server beside it ends with status 0'
}

schedules() {
    start_server -w 100 || return
    check 'steps and a ramp' 0 "$BIN" load --schedule 200:300ms,0-1000:1s \
        -c 3 -o "$T/steps.json" "127.0.0.1:$PORT"
    check 'Poisson arrivals, warm-up, two threads' 0 "$BIN" load -r 2000/s \
        --arrival poisson -w 200ms -d 1s -c 4 -t 2 -o "$T/poisson.json" \
        "127.0.0.1:$PORT"
    check 'a count and a rate' 0 "$BIN" load -r 60000/m -N 300 -c 2 \
        --connections 1 -f json -o "$T/count.json" "127.0.0.1:$PORT"
    "$PY" -c 'import json, sys
for p in sys.argv[1:]:
    c = json.load(open(p))["counts"]
    print(c["planned"], c["ok"], 1600 < c["planned"] < 2400)' \
        "$T/steps.json" "$T/poisson.json" "$T/count.json" >"$OUT"
    has 'a schedule of steps: as many calls as it has' "$OUT" '^560 560 '
    has 'Poisson arrivals: about as many calls as the rate has' "$OUT" '^(1[6-9]|2[0-3])[0-9]* .* True$'
    has 'a count and a rate: as many calls as the count' "$OUT" '^300 300 '
    start=$(($(date +%s) + 2))
    check '--start-at' 0 "$BIN" load -n 5 --start-at $start -f json \
        -o "$T/at.json" "127.0.0.1:$PORT"
    holds '--start-at: not before its time' "$T/at.json" \
        "r['window']['start_unix_ns'] >= $start * 10**9"
    stop_server 'after schedules, ends with status 0'
}

[ -z "$SUFFIX" ] && stalls
too_slow
stragglers
[ -n "$SUFFIX" ] || busy_client
schedules
[ -n "${EXACT:-}" ] && exact
