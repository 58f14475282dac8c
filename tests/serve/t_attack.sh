# Known attacks on HTTP/2 and gRPC servers, on serve, while a well-behaved
# client calls it.
# runs: plain asan

# Make calls until told to stop, on connections of its own; failures are logged.
honest_calls() {
    while [ ! -e "$T/over" ]; do
        "$ROOT/grpcprof" load -c 2 -n 50 --timeout 10s "127.0.0.1:$PORT" \
            >>"$T/honest.out" 2>&1 || cp "$T/honest.out" "$T/honest.bad"
        tail -n 40 "$T/honest.out" >"$T/honest.tail"
        mv "$T/honest.tail" "$T/honest.out"
        echo >>"$T/honest.rounds"
        sleep 0.1
    done
}

attacks() {
    local most=64 honest
    # Freed memory stays with ASan for a while.
    [ -n "$SUFFIX" ] && most=0
    honest_calls &
    honest=$!
    STARTED+=("$honest")
    LIMIT=240 tally 'attacks' "$PY" tests/serve/attack.py "$PORT" "$SPID" $most
    touch "$T/over"
    wait "$honest"
    if [ -e "$T/honest.bad" ]; then
        fail 'an honest client sees none of it' "$(tail_of "$T/honest.bad")"
    elif [ -s "$T/honest.rounds" ]; then
        pass 'an honest client sees none of it'
    else
        fail 'an honest client sees none of it' 'it did not call'
    fi
}

if need 'attacks' py:hpack && start_server -w 1000 --interop; then
    attacks
    stop_server 'ends with status 0'
fi
