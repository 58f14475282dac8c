# load, against serve and against servers made for the tests.
# runs: plain (asan)

# Read the result line of $OUT into OK, FAILED, CUT and UNSENT.
counts() {
    local line
    line=$(grep -m1 -E '[0-9] ok .* failed .* cut off .* not sent' "$OUT" |
        tr -d ',')
    OK=$(sed -E 's/.*\b([0-9]+) ok.*/\1/' <<<"$line")
    FAILED=$(sed -E 's/.*\b([0-9]+) failed.*/\1/' <<<"$line")
    CUT=$(sed -E 's/.*\b([0-9]+) cut off.*/\1/' <<<"$line")
    UNSENT=$(sed -E 's/.*\b([0-9]+) not sent.*/\1/' <<<"$line")
    SUM=$((${OK:-0} + ${FAILED:-0} + ${CUT:-0} + ${UNSENT:-0}))
}
# counted NAME OK FAILED CUT UNSENT
counted() {
    counts
    same "$1" "$OK $FAILED $CUT $UNSENT" "$2 $3 $4 $5"
}
# identity NAME PLANNED: nothing is forgotten, nothing counted twice
identity() {
    counts
    same "$1, planned = ok + failed + cut off + not sent" "$SUM" "$2"
}

# other_server NAME SCRIPT ARGS...: start a server in Python; $PORT and $PEER
other_server() {
    local name=$1
    shift
    : >"$T/peer.out"
    GRPC_VERBOSITY=NONE "$PY" "$@" >"$T/peer.out" 2>"$T/peer.err" </dev/null &
    PEER=$!
    STARTED+=("$PEER")
    wait_for 20 grep -q '^listening on ' "$T/peer.out" || {
        fail "$name" "no server: $(tail_of "$T/peer.err")"
        return 1
    }
    PORT=$(sed -n 's/^listening on .*://p' "$T/peer.out")
}
stop_other() {
    kill -TERM "$PEER" 2>/dev/null
    ended "$PEER" 20
}

# The literal job, and what the server itself counted.
five_thousand() {
    start_server || return
    check '100 clients, 50 requests each' 0 "$BIN" load -c 100 -n 50 \
        "127.0.0.1:$PORT"
    has 'says the product' "$OUT" '100 clients x 50 calls each = 5,000 calls'
    counted '5,000 ok' 5000 0 0 0
    has 'status OK 5,000' "$OUT" 'OK +5,000'
    has 'latency of all' "$OUT" '^  p99 +[0-9.]+ [mu]s$'
    lacks 'no progress where nobody looks' "$ERR" $'\r|\e'
    if need 'the server counted 5,000' py:grpc; then
        same 'the server counted 5,000' "$("$PY" tests/serve/client.py \
            "127.0.0.1:$PORT" once x)" 'Hello x! (request #5001)'
    fi
    check '1 client, 1 request' 0 "$BIN" load -c 1 -n 1 "127.0.0.1:$PORT"
    counted '1 ok' 1 0 0 0
    check 'more clients than descriptors' 1 bash -c "ulimit -n 64
        exec '$BIN' load -q -c 200 -n 1 127.0.0.1:$PORT"
    one_line 'too few descriptors, one line' \
        'descriptors|files|ulimit'
    check 'results into a full disk' 1 sh -c \
        "'$BIN' load -c 1 -n 1 127.0.0.1:$PORT >/dev/full"
    stop_server 'serve ends with status 0'
}

every_tenth() {
    need 'every tenth fails' py:grpc || return
    other_server 'every tenth fails' tests/load/badserver.py 10 || return
    local to=127.0.0.1:$PORT
    check 'every tenth fails' 3 "$BIN" load -c 10 -n 100 "$to"
    counted '900 ok, 100 failed' 900 100 0 0
    has 'status INTERNAL 100' "$OUT" 'INTERNAL +100\b'
    check '--max-errors 100' 0 "$BIN" load -c 10 -n 100 --max-errors 100 "$to"
    check '--max-errors 99' 3 "$BIN" load -c 10 -n 100 --max-errors 99 "$to"
    check '--max-errors 10%' 0 "$BIN" load -c 10 -n 100 --max-errors 10% "$to"
    check '--max-errors 9%' 3 "$BIN" load -c 10 -n 100 --max-errors=9% "$to"
    stop_other
    has 'the other server counted the same' "$T/peer.out" \
        '^5000 calls, 500 refused$'
}

