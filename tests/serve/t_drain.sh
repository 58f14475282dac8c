# A server that is replaced under load: 100 clients lose no call.  One that gets
# its signal twice, as from timeout(1), does not lose its profile.
# runs: plain (asan)

# again: restart the server on the same port
again() {
    SDIR=$T/$1
    mkdir -p "$SDIR"
    env -C "$SDIR" --default-signal=INT,QUIT,HUP "$BIN" serve \
        -l "127.0.0.1:$PORT" "${SERVE_ALSO[@]}" -w 5000 \
        >"$SDIR/serve.out" 2>"$SDIR/serve.err" </dev/null &
    SPID=$!
    STARTED+=("$SPID")
    wait_for 20 listens_or_died
}

replaced() {
    local load i
    start_server -w 5000 || return
    "$ROOT/grpcprof" load -c 100 -d 4s -f json -o "$T/load.json" \
        "127.0.0.1:$PORT" >"$T/load.out" 2>"$T/load.err" </dev/null &
    load=$!
    STARTED+=("$load")
    for i in 1 2; do
        sleep 1
        stop_server "server $i drains under load"
        again "$i"
    done
    ended "$load" 60
    same 'load ends with status 0' "$ST" 0
    "$PY" - "$T/load.json" >"$OUT" <<'PYTHON'
import json, sys
c = json.load(open(sys.argv[1]))
def find(x, key):
    if isinstance(x, dict):
        if key in x:
            return x[key]
        for v in x.values():
            f = find(v, key)
            if f is not None:
                return f
print('failed', find(c, 'failed'))
print('cut', find(c, 'cut_off'))
print('reconnects', find(c, 'reconnects') >= 200)
print('many', find(c, 'ok') > 1000)
PYTHON
    has 'no call failed' "$OUT" '^failed 0$'
    has 'no call was cut off' "$OUT" '^cut 0$'
    has 'every client came back, twice' "$OUT" '^reconnects True$'
    has 'and went on calling' "$OUT" '^many True$'
    stop_server 'the last server ends with status 0'
}

streaming() { # it has a connection besides its listener
    [ "$(find "/proc/$SPID/fd" -lname 'socket:*' | wc -l)" -ge 2 ]
}

# repeated SECONDS: serve waits 2 s for a stream, and gets SIGTERM twice; its
# status is in $ST
repeated() {
    SDIR=$T/twice
    start_server -w 0 --interop --drain 2s --profile 60s --svg none \
        --debug off || return
    bg "$BIN" load -q --call grpc.testing.TestService/FullDuplexCall -n 1 \
        --data '{"responseParameters":[{"size":1}]}' --stream-for 60s \
        --timeout 60s "127.0.0.1:$PORT"
    wait_for 20 streaming
    nap 0.2
    kill -TERM "$SPID"
    nap "$1"
    kill -TERM "$SPID"
    ended "$SPID" 20
    local status=$ST
    kill "$PID" 2>/dev/null
    ended "$PID" 20
    ST=$status
}

# A machine that is busy may change when the second signal comes, but not five
# times.
signalled_twice() {
    local i
    mkdir -p "$T/twice"
    for i in 1 2 3 4 5; do
        rm -f "$T/twice/profile.pb"
        repeated 0.02
        [ "$ST" = 0 ] && break
    done
    same 'SIGTERM again, at once: status 0' "$ST" 0
    check 'SIGTERM again, at once: the profile' 0 test -s "$T/twice/profile.pb"
    has 'SIGTERM again, at once: the stream was open' "$T/twice/serve.err" \
        ' 1 cut off'
    for i in 1 2 3 4 5; do
        repeated 0.4
        [ "$ST" = 143 ] && break
    done
    same 'a second SIGTERM: status 143' "$ST" 143
}

replaced
signalled_twice
