# What gRPC over HTTP/2 requires of a server, row by row, in frames.
# runs: plain (asan)
# long

# rows MODE SERVE-OPTIONS...: start a server, run one mode of rows.py, stop it
rows() {
    local mode=$1
    shift
    "$BIN" help serve | grep -q -e "${1%%=*}" ||
        { fail "rows of $mode" "serve has no $1"; return; }
    start_server -w 1000 "$@" || return
    LIMIT=120 tally "rows of $mode" "$PY" tests/serve/rows.py "$PORT" "$mode"
    stop_server "after rows of $mode, ends with status 0"
}

if need 'rows' py:hpack && start_server -w 1000; then
    LIMIT=200 tally 'rows' "$PY" tests/serve/rows.py "$PORT"
    stop_server 'ends with status 0'
    rows interop --interop
    rows idle --idle 1s
    rows age --max-age 1s
    rows ping --keepalive 1s
    rows leaving --max-age 1s --keepalive 1s
    rows total --max-buffered 8M -t 2
    # ASan keeps what was freed for a while, up to 256 MiB.
    most=64
    [ "$BIN" = "$ROOT/grpcprof" ] || most=400
    if start_server -w 1000; then
        LIMIT=120 tally 'rows of full' "$PY" tests/serve/rows.py "$PORT" full \
            "$SPID" "$most"
        stop_server 'after rows of full, ends with status 0'
    fi
    if start_server -w 1000 --idle 1s --debug 127.0.0.1:0; then
        LIMIT=120 tally 'rows of reasons' "$PY" tests/serve/rows.py "$PORT" reasons \
            "$(sed -En 's|.*debug endpoint on http:.*:([0-9]+)/.*|\1|p' \
                "$SDIR/serve.err")"
        stop_server 'after rows of reasons, ends with status 0'
    fi
    # A greeting takes about 10 ms here, so that calls queue for long.
    if start_server -w 20000000; then
        LIMIT=120 tally 'rows of queue' "$PY" tests/serve/rows.py "$PORT" queue
        stop_server 'after rows of queue, ends with status 0'
    fi
    if start_server -w 1000 --drain 20s; then
        LIMIT=120 tally 'rows of end' "$PY" tests/serve/rows.py "$PORT" end "$SPID"
        ended "$SPID" 30
        server_ended 'after rows of end, ends with status 0'
    fi
fi
