# `grpcprof attach`: four kinds of running servers are profiled from outside,
# and are not disturbed.
# runs: plain
# long

judge() { LIMIT=120 tally "$2" "$PY" tests/run/run.py "$@"; }
listens() { grep -q '^listening on ' "$T/$1.lines" || ! kill -0 "$PID"; }

# attached NAME FIRST WHOLE CMD...: start a Greeter, load it, and attach to it.
# Does FIRST match the application's first function, and is the share of
# complete stacks at least WHOLE?
attached() {
    local name=$1 first=$2 whole=$3 file=${1//[^a-z0-9]/-} address load calls
    shift 3
    "$@" >"$T/$file.lines" 2>"$T/$file.err" </dev/null &
    PID=$!
    STARTED+=("$PID")
    wait_for 30 listens "$file"
    address=$(sed -n 's/^listening on //p' "$T/$file.lines" | head -n 1)
    [ -n "$address" ] ||
        { fail "$name: starts" "$(tail_of "$T/$file.err")"; return; }
    timeout 60 "$BIN" load -q -c 4 -d 4s -f json -o "$T/$file.json" \
        "$address" >/dev/null 2>&1 </dev/null &
    load=$!
    STARTED+=("$load")
    wait_for 20 grep -Eq '^calls [1-9]' "$T/$file.lines"
    check "$name: attach" 0 "$BIN" attach -d 2s --hz 500 -o "$T/$file.pb" \
        --svg "$T/$file.svg" "$PID"
    has "$name: the short report" "$ERR" "$file\\.pb"
    wait "$load"
    kill -TERM "$PID"
    ended "$PID" 20
    same "$name: ends as it does alone" "$ST" 0
    same "$name: prints no error" "$(cat "$T/$file.err")" ''
    calls=$(sed -n 's/^calls \([0-9]*\) .*/\1/p' "$T/$file.lines" | tail -n 1)
    judge lines "$name" "$T/$file.lines" "$calls"
    holds "$name: each call was answered" "$T/$file.json" \
        'r["counts"]["failed"] == 0'
    judge cpu "$name" "$BIN" "$T/$file.pb" sampled=0 whole="$whole" \
        ${first:+roots=yes}
    [ -z "$first" ] || judge first "$name" "$BIN" "$T/$file.pb" "$first"
    check "$name: the flame graph" 0 xmllint --noout "$T/$file.svg"
}

refusals() {
    local pid
    check 'no process of that number' 1 "$BIN" attach 99999999
    one_line 'no process of that number: one line' '99999999'
    check 'no number' 2 "$BIN" attach -d 1s
    check 'not a number' 2 "$BIN" attach -d 1s nginx
    bg sleep 60
    pid=$PID
    as_nobody true 2>/dev/null || {
        skip 'another user' 'no right to become nobody'; return; }
    check 'another user'\''s process' 1 as_nobody "$BIN" attach -d 1s \
        -o /dev/null --svg none "$pid"
    one_line 'another user'\''s process: the reason' \
        'not permitted|perf_event_paranoid|CAP_'
    kill "$pid"
}
as_nobody() {
    setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all \
        --bounding-set=-all "$@"
}

# attach ends when the process does, and then writes the profile so far.
ends_early() {
    bg "$ROOT/.build/edge" burn 1
    check 'a process that ends' 0 "$BIN" attach -d 60s -o "$T/early.pb" \
        --svg none "$PID"
    judge cpu 'a process that ends' "$BIN" "$T/early.pb" sampled=0 roots=yes
    judge first 'a process that ends' "$BIN" "$T/early.pb" 'edge_(loop|burn)'
}

# The frames below a JIT's code are found by reading that code.
jit() {
    bg "$ROOT/.build/edge" jit 60
    check 'code of a JIT' 0 "$BIN" attach -d 1s --hz 200 -o "$T/jit.pb" \
        --svg none "$PID"
    kill "$PID"
    judge cpu 'code of a JIT' "$BIN" "$T/jit.pb" sampled=0 roots=yes whole=.95
}

if "$BIN" attach -d 100ms -o "$T/may.pb" --svg none $$ >/dev/null 2>"$T/may"
then
    need 'Go' grpcgo &&
        attached 'Go' 'main\.spin' .95 "$GRPCGO" -work 400000 -sum 1
    need 'grpc C++' grpc_cpp_plugin grpccpp &&
        attached 'grpc C++' 'spin' .95 "$GRPCCPP" -work 400000 -sum 1
    need 'static Rust, musl' tonicmusl &&
        attached 'static Rust, musl' 'spin' 0 "$TONICMUSL" -work 400000 -sum 1
    need 'python3-grpcio' py:grpc &&
        attached 'python3-grpcio' '' .95 "$PY" tests/run/greeter.py 2000
    if make -s .build/edge 2>"$ERR"; then ends_early; jit
    else fail 'edge is built' "$(tail_of "$ERR")"; fi
else
    missing 'attach' "perf may not be used here: $(tail_of "$T/may")"
fi
refusals
