# What load and serve take as an address: forms, names with several addresses,
# several targets.
# runs: plain asan

# Serve on a socket without a file; grpcio is the client, then load.
abstract() {
    local name="grpcprof-test-$BASHPID"
    start_server -l "unix-abstract:$name" --debug "unix-abstract:$name-debug" ||
        return
    has 'serve says its abstract socket' "$SDIR/serve.out" \
        "^listening on unix-abstract:$name\$"
    check 'load of an abstract socket' 0 "$BIN" load -c 2 -n 5 --profile \
        --profile-out "$T/abstract.pb" "--profile=unix-abstract:$name-debug" \
        "unix-abstract:$name"
    check 'debug endpoint on an abstract socket' 0 curl -sS \
        --abstract-unix-socket "$name-debug" http://localhost/debug/status
    has 'debug endpoint on an abstract socket, listens' "$OUT" \
        "\"unix-abstract:$name\""
    check 'an abstract socket is taken' 1 "$BIN" serve -l "unix-abstract:$name"
    one_line 'an abstract socket is taken' 'choose another name with -l$'
    stop_server 'serve on an abstract socket ends with status 0'
}

# A name with an IPv4 and an IPv6 address, in /etc/hosts of a mount namespace.
both_families() {
    local own port
    own=(unshare -rm sh -c
        "mount --bind '$T/hosts' /etc/hosts && exec \"\$@\"" -)
    printf '127.0.0.1 localhost\n::1 both\n127.0.0.1 both\n' >"$T/hosts"
    if ! "${own[@]}" true 2>/dev/null; then
        skip 'a name of both families' 'no mount namespace'
        return
    fi
    bg "${own[@]}" "$BIN" serve -l both:0 --debug both:0
    wait_for 20 grep -q 'debug endpoint' "$T/bg.err"
    port=$(sed -n 's/^listening on .*:\([0-9]*\)$/\1/p' "$T/bg.out" | sort -u)
    same 'serve by a name listens on all of its addresses' \
        "$(sed "s/:$port\$//" "$T/bg.out" | sort | tr '\n' ' ')" \
        'listening on 127.0.0.1 listening on [::1] '
    check 'load by IPv4 of a name' 0 "$BIN" load -q -n 1 "127.0.0.1:$port"
    check 'load by IPv6 of a name' 0 "$BIN" load -q -n 1 "[::1]:$port"
    port=$(sed -n 's/.*endpoint on .*:\([0-9]*\)\/.*/\1/p' "$T/bg.err")
    check 'debug endpoint by IPv4 of a name' 0 curl -fsS \
        "http://127.0.0.1:$port/healthz"
    check 'debug endpoint by IPv6 of a name' 0 curl -gfsS \
        "http://[::1]:$port/healthz"
    kill "$PID"
    ended "$PID" 20
    # Only the second address has a server: the result names it.
    start_server || return
    check 'load of a name whose first address refuses' 0 "${own[@]}" "$BIN" \
        load -q -n 1 -f json "both:$PORT"
    holds 'load of a name whose first address refuses, the address' "$OUT" \
        "r['config']['address'] == '127.0.0.1:$PORT'"
    check 'reflection of a name whose first address refuses' 0 "${own[@]}" \
        "$BIN" load -q -n 1 --reflection --data '{"name":"x"}' "both:$PORT"
    stop_server 'serve for a name ends with status 0'
}

# Print the calls that serve counted, from its last line.
had() { sed -En 's/.* after ([0-9]+) calls?, .*/\1/p' "$SDIR/serve.err"; }

# All targets get calls, or load refuses to run.
several() {
    local first one two first_dir
    start_server || return
    first=$SPID one=127.0.0.1:$PORT first_dir=$SDIR
    mkdir -p "$T/two"
    SDIR=$T/two
    start_server --debug off || return
    two=127.0.0.1:$PORT
    check 'two targets, open loop' 0 "$BIN" load -q -r 50 -N 20 -f json \
        -o "$T/two.json" "$one" "$two"
    holds 'two targets, both in the result' "$T/two.json" \
        "r['config']['targets'] == ['$one', '$two']"
    check 'two targets, closed loop' 0 "$BIN" load -q -c 4 -n 5 "$one" "$two"
    check 'two targets, one client' 2 "$BIN" load -c 1 "$one" "$two"
    has 'two targets, one client' "$ERR" 'some would get no calls: raise -c$'
    check 'two targets, one connection' 2 "$BIN" load -c 4 --connections 1 \
        "$one" "$two"
    has 'two targets, one connection' "$ERR" 'raise --connections$'
    check 'two targets, one call' 2 "$BIN" load -N 1 "$one" "$two"
    has 'two targets, one call' "$ERR" 'raise the number of calls$'
    check 'two targets, one of them is not there' 1 "$BIN" load -r 100 -d 1s \
        "$one" 127.0.0.1:1
    one_line 'two targets, one of them is not there' '127.0.0.1:1.*refused'
    check 'two targets, merged' 0 "$BIN" report -f json "$T/two.json"
    stop_server 'the second of two targets ends with status 0'
    same 'two targets, the second had half of the calls' "$(had)" 20
    SPID=$first SDIR=$first_dir
    stop_server 'the first of two targets ends with status 0'
    same 'two targets, the first had half of the calls' "$(had)" 20
}

if need 'targets' py:hpack py:grpc curl; then
    LIMIT=100 tally 'targets' "$PY" tests/load/targets.py "$BIN" "$T"
    abstract
    both_families
    several
fi