python_server() {
    need 'a python3-grpcio server' py:grpc || return
    other_server 'a python3-grpcio server' tests/load/badserver.py 0 || return
    check 'a python3-grpcio server' 0 "$BIN" load -c 20 -n 50 \
        "127.0.0.1:$PORT"
    counted 'a python3-grpcio server, 1,000 ok' 1000 0 0 0
    stop_other
    has 'it counted 1,000' "$T/peer.out" '^1000 calls'
}

# What load prints of a server that violates HTTP/2; t_peers.sh has all cases.
broken_server() {
    need 'a server that breaks HTTP/2' py:hpack || return
    other_server 'a server that breaks HTTP/2' tests/load/peers.py serve \
        'bytes that are no frame' || return
    LIMIT=40 check 'a server that breaks HTTP/2' 3 "$BIN" load -c 2 -m 2 -n 3 \
        "127.0.0.1:$PORT"
    counted 'a server that breaks HTTP/2, 6 failed' 0 6 0 0
    has 'a server that breaks HTTP/2, the text names the kind of error' "$OUT" \
        '^ +6 .* UNAVAILABLE \(connection lost\): the server violated'
    kill -KILL "$PEER"
    wait "$PEER" 2>/dev/null
}

# serve and load on the name localhost.
by_name() {
    start_server -l localhost:0 || return
    check 'serve and load by the name localhost' 0 "$BIN" load -c 2 -n 5 \
        "localhost:$PORT"
    counted 'serve and load by the name localhost, 10 ok' 10 0 0 0
    stop_server 'serve on localhost ends with status 0'
}

# A port that was free a moment ago.
free_port() {
    "$PY" -c 'import socket; s = socket.create_server(("127.0.0.1", 0))
print(s.getsockname()[1])'
}

refused() {
    local port
    port=$(free_port) || { missing 'refused' "no $PY here"; return; }
    LIMIT=30 check 'nobody listens' 1 "$BIN" load -c 3 -n 5 "127.0.0.1:$port"
    one_line 'nobody listens, one line' "127.0.0.1:$port.*refused"
    LIMIT=30 check 'no such host' 1 "$BIN" load -c 1 -n 1 nowhere.invalid:1
    one_line 'no such host, one line' 'nowhere\.invalid'
}

# server_dies: kill the server, and wait for the end of the load
server_dies() {
    kill -KILL "$SPID"
    wait "$SPID" 2>/dev/null
    ended "$PID" 40
}

# served TICKS: has the server used so much CPU time?  Then the run has begun.
served() { [ "$(awk '{ print $14 + $15 }' "/proc/$SPID/stat")" -ge "$1" ]; }

# Print how many sockets the server has.
server_sockets() { find "/proc/$SPID/fd" -lname 'socket:*' | wc -l; }

# linked N: the server has at least N sockets
linked() { [ "$(server_sockets)" -ge "$1" ]; }

# during NAME: start a load that would take an hour, and wait until it runs
during() {
    start_server -w 200000 || return
    bg "$BIN" load -c 4 -n 1000000 "127.0.0.1:$PORT"
    wait_for 20 served 20 || fail "$1" "load does nothing: $(tail_of "$T/bg.err")"
}
# over NAME SECONDS STATUS: does load end within SECONDS, with one of the codes
# in STATUS?  Its output is in $OUT and $ERR.
over() {
    ended "$PID" "$2"
    cp "$T/bg.out" "$OUT"
    cp "$T/bg.err" "$ERR"
    if [[ " $3 " == *" $ST "* ]]; then pass "$1"
    else fail "$1" "status $ST, want $3: $(tail_of "$ERR")"; fi
}

interrupted() {
    during 'SIGINT in the run' || return
    kill -INT "$PID"
    over 'SIGINT in the run' 40 130
    has 'SIGINT, the plan' "$OUT" '4 clients x 1,000,000 calls each = 4,000,000'
    identity 'SIGINT' 4000000
    if [ "${OK:-0}" -gt 0 ] && [ "${UNSENT:-0}" -gt 0 ]; then
        pass 'SIGINT, some ok and some not sent'
    else fail 'SIGINT, some ok and some not sent' "$OK and $UNSENT"; fi
    stop_server 'serve lives on after SIGINT of load'
    during 'SIGTERM in the run' || return
    kill -TERM "$PID"
    over 'SIGTERM in the run' 40 143
    identity 'SIGTERM' 4000000
    stop_server 'serve lives on after SIGTERM of load'
}

