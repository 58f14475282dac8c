# serve, called by clients of six implementations: streams, deadlines,
# reflection without a .proto, health.
# runs: plain (asan)

python_streams() {
    need 'python3-grpcio' py:grpc || return
    LIMIT=120 tally 'python3-grpcio' "$PY" tests/serve/client.py "$TO" streams
}

cpp_client() {
    need 'grpc++' grpc_cpp_plugin cpp || return
    LIMIT=120 tally 'grpc++' "$CPP" "$TO"
}

node_client() {
    need 'grpc-js' node || return
    LIMIT=120 tally 'grpc-js' env NODE_PATH="$NODE" node tests/serve/client.js "$TO"
}

# The services that reflection lists.
services='grpc.health.v1.Health grpc.reflection.v1.ServerReflection
    grpc.reflection.v1alpha.ServerReflection helloworld.Greeter'
lists() {
    local name=$1 s
    for s in $services; do has "$name lists $s" "$OUT" "^${s//./\\.}\$"; done
}

grpcurl_client() {
    need 'grpcurl' grpcurl || return
    local g=("$GRPCURL" -plaintext -max-time 20) greeter=helloworld.Greeter
    check 'grpcurl lists' 0 "${g[@]}" "$TO" list
    lists grpcurl
    check 'grpcurl lists the methods' 0 "${g[@]}" "$TO" list $greeter
    same 'grpcurl sees three methods' "$(sort "$OUT" | xargs)" \
        "$(echo $greeter.SayHello{,BidiStream,StreamReply})"
    check 'grpcurl describes the service' 0 "${g[@]}" "$TO" describe $greeter
    has 'grpcurl sees who streams' "$OUT" \
        'SayHelloBidiStream \( stream [.a-zA-Z]+ \) returns \( stream '
    check 'grpcurl describes a message' 0 "${g[@]}" "$TO" describe \
        helloworld.HelloRequest
    has 'grpcurl sees its field' "$OUT" 'string name = 1;'
    check 'grpcurl describes a method' 0 "${g[@]}" "$TO" describe \
        $greeter.SayHello
    check 'grpcurl describes a nested enum' 0 "${g[@]}" "$TO" describe \
        grpc.health.v1.HealthCheckResponse.ServingStatus
    has 'grpcurl sees its values' "$OUT" 'NOT_SERVING = 2;'
    check 'grpcurl finds no such symbol' 1 "${g[@]}" "$TO" describe no.Such
    has 'grpcurl: and says so' "$ERR" '[Nn]ot found'
    check 'grpcurl calls' 0 "${g[@]}" -d '{"name":"curl"}' "$TO" \
        $greeter/SayHello
    has 'grpcurl is greeted' "$OUT" '"message": "Hello curl! \(request #'
    check 'grpcurl calls, server streaming' 0 "${g[@]}" -d '{"name":"many"}' \
        "$TO" $greeter/SayHelloStreamReply
    same 'grpcurl gets several' \
        "$([ "$(grep -c 'Hello many!' "$OUT")" -gt 1 ] && echo several)" several
    check 'grpcurl calls, bidi' 0 "${g[@]}" \
        -d '{"name":"a"} {"name":"b"} {"name":"c"}' "$TO" \
        $greeter/SayHelloBidiStream
    same 'grpcurl gets three, in order' \
        "$(sed -n 's/.*"Hello \(.\)!.*/\1/p' "$OUT" | xargs)" 'a b c'
}

health_by_grpcurl() {
    need 'health' grpcurl || return
    local g=("$GRPCURL" -plaintext -max-time 20) h=grpc.health.v1.Health
    check 'health Check of the server' 0 "${g[@]}" "$TO" $h/Check
    has 'health: the server is SERVING' "$OUT" '"status": "SERVING"'
    check 'health Check of Greeter' 0 "${g[@]}" \
        -d '{"service":"helloworld.Greeter"}' "$TO" $h/Check
    has 'health: Greeter is SERVING' "$OUT" '"status": "SERVING"'
    # grpcurl exits with 64 and the code of the call.
    check 'health Check of an unknown one: NOT_FOUND' 69 "${g[@]}" \
        -d '{"service":"no.Such"}' "$TO" $h/Check
    check 'health List' 0 "${g[@]}" "$TO" $h/List
    has 'health List has Greeter' "$OUT" '"helloworld.Greeter": \{'
    # Watch stays open until the deadline, for an unknown service too; whether
    # grpcurl calls that a deadline (68) or its own cancellation (65) varies.
    check 'health Watch stays open' '65 68' "${g[@]}" -max-time 1 "$TO" $h/Watch
    has 'health Watch says SERVING' "$OUT" '"status": "SERVING"'
    check 'health Watch of an unknown one stays open' '65 68' "${g[@]}" \
        -max-time 1 -d '{"service":"no.Such"}' "$TO" $h/Watch
    has 'health Watch says SERVICE_UNKNOWN' "$OUT" '"status": "SERVICE_UNKNOWN"'
}

buf_client() {
    need 'buf curl' buf || return
    local b=("$BUF" curl --http2-prior-knowledge --protocol grpc)
    local url=http://$TO v
    export BUF_CACHE_DIR=$T/buf
    for v in v1 v1alpha; do
        check "buf curl lists by $v" 0 "${b[@]}" --list-services \
            --reflect-protocol grpc-$v "$url"
        lists "buf curl by $v:"
    done
    check 'buf curl calls' 0 "${b[@]}" -d '{"name":"buf"}' \
        "$url/helloworld.Greeter/SayHello"
    has 'buf curl is greeted' "$OUT" '"message": ?"Hello buf! \(request #'
    check 'buf curl calls, bidi' 0 "${b[@]}" -d '{"name":"a"}{"name":"b"}' \
        "$url/helloworld.Greeter/SayHelloBidiStream"
    same 'buf curl gets both' "$(grep -cE 'Hello [ab]!' "$OUT")" 2
}

probe_client() {
    need 'grpc_health_probe' probe || return
    check 'grpc_health_probe' 0 "$PROBE" -addr="$TO"
    has 'grpc_health_probe says SERVING' "$ERR" 'SERVING'
    check 'grpc_health_probe, a service' 0 "$PROBE" -addr="$TO" \
        -service=helloworld.Greeter
    check 'grpc_health_probe, an unknown service' 3 "$PROBE" -addr="$TO" \
        -service=no.Such
    has 'grpc_health_probe is told NOT_FOUND' "$ERR" 'NotFound'
}

draining() {
    need 'draining' py:grpc probe || return
    start_server --drain 20s || return
    LIMIT=60 tally 'draining' "$PY" tests/serve/client.py "127.0.0.1:$PORT" drain \
        "$SPID" "$PROBE"
    ended "$SPID" 30
    server_ended 'after the drain, ends with status 0'
}

# Greetings that take longer than the deadlines, on every loop at once.
deadlines() {
    need 'deadlines' py:grpc || return
    start_server -w "$1" --drain 20s || return
    LIMIT=120 tally 'deadlines' "$PY" tests/serve/client.py "127.0.0.1:$PORT" late
    stop_server 'after deadlines, ends with status 0'
}

if start_server -w 1000; then
    TO=127.0.0.1:$PORT
    python_streams
    cpp_client
    node_client
    grpcurl_client
    health_by_grpcurl
    buf_client
    probe_client
    stop_server 'ends with status 0'
fi
draining
deadlines 500_000_000
