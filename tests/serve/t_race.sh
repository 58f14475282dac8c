# Threads, under TSan: calls that other loops run, profiles by the profiler and
# by the endpoint, streams, clients that disconnect, a drain.
# runs: plain

# http PATH: get PATH from the debug endpoint
http() { curl -sS -o /dev/null "http://127.0.0.1:$WEB/$1"; }

races() {
    local load i one
    if ! make -s .build/grpcprof-tsan 2>"$ERR"; then
        missing 'builds under TSan' "$(tail_of "$ERR")"
        return
    fi
    BIN=$ROOT/.build/grpcprof-tsan
    export TSAN_OPTIONS=exitcode=66
    SERVE_ALSO=(--debug 127.0.0.1:0)
    start_server -t 3 -w 20000 --interop --profile 60s --svg none || return
    WEB=$(sed -En 's|.*endpoint on http://127.0.0.1:([0-9]+)/.*|\1|p' \
        "$SDIR/serve.err")
    one=()
    for i in 1 2 3; do
        "$ROOT/grpcprof" load -c "$i" -m 100 -n 1500 "127.0.0.1:$PORT" \
            >"$T/load$i" 2>&1 &
        one+=("$!")
    done
    STARTED+=("${one[@]}")
    # Deadlines that pass while other loops run calls; clients that disconnect.
    "$ROOT/grpcprof" load -c 2 -m 50 -n 300 --timeout 2ms --max-errors 100% \
        "127.0.0.1:$PORT" >/dev/null 2>&1
    (timeout -s KILL 0.5 "$ROOT/grpcprof" load -c 4 -m 50 -n 100000 \
        "127.0.0.1:$PORT" >/dev/null 2>&1) 2>/dev/null
    for i in 1 2; do http 'debug/pprof/profile?seconds=1' & done
    for i in 1 2 3; do
        http metrics
        http debug/status
    done
    wait "${one[@]}"
    same 'calls that others ran are all answered' \
        "$(grep -h ' ok  *0 failed  *0 cut off' "$T"/load[123] | wc -l)" 3
    check 'load has no race, with a profile' 0 "$BIN" load -t 2 -c 6 -d 1s \
        --profile="127.0.0.1:$WEB" --profile-out "$T/race.pb" "127.0.0.1:$PORT"
    check 'nor an open loop' 0 "$BIN" load -t 2 -c 6 -r 1000 -d 1s \
        --interval 100ms "127.0.0.1:$PORT"
    "$ROOT/grpcprof" load -c 3 -m 100 -d 3s "127.0.0.1:$PORT" \
        >"$T/load" 2>&1 &
    load=$!
    STARTED+=("$load")
    sleep 1
    stop_server 'no race, and it ends with status 0'
    kill "$load" 2>/dev/null
    wait "$load"
}

races
unset TSAN_OPTIONS