# A server that goes away must end the run, not hang it.
server_ends() {
    during 'the server ends in the run' || return
    stop_server 'serve ends under load with status 0'
    over 'the server ends in the run' 60 '1 3'
    identity 'the server ends' 4000000
    during 'the server is killed in the run' || return
    kill -KILL "$SPID"
    wait "$SPID" 2>/dev/null
    over 'the server is killed in the run' 60 '1 3'
    identity 'the server is killed' 4000000
    # Time without answers counts as time of the run.
    start_server || return
    bg "$BIN" load -q -c 2 -d 2s -o "$T/died.json" "127.0.0.1:$PORT"
    wait_for 20 served 5
    server_dies
    same 'the server is killed before the end: status 3' "$ST" 3
    holds 'the server is killed before the end: it is the limit' \
        "$T/died.json" 'r["verdict"]["limit"] == "server"'
    holds 'the run lasts its 2 s, with or without answers' "$T/died.json" \
        'r["window"]["elapsed_ns"] >= 2e9'
    has 'the time without a connection is printed' "$T/died.json" \
        'there was no connection [0-9]+% of the time: 2 lost'
    # Calls of an open loop that still wait at the end lost the server, too.
    start_server || return
    local open
    open=$(server_sockets)
    bg "$BIN" load -q -c 2 -r 50 -d 4s --drain 300ms --max-errors 100% \
        -o "$T/open.json" "127.0.0.1:$PORT"
    wait_for 20 linked $((open + 2))
    nap 0.3
    server_dies
    same 'the server is killed in an open loop: status 3' "$ST" 3
    holds 'the server is killed in an open loop: the clients lost it' \
        "$T/open.json" 'r["client"]["gave_up"] == 2 and
        r["connect"]["down_ns"] > 1e9'
    # A run that gave up lasted until then, not for all of its -d.
    start_server || return
    bg "$BIN" load -q -c 2 -n 100000000 -d 60s --connect-timeout 300ms \
        -o "$T/early.json" "127.0.0.1:$PORT"
    wait_for 20 served 5
    server_dies
    same 'no client can connect again: status 3' "$ST" 3
    has 'no client can connect again, on stderr, even with -q' "$T/bg.err" \
        'exit status 3, as 2 clients lost the connection and could not rec'
    has 'no client can connect again, said' "$T/early.json" \
        'the server ended, or takes no more connections'
    holds 'no client can connect again: the run ends before its 60 s' \
        "$T/early.json" '0 < r["window"]["elapsed_ns"] < 60e9'
    start_server || return
    bg "$BIN" load -q -c 2 -n 100000000 --connect-timeout 300ms \
        -o "$T/count.json" "127.0.0.1:$PORT"
    wait_for 20 served 5
    stop_server 'serve ends in a run of 100,000,000 calls'
    ended "$PID" 40
    same 'no client can connect again in a run of a count: status 3' "$ST" 3
    has 'the time without a connection is less than the run' "$T/count.json" \
        'there was no connection [0-9]{1,2}% of the time'
    # Calls due when no client is left are not sent, and not waited for.
    start_server || return
    bg "$BIN" load -q -r 200 -d 5s --no-reconnect -o "$T/open.json" \
        "127.0.0.1:$PORT"
    wait_for 20 served 3
    server_dies
    same 'an open loop without a connection: status 3' "$ST" 3
    holds 'an open loop without a connection: the rest is not sent' \
        "$T/open.json" 'r["counts"]["planned"] == 1000 and
            r["counts"]["not_sent"] > 0'
}

# Start a server that sends SETTINGS, which allow STREAMS streams, then nothing.
mute() { # STREAMS
    bg "$PY" -c 'import socket, struct, sys, threading
s = socket.create_server(("127.0.0.1", 0))
print(s.getsockname()[1], flush=True)
def talk(c):
    c.sendall(b"\0\0\6\4\0\0\0\0\0\0\3" + struct.pack(">I", int(sys.argv[1])))
    while c.recv(65536):
        pass
while True:
    threading.Thread(target=talk, args=(s.accept()[0],), daemon=True).start()
' "$1"
    PEER=$PID
    wait_for 10 grep -q . "$T/bg.out" && PORT=$(cat "$T/bg.out")
}

