# The open loop, and the verdict: what is measured when a server stands still,
# when it is too slow, and when the client is.
# runs: plain asan
# alone: it judges what takes time

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

# A server that stands still for a second in every ten.  It takes 200 us a call
# and so is late for a quarter of a second more.
stalls() {
    stall 'a server that stands still' -s 200 -b 4500 || return
    LIMIT=60 check 'at 1000/s, a server that stands still' 0 "$BIN" load \
        --rate 1000 -d 20s -c 1 -m 10 -p 50,91,93,95,97,99,99.5,99.9 \
        -o "$T/stall.json" --log-requests "$T/stall.log" "$TO"
    stop_stall
    tally 'stall' "$PY" tests/load/result.py stall "$T/stall.log" "$T/stall.json" \
        200 4500
    limit 'a server that stands still did not keep up' "$T/stall.json" \
        server client
}

limit_of() {
    "$PY" -c 'import json, sys
print(json.load(open(sys.argv[1]))["verdict"]["limit"])' "$1"
}
# limit NAME JSON WANT...: does the verdict name one of these?
limit() {
    local got
    got=$(limit_of "$2")
    [[ " ${*:3} " == *" $got "* ]] && pass "$1" || fail "$1" "says $got"
}

# It takes 10 ms a call where one is due each ms: what its queue holds and what
# it serves meanwhile are sent, and nothing else.  A machine that has no time for
# the client may make that the limit, but not each time.
too_slow() {
    local i
    stall 'ten times too slow' -s 10000 || return
    for i in 1 2 3; do
        LIMIT=60 check 'ten times the rate that the server can serve' 0 "$BIN" \
            load --rate 1000 -d 1s --max-in-flight 100 -c 4 -p 50,75,90 \
            -o "$T/slow.json" "$TO"
        [ "$(limit_of "$T/slow.json")" = server ] && break
    done
    limit 'the server is the limit' "$T/slow.json" server
    check 'ten times too slow, one connection' 0 "$BIN" load --rate 1000 -d 1s \
        --drain 300ms -o "$T/one.json" "$TO"
    limit 'the server is the limit there too' "$T/one.json" server
    check 'ten times too slow, and soon over' 0 "$BIN" load --rate 1000 -d 1s \
        --drain 300ms -c 4 -o "$T/over.json" "$TO"
    stop_stall
    tally 'ten times too slow' "$PY" tests/load/result.py slow "$T/slow.json" 10000 \
        100
    "$PY" -c 'import json, sys
c = json.load(open(sys.argv[1]))["counts"]
print("planned", c["planned"], "ok", 110 < c["ok"] <= 131,
      "sum", c["ok"] + c["cut_off"])' "$T/over.json" >"$OUT"
    has 'what is not over by then is cut off' "$OUT" \
        '^planned 1000 ok True sum 1000$'
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
    check 'pinned beside busy loops' 5 "$BIN" load --rate 40000 -d 2s -c 4 \
        --cpus "$cpu" --strict -o "$T/busy.json" "127.0.0.1:$PORT"
    kill "${hogs[@]}"
    limit 'the client is the limit' "$T/busy.json" client
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
    has 'as many as the steps have' "$OUT" '^560 560 '
    has 'about as many as the rate has' "$OUT" '^(1[6-9]|2[0-3])[0-9]* .* True$'
    has 'as many as were asked for' "$OUT" '^300 300 '
    start=$(($(date +%s) + 2))
    check '--start-at' 0 "$BIN" load -n 5 --start-at $start -f json \
        -o "$T/at.json" "127.0.0.1:$PORT"
    "$PY" -c 'import json, sys
ns = json.load(open(sys.argv[1]))["window"]["start_unix_ns"] - \
    int(sys.argv[2]) * 10**9
print("late by %d ms" % (ns / 1e6))' "$T/at.json" "$start" >"$OUT"
    has 'begins then' "$OUT" '^late by [0-9]{1,2} ms$'
    stop_server 'after schedules, ends with status 0'
}

[ -z "$SUFFIX" ] && stalls             # once is enough: it takes 20 s
too_slow
busy_client
schedules
