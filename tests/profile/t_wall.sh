# The labels of samples as other programs read them: the method that runs, and
# whether the thread waits.
# runs: plain

# above NAME SHARE LEAST
above() {
    if "$PY" -c "exit(not $2 >= $3)" 2>/dev/null; then pass "$1"
    else fail "$1" "$2, want at least $3"; fi
}
share() { "$PY" tests/profile/prof.py "$T" time "$@" 2>"$ERR"; }
json() { "$PY" -c "import json, sys
r = json.load(open(sys.argv[1]))
print($1)" "$2"; }

# a_window DIR SECONDS SERVE_ARGS...: serve --profile, under load throughout if
# LOADED is set
a_window() {
    SDIR=$T/$1
    local seconds=$2
    shift 2
    mkdir -p "$SDIR"
    start_server --profile "${seconds}s" --exit --svg none "$@" || return
    if [ -n "$LOADED" ]; then           # the server may end before load
        check 'load in the window' '0 3' "$BIN" load -c 20 \
            -d $((seconds + 1))s --max-errors 100% "127.0.0.1:$PORT"
        has 'load in the window, was answered' "$OUT" '^  done +[1-9][0-9,]+ ok'
    fi
    ended "$SPID" $((seconds + 30))
    server_ended 'writes the profile'
    FILE=$SDIR/profile.pb
    check 'report -f json' 0 "$BIN" report -f json "$FILE"
    cp "$OUT" "$SDIR/report.json"
    check 'report' 0 "$BIN" report "$FILE"
}

METHOD=/helloworld.Greeter/SayHello
methods() {
    local whole part
    SDIR=$T/methods
    mkdir -p "$SDIR"
    start_server --profile 60s --svg none || return
    check 'load for the labels' 0 "$BIN" load -c 10 -d 2s "127.0.0.1:$PORT"
    stop_server 'serve ends'
    FILE=$SDIR/profile.pb
    same 'every sample of SayHello has grpc.method' \
        "$(share "$FILE" svc_hello '' grpc.method=$METHOD)" 1.0000
    whole=$(share "$FILE" grpc.method=$METHOD svc_work)
    above 'most of SayHello is its work' "$whole" 0.5
    need 'pprof shows grpc.method' pprof || return
    check 'pprof -tags' 0 "$PPROF" -tags "$FILE"
    has 'pprof shows grpc.method' "$OUT" '^ *grpc\.method: Total '
    has 'pprof -tags, all of it is SayHello' "$OUT" "100%\): *$METHOD"
    check 'pprof -tagfocus' 0 "$PPROF" -top -cum -nodefraction=0 -unit=ns \
        -tagfocus="grpc.method=$METHOD" "$FILE"
    part=$(awk '/^Showing nodes/ { sub(/ns.*/, "", $5); all = $5 }
        $NF == "svc_work" { sub(/ns/, "", $4); printf "%.4f", $4 / all }' \
        "$OUT")
    above 'pprof -tagfocus gives the share of the work' \
        "1 - abs($whole - ${part:-9})" 0.999
}

# Nobody calls: the loops wait in epoll_wait, and the report says so.
idle() {
    LOADED='' a_window idle 3 --clock wall || return
    above 'idle, loops wait in epoll_wait' \
        "$(share "$FILE" net_loop_run epoll_wait state=waiting)" 0.95
    has 'idle, the report says so' "$OUT" 'process was waiting: (9[0-9]|100)\.'
    has 'idle, it says where' "$OUT" 'Waits in +epoll_wait'
    has 'idle, CPU time stands beside it' "$OUT" 's of CPU in .* of one core'
    same 'idle, the verdict' \
        "$(json 'r["verdict"]["kind"]' "$SDIR/report.json")" waiting
    need 'idle, pprof knows the states' pprof || return
    check 'pprof -tags, wall' 0 "$PPROF" -tags "$FILE"
    has 'idle, pprof knows the states' "$OUT" '\( *(9[0-9.]+|100)%\): waiting'
}

# All CPUs busy: the same loops run.
saturated() {
    LOADED=yes a_window busy 3 --clock wall -w 1000000 || return
    above 'saturated, loops run' \
        "$(share "$FILE" net_loop_run '' state=running)" 0.8
    above 'saturated, most of it is the work' \
        "$(share "$FILE" net_loop_run svc_work state=running)" 0.4
    has 'saturated, the report says so' "$OUT" 'Running: [1-9][0-9]* of '
    lacks 'saturated, and not that it waited' "$OUT" 'process was waiting'
    same 'saturated, the verdict' \
        "$(json 'r["verdict"]["kind"]' "$SDIR/report.json")" mixed
}

if need 'labels' protoc py:google.protobuf; then
    protoc -Iproto --python_out="$T" profile.proto
    methods
    idle
    saturated
fi
