# The debug endpoint of serve, used by curl, Go's net/http, pprof and hostile
# clients, while calls are made.
# runs: plain (asan)
# long

# web_server ARGS...: a server with an endpoint; $WEB is its port
web_server() {
    local http=http://127.0.0.1
    start_server "$@" || return
    WEB=$(sed -En "s|.*debug endpoint on $http:([0-9]+)/debug/pprof/$|\1|p" \
        "$SDIR/serve.err")
    [ -n "$WEB" ] && return
    fail 'says where the endpoint is' "$(tail_of "$SDIR/serve.err")"
    stop_server 'ends without an endpoint'
    return 1
}
# web MODE ARGS...: run web.py MODE on the server
web() {
    local mode=$1
    shift
    LIMIT=60 tally "$mode" "$PY" tests/serve/web.py "$WEB" "$T" "$mode" "$@"
}

# at_once NAME CMD...: start CMD, with output to $T/NAME.out; `came NAME` waits
at_once() {
    local name=$1
    shift
    "$@" >"$T/$name.out" 2>"$T/$name.err" </dev/null &
    eval "AT_$name=$!"
    STARTED+=("$!")
}
# came NAME: wait for its end; set status and output as check does
came() {
    local pid=AT_$1
    ended "${!pid}" 60 || ST=124
    cat "$T/$1.out"
    cat "$T/$1.err" >&2
    return "$ST"
}

# waiting_one: is one window open, and no more?
waiting_one() {
    curl -sS "http://127.0.0.1:$WEB/debug/status" | grep -q '"windows":1'
}

# What other programs get from it, all in the same second.
fetched() {
    local url=http://127.0.0.1:$WEB/debug
    need 'fetched by other programs' curl pprof webget xmllint || return
    at_once webget "$WEBGET" "http://127.0.0.1:$WEB"
    at_once pprof env "PPROF_TMPDIR=$T/pprof" "$PPROF" -proto \
        -timeout=60 "-output=$T/fetched.pb" "$url/pprof/profile?seconds=1"
    at_once curl curl -sSf --compressed -o "$T/curled.pb" \
        "$url/pprof/profile?seconds=1"
    at_once flame curl -sSf -D "$T/flame.head" -o "$T/flame.svg" \
        "$url/flamegraph?seconds=1"
    tally 'net/http' came webget
    check 'pprof fetches a profile' 0 came pprof
    check 'curl fetches a profile' 0 came curl
    check 'curl fetches a flame graph' 0 came flame
    check 'pprof shows what it fetched' 0 "$PPROF" -symbolize=none -top \
        -nodecount=1000 "$T/fetched.pb"
    has 'pprof names svc_work in it' "$OUT" ' svc_work'
    check 'report shows what curl fetched' 0 "$BIN" report "$T/curled.pb"
    has 'report names svc_work in it' "$OUT" 'svc_work'
    check 'xmllint reads the flame graph' 0 xmllint --noout --nonet \
        "$T/flame.svg"
    has 'the flame graph names svc_work' "$T/flame.svg" svc_work
    has 'the flame graph has its type' "$T/flame.head" \
        '^Content-Type: image/svg\+xml'
    check 'report fetches a profile' 0 "$BIN" report -f top \
        "$url/pprof/profile?seconds=1"
    has 'report names svc_work in what it fetched' "$OUT" ' svc_work'
    check 'report says what was answered' 1 "$BIN" report "$url/pprof/no"
    one_line 'report says what was answered, in one line' 'HTTP status 404'
    check 'https:// without TLS' 1 "$BIN" report -q "https://127.0.0.1:$WEB/"
    one_line 'https:// without TLS, said' 'without TLS; use http://'
    check 'curl -I' 0 curl -sSfI "$url/pprof/profile"
    check 'curl is refused with a Host of others' 22 curl -sSf \
        -H 'Host: evil.example' "$url/status"
}

# Calls during all these tests: few, each with much work, so that a second has
# samples of svc_work, and the requests get CPU time.
WORK='-w 200000' CALLS='-r 1000'

