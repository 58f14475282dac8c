# The samples' label grpc.method: pprof's counts and filters against sums of the
# raw profile.
# runs: plain

HELLO=/helloworld.Greeter/SayHello

# rows FILE NAME: the time below function NAME, and its share, as -top has them
rows() { awk -v name="$2" '$6 == name { print $4, $5 }' "$1"; }

# near NAME SHARE PERCENT: is it the same to the last digit that pprof prints?
near() {
    local apart
    apart=$(awk -v a="$2" -v b="${3%\%}" 'BEGIN {
        d = a * 100 - b
        if (d > 0.0151 || d < -0.0151 || b == "") print d }')
    same "$1" "${apart:-$3}" "$3"
}

tagged() {
    need 'labels' protoc py:google.protobuf pprof || return
    protoc -Iproto --python_out="$T" profile.proto
    SDIR=$T
    start_server --profile 60s || return
    check 'load to be labelled' 0 "$BIN" load -c 10 -n 2500 "127.0.0.1:$PORT"
    stop_server 'a profile with labels is written'

    local told seen both all ns part
    read -r told seen both < <("$PY" tests/profile/prof.py "$T" labelled \
        "$T/profile.pb" "grpc.method=$HELLO" svc_hello svc_work)
    read -r all _ < <("$PY" tests/profile/prof.py "$T" sums "$T/profile.pb")
    if [ "${seen:-0}" -ge 50 ]; then pass 'the handler was seen at work'
    else fail 'the handler was seen at work' "in ${seen:-no} samples"; fi
    same 'every sample in the handler has the label' "$both" "$seen"
    if [ "$told" -lt "$all" ]; then pass 'samples of no call have none'
    else fail 'samples of no call have none' "$told of $all have it"; fi

    check 'pprof -tags' 0 "$PPROF" -symbolize=none -tags \
        -sample_index=samples "$T/profile.pb"
    sed -n '/grpc\.method:/,/^$/p' "$OUT" >"$T/methods"
    has 'pprof counts as many labelled samples' "$T/methods" \
        "^ +$told(\.0)? .*: $HELLO\$"
    same 'and no other method' "$(grep -c ': /' "$T/methods")" 1

    part=$("$PY" tests/profile/prof.py "$T" time "$T/profile.pb" \
        "grpc.method=$HELLO" svc_work)
    check 'pprof -tagfocus' 0 "$PPROF" -symbolize=none -top -nodecount=100000 \
        -nodefraction=0 -unit=nanoseconds -sample_index=cpu \
        -relative_percentages "-tagfocus=grpc.method=$HELLO" "$T/profile.pb"
    read -r ns all < <(rows "$OUT" svc_work)
    near 'the share of svc_work in its method, by pprof' "$part" "$all"
    lacks 'the focus leaves out what is of no call' "$OUT" ' epoll_wait'
    check 'pprof without focus' 0 "$PPROF" -symbolize=none -top \
        -nodecount=100000 -nodefraction=0 -unit=nanoseconds \
        -sample_index=cpu "$T/profile.pb"
    same 'the focus loses nothing of svc_work' \
        "$(rows "$OUT" svc_work | cut -d' ' -f1)" "$ns"
    has 'without it they are there' "$OUT" ' epoll_wait'
}

tagged
