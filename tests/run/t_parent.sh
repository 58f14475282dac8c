# parent: the threads of `grpcprof run` and `attach` themselves, under TSan,
# while processes come and go, and profiles are taken from the endpoint.
# runs: plain

EDGE=$ROOT/.build/edge

parents() {
    local mode engine url i
    if ! make -s .build/grpcprof-tsan "$EDGE" 2>"$ERR"; then
        missing 'builds under TSan' "$(tail_of "$ERR")"
        return
    fi
    BIN=$ROOT/.build/grpcprof-tsan
    export TSAN_OPTIONS=exitcode=66
    for engine in thread perf; do
        for mode in 'fork 0.3' 'threads 300' 'execchain 10' 'forkexec 200'; do
            # shellcheck disable=SC2086 # MODE and its figure
            check "no race: $mode, --timer $engine" "$(status_alone $mode)" \
                "$BIN" run -q --timer "$engine" -o "$T/race.pb" --svg none -- \
                "$EDGE" $mode
        done
    done
    bg "$BIN" run --debug 127.0.0.1:0 -- "$EDGE" forkstorm 1500
    wait_for 20 grep -q 'endpoint on' "$T/bg.err"
    url=$(sed -n 's|.*endpoint on \(http://[^/]*\)/.*|\1|p' "$T/bg.err")
    for i in 1 2 3; do
        curl -sS -o "$T/window.$i" "$url/debug/pprof/profile?seconds=1" &
        curl -sS -o /dev/null "$url/metrics" &
    done
    wait "$PID"
    same 'no race with windows of the endpoint: the status' "$?" 0
    bg "$BIN" run --debug 127.0.0.1:0 -- "$EDGE" burn 1
    wait_for 20 grep -q 'endpoint on' "$T/bg.err"
    url=$(sed -n 's|.*endpoint on \(http://[^/]*\)/.*|\1|p' "$T/bg.err")
    check 'a window that the program does not outlive is answered' 0 curl -sS \
        -o "$T/cut.pb" "$url/debug/pprof/profile?seconds=100"
    wait "$PID"
    check 'and has what was recorded' 0 "$BIN" report -q --assert \
        'samples>=50' "$T/cut.pb"
    bg "$EDGE" burn 30
    check 'no race: attach' 0 "$BIN" attach -q -d 1s -o "$T/race.pb" \
        --svg none "$PID"
    kill "$PID"
    wait
}

# Print the status of a mode of edge.c alone.
status_alone() {
    "$EDGE" "$@" >/dev/null 2>&1
    echo $?
}

parents
unset TSAN_OPTIONS