asked() {
    # shellcheck disable=SC2086 # options
    web_server --debug 127.0.0.1:0 $WORK || return
    at_once first curl -sSf -o "$T/first.pb" \
        "http://127.0.0.1:$WEB/debug/pprof/profile?seconds=1"
    wait_for 10 waiting_one
    check 'calls to be counted' 0 "$BIN" load -c 2 -n 1000 "127.0.0.1:$PORT"
    came first >/dev/null
    web metrics 2000
    # shellcheck disable=SC2086
    at_once load "$BIN" load -c 2 $CALLS -d 300s "127.0.0.1:$PORT"
    at_once slow "$PY" tests/serve/web.py "$WEB" "$T" slow
    fetched
    web http "$SPID" "127.0.0.1:$PORT"
    tally 'slow' came slow
    web crowd "$SPID"
    kill -INT "$AT_load"
    check 'calls beside all that' 130 came load
    has 'none of them failed' "$OUT" ' ok +0 failed '
    at_once late curl -sS "http://127.0.0.1:$WEB/debug/pprof/profile?seconds=30"
    wait_for 10 waiting_one
    stop_server 'ends with status 0, with a window open'
    check 'the window of then is not answered' '52 56' came late
}
# Hundreds of profiles, also while serve itself takes one.  Without addr2line,
# which would take longer than all the rest.
hundreds() {
    printf '#!/bin/sh\nPATH=/var/empty exec "%s" "$@"\n' "$BIN" >"$T/bare"
    chmod +x "$T/bare"
    local BIN=$T/bare
    # shellcheck disable=SC2086
    web_server --debug 127.0.0.1:0 $WORK || return
    # shellcheck disable=SC2086
    at_once load "$BIN" load -c 1 $CALLS -d 4s "127.0.0.1:$PORT"
    web windows 200
    check 'calls beside windows by the hundred' 0 came load
    stop_server 'ends with status 0 after windows by the hundred'

    # shellcheck disable=SC2086
    web_server --debug 127.0.0.1:0 --profile 60s --hz 500 --svg none $WORK ||
        return
    # shellcheck disable=SC2086
    at_once load "$BIN" load -c 1 $CALLS -d 2s "127.0.0.1:$PORT"
    web signals "$SPID" 30
    check 'calls beside SIGUSR1' 0 came load
    stop_server 'ends with status 0 after SIGUSR1'
}

# Where it listens, and where it does not.
addresses() {
    web_server --debug 127.0.0.1:0 || return
    LIMIT=20 check 'an address that is taken is status 1' 1 "$BIN" serve \
        -l 127.0.0.1:0 --debug "127.0.0.1:$WEB"
    one_line 'an address that is taken is named' "127\.0\.0\.1:$WEB"
    stop_server 'the one that has it ends with status 0'

    bg "$BIN" serve -l 127.0.0.1:6060 --debug off   # or the port is in use
    local holder=$PID
    wait_for 10 taken_6060
    if start_server; then
        has 'the default taken is a notice' "$SDIR/serve.err" \
            '127\.0\.0\.1:6060'
        lacks 'port 6060 taken: no endpoint' "$SDIR/serve.err" 'debug endpoint on'
        check 'port 6060 taken: it serves' 0 "$BIN" load -n 10 "127.0.0.1:$PORT"
        stop_server 'without the default it ends with status 0'
    fi
    kill "$holder" 2>/dev/null
    ended "$holder" 20

    if start_server --debug off; then
        lacks 'off says nothing of it' "$SDIR/serve.err" 'debug|6060'
        cat "/proc/$SPID/task"/*/comm >"$T/threads"
        lacks 'off has no thread for it' "$T/threads" debug
        stop_server 'off ends with status 0'
    fi
    if start_server --debug "unix:$T/web.sock"; then
        check 'curl by a Unix socket' 0 curl -sSf --unix-socket "$T/web.sock" \
            http://localhost/healthz
        stop_server 'a Unix socket ends with status 0'
        check 'the Unix socket is removed' 1 test -e "$T/web.sock"
    fi
    LIMIT=20 check 'an address that is none' 2 "$BIN" serve -l 127.0.0.1:0 \
        --debug nonsense:x
}
taken_6060() { (: <>/dev/tcp/127.0.0.1/6060); }

if need 'the debug endpoint' curl protoc py:google.protobuf; then
    SERVE_ALSO=()
    protoc -Iproto --python_out="$T" profile.proto
    asked
    hundreds
    addresses
fi
