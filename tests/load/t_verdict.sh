# The verdict: what limits a run, if client and server have a CPU each, share
# one, or if the server sleeps; and whether load accepts its own advice.
# runs: plain

# cpus: the first and the last CPU that we may use, in $ONE and $TWO.
cpus() {
    local all
    all=$(taskset -cp $$ | sed 's/.*: //')
    ONE=${all%%[,-]*} TWO=${all##*[,-]}
}

# way NAME SERVER-CPU WANT SHARED OPTIONS...: is the verdict WANT, with the
# client on CPU $ONE, the server on SERVER-CPU, and SHARED CPUs in common?
way() {
    local name=$1 want=$3 shared=$4
    SERVER_CPU=$2
    shift 4
    taskset -acp "$SERVER_CPU" "$SPID" >/dev/null 2>&1
    check "$name" '0 3' taskset -c "$ONE" "$BIN" load "$@" -o "$T/way.json" \
        "127.0.0.1:$PORT"
    tally "$name" "$PY" tests/load/result.py verdict "$T/way.json" "$want"
    holds "$name: CPUs and the server's process were counted" "$T/way.json" \
        "r['server']['processes'] == 1 and r['server']['cpu_ns'] > 0 and
        r['server']['shared_cpus'] == $shared and
        r['machine']['cpus_ns'] > r['machine']['idle_ns'] >= 0 and
        all(t['timeslices'] > 0 for t in r['client']['threads'])"
}

four_ways() {
    cpus
    need 'four ways' taskset || return
    [ "$ONE" != "$TWO" ] || { skip 'four ways' 'needs two CPUs'; return; }
    start_server -w 0 -t 1 || return
    # More calls are due than a thread can start.
    way 'the client alone on its CPU' "$TWO" client 0 -r 9000000 -d 1s -c 4
    way 'client and server on one CPU' "$ONE" machine 1 -N 30000 -c 10
    stop_server 'the first server of four ways ends with status 0'
    start_server -w 300000 -t 1 || return
    way 'the server alone on its CPU' "$TWO" server 0 -N 1000 -c 10
    stop_server 'the second server of four ways ends with status 0'
}

# A server that waits 5 ms in each call is the limit, though not by its CPU; the
# same command gives the same verdict again.
stalled() {
    local i
    make -s .build/stall 2>"$ERR" && bg .build/stall -s 5000 &&
        wait_for 20 grep -q listening "$T/bg.out" ||
        fail 'a server that sleeps' "$(tail_of "$ERR")"
    PORT=$(sed -n 's/^listening on .*://p' "$T/bg.out")
    for i in 1 2; do
        check "a server that sleeps, $i" 0 "$BIN" load -N 200 -c 4 \
            -o "$T/sleeps.json" "127.0.0.1:$PORT"
        tally "a server that sleeps, $i" "$PY" tests/load/result.py verdict \
            "$T/sleeps.json" server
        holds "a server that sleeps, $i: what its process used" \
            "$T/sleeps.json" 'r["verdict"]["limit"] != "server" or
            any("calls wait in it" in why for why in r["verdict"]["why"])'
        check "a queue before it, $i" '0 3' "$BIN" load -r 5000 -d 1s \
            --drain 100ms -o "$T/queue.json" "127.0.0.1:$PORT"
        tally "a queue before it, $i" "$PY" tests/load/result.py verdict \
            "$T/queue.json" server
    done
    kill "$PID"
    ended "$PID" 20
}

# follow NAME OPTIONS...: does load accept the options that it advises, added to
# those it had?
follow() {
    local name=$1 said
    shift
    check "$name" '0 3' "$BIN" load "$@" "127.0.0.1:$PORT"
    said=$(sed -n 's/^  try  *//p' "$OUT")
    case $said in
    *'in place of'*) set -- -c 1 ;;
    esac
    said=$(grep -oE -e '(^| )(-[a-z]|--[a-z-]+) [0-9][0-9a-z.]*' <<<"$said" |
        tr '\n' ' ')
    # shellcheck disable=SC2086 # options and their values
    check "$name: its advice, $said" '0 3' "$BIN" load "$@" $said -d 50ms \
        "127.0.0.1:$PORT"
}

advice() {
    start_server -w 100 || return
    follow 'advice on a short run' -n 3
    follow 'advice on a closed loop' -c 2 -d 300ms
    follow 'advice on a rate that is kept' -r 300 -d 500ms
    follow 'advice on a schedule that is kept' --schedule 300:300ms,400:200ms
    follow 'advice on one client with many streams' -m 200 -c 1 -d 300ms
    follow 'advice on shared connections' -m 200 -c 4 --connections 2 -d 300ms
    follow 'advice on a full client' -r 9000000 -d 300ms --drain 100ms \
        --max-in-flight 100
    stop_server 'the server of advice ends with status 0'
}

four_ways
stalled
advice