# If the server never answers, the run ends all the same, and accounts for each
# call.
no_answers() {
    mute 0 || { fail 'a mute server starts' ''; return; }
    LIMIT=30 check 'no stream allowed' 3 "$BIN" load -n 3 --timeout 300ms \
        "127.0.0.1:$PORT"
    counted 'no stream allowed, each call has its deadline' 0 3 0 0
    kill "$PEER"
    ended "$PEER" 5
    mute 100 || { fail 'a mute server of 100 streams starts' ''; return; }
    LIMIT=30 check 'nothing answered, in the warm-up neither' 3 "$BIN" load \
        -w 300ms -d 500ms --timeout 5s --drain 100ms "127.0.0.1:$PORT"
    local peer=$PEER
    bg "$BIN" load -q -c 2 -d 500ms --timeout 20s "127.0.0.1:$PORT"
    nap 1.5                             # the 500 ms are over: it drains
    kill -INT "$PID"
    ended "$PID" 10
    same 'SIGINT ends the drain' "$ST" 130
    same 'SIGINT ends the drain, nothing is said with -q' "$(<"$T/bg.err")" ''
    has 'SIGINT ends the drain, the rest is cut off' "$T/bg.out" ' 2 cut off'
    lacks 'SIGINT ends the drain, the time was spent' "$T/bg.out" 'elapsed +0 ns'
    bg "$BIN" load -c 2 -d 500ms --timeout 20s "127.0.0.1:$PORT"
    nap 1.5
    kill -INT "$PID"
    ended "$PID" 10
    has 'SIGINT, what it waits for' "$T/bg.err" \
        'waiting up to 1.00 s for 2 calls in flight; a second signal ends'
    again
    kill "$peer"
    ended "$peer" 5
}

# twice SECONDS: load has calls in flight, and gets SIGINT twice
twice() {
    bg "$BIN" load -q -c 2 -n 1 "127.0.0.1:$PORT"
    nap 1
    kill -INT "$PID"
    nap "$1"
    kill -INT "$PID" 2>/dev/null
    ended "$PID" 10
}

# As timeout(1) does, send a signal again: only one that comes later counts.  A
# machine that is busy may change when it comes, but not five times.
again() {
    local i
    for i in 1 2 3 4 5; do
        twice 0.02
        grep -q ' 2 cut off' "$T/bg.out" && break
    done
    has 'SIGINT again, at once' "$T/bg.out" ' 2 cut off'
    same 'SIGINT again, at once: status 130' "$ST" 130
    for i in 1 2 3 4 5; do
        twice 0.4
        grep -q 'cut off' "$T/bg.out" || break
    done
    same 'a second SIGINT: status 130' "$ST" 130
    lacks 'a second SIGINT: no result' "$T/bg.out" 'cut off'
}

# sockets NAME: number of sockets in the descriptor tables of $PID's threads
# called NAME
sockets() {
    local task
    task=$(grep -lsx "$1" "/proc/$PID/task/"*/comm) &&
        find "${task%comm}fd" -lname 'socket:*' 2>/dev/null | wc -l
}
# the sockets of load's two workers, and of its main thread
tables() {
    echo "$(sockets load-0) $(sockets load-1) $(sockets "$(<"/proc/$PID/comm")")"
}
connected() { [[ $(tables) = '2 2 '* || $(tables) = *' 4' ]]; }
# true once load used a tenth of a second in the kernel: it makes calls
calling() { [ "$(cut -d' ' -f15 "/proc/$PID/stat")" -ge 10 ]; }
# Each worker has a descriptor table of its own.
own_files() {
    "$PY" -c 'import ctypes, sys; sys.exit(ctypes.CDLL(None).unshare(0x400))' ||
        { skip 'descriptors of a thread' 'no unshare() here'; return; }
    start_server || return
    bg "$BIN" load -q -t 2 -c 4 -d 60s "127.0.0.1:$PORT"
    wait_for 20 connected
    same 'descriptors of a thread' "$(tables)" '2 2 0'
    wait_for 20 calling
    kill -INT "$PID"
    ended "$PID" 20
    same 'descriptors of a thread, SIGINT' "$ST" 130
    has 'descriptors of a thread, all well' "$T/bg.out" \
        'done +[1-9][0-9,]* ok +0 failed +0 cut off'
    stop_server 'descriptors of a thread, the server ends'
}

five_thousand
own_files
every_tenth
python_server
broken_server
by_name
refused
interrupted
server_ends
no_answers
