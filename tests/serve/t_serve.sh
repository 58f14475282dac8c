# serve, called by other clients.
# runs: plain asan

# Number of descriptors that serve has open.
descriptors() { find "/proc/$SPID/fd" -mindepth 1 | wc -l; }
back_to() { [ "$(descriptors)" -le "$1" ]; }

python_client() {
    need 'python3-grpcio calls' py:grpc || return
    local to=127.0.0.1:$PORT
    tally 'python3-grpcio calls' "$PY" tests/serve/client.py "$to" calls 1000 100
    tally 'python3-grpcio names' "$PY" tests/serve/client.py "$to" names
}

# One request that protoc made, one reply that protoc reads.
against_protoc() {
    need 'protoc reads the reply' protoc py:h2 || return
    echo 'name: "protoc"' |
        protoc -Iproto --encode=helloworld.HelloRequest helloworld.proto \
            >"$T/request"
    check 'a request from protoc' 0 "$PY" tests/serve/raw.py "$PORT" \
        "$T/request" "$T/reply"
    protoc -Iproto --decode=helloworld.HelloReply helloworld.proto \
        <"$T/reply" >"$T/reply.txt" 2>&1
    has 'protoc reads the reply' "$T/reply.txt" \
        '^message: "Hello protoc! \(request #[0-9]+\)"$'
}

malformed() {
    need 'malformed calls' py:h2 || return
    local before
    before=$(descriptors)
    LIMIT=200 tally 'malformed calls' "$PY" tests/serve/raw.py "$PORT"
    if wait_for 15 back_to "$before"; then pass 'no descriptor stays open'
    else fail 'no descriptor stays open' "$before before, $(descriptors) after"
    fi
}

# Silent connections must not delay the others.
silent_ones() {
    local fds=() fd i
    for i in {1..50}; do
        exec {fd}<>"/dev/tcp/127.0.0.1/$PORT" && fds+=("$fd")
    done
    check 'beside 50 silent connections' 0 "$BIN" load -c 2 -n 20 \
        "127.0.0.1:$PORT"
    for fd in "${fds[@]}"; do exec {fd}>&-; done
}

# resident: KiB of the server
resident() { awk '/^Rss:/ { print $2 }' "/proc/$SPID/smaps_rollup"; }

# at_most NAME KIB LIMIT: KIB may have a fraction
at_most() {
    if awk -v a="$2" -v b="$3" 'BEGIN { exit !(a != "" && a <= b) }'
    then pass "$1"; else fail "$1" "${2:-none} KiB, at most $3 wanted"; fi
}

# Memory, as in tests/bench/RESULTS: of an idle connection, of a used one, and
# no growth by calls and connections.
memory() {
    local first=0 i files
    need 'memory' py:hpack || return
    files=$(ulimit -Sn)
    ulimit -Sn "$(ulimit -Hn)"
    start_server -w 0 || return
    at_most 'an idle connection takes at most 15 KiB' \
        "$("$PY" tests/bench/idle.py "$PORT" "$SPID" 900 | cut -d' ' -f1)" 15
    stop_server 'ends after 900 idle connections'
    start_server -w 0 || return
    at_most 'one that has made 300 calls, at most 48' \
        "$("$PY" tests/bench/idle.py "$PORT" "$SPID" 300 300 | cut -d' ' -f1)" \
        48
    for i in {1..10}; do
        "$BIN" load -q -c 100 -n 200 "127.0.0.1:$PORT" >"$OUT" ||
            { fail 'load for the memory check' "round $i"; break; }
        [ "$i" = 1 ] && first=$(resident)
    done
    at_most '200,000 calls leave nothing' $(($(resident) - first)) 512
    for i in {1..10}; do
        "$BIN" load -q -c 100 -n 1 "127.0.0.1:$PORT" >"$OUT" ||
            { fail 'connections for the memory check' "round $i"; break; }
        [ "$i" = 1 ] && first=$(resident)
    done
    at_most '1,000 connections leave nothing' $(($(resident) - first)) 512
    stop_server 'ends after all those calls'
    start_server -w 0 -t 1 || return
    first=$(resident)
    check '3,000 connections' 0 "$BIN" load -q -c 3000 -n 1 "127.0.0.1:$PORT"
    for i in {1..50}; do
        [ $(($(resident) - first)) -gt 20480 ] || break
        sleep 0.1
    done
    at_most 'most of their memory is given back' $(($(resident) - first)) 20480
    stop_server 'ends after 3,000 connections'
    ulimit -Sn "$files"
}

# serve keeps working if it reaches the limit of descriptors.
few_descriptors() {
    local few
    start_server -t 1 || return
    few=$(($(descriptors) + 8))
    if prlimit --pid "$SPID" --nofile=$few 2>/dev/null; then
        local fds=() fd i
        for i in {1..30}; do
            exec {fd}<>"/dev/tcp/127.0.0.1/$PORT" && fds+=("$fd")
        done 2>/dev/null
        sleep 0.3
        for fd in "${fds[@]}"; do exec {fd}>&-; done
        LIMIT=30 check 'after it ran out of descriptors' 0 "$BIN" load -c 1 \
            -n 20 "127.0.0.1:$PORT"
    else
        missing 'after it ran out of descriptors' 'no prlimit here'
    fi
    stop_server 'the server short of descriptors ends with status 0'
}

if start_server -w 1000; then
    has 'says where it listens' "$SDIR/serve.out" '^listening on 127\.0\.0\.1:'
    python_client
    against_protoc
    silent_ones
    malformed
    python_client
    stop_server 'ends with status 0'
    few_descriptors
    [ -z "$SUFFIX" ] && memory          # ASan needs more memory
fi
