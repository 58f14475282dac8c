# load against usual servers, on grpcio, grpc-go, grpc-js and behind nginx:
# compressed replies, deadlines, errors, streams without an end.
# runs: plain

CALL=helloworld.Greeter/SayHello STREAM=helloworld.Greeter/SayHelloStreamReply

# serves NAME CMD...: start servers that print "NAME HOST:PORT" and "ready" into
# $T/NAME.at
serves() {
    local name=$1
    shift
    bg "$@"
    wait_for 20 grep -q '^ready' "$T/bg.out" ||
        { fail "$name starts" "$(tail_of "$T/bg.err")"; return 1; }
    cp "$T/bg.out" "$T/$name.at"
}
at() { sed -n "s/^$2 //p" "$T/$1.at"; }

# load NAME STATUS ARGS...: a run of load, its result in $T/r.json
load() {
    local name=$1 status=$2
    shift 2
    check "$name" "$status" "$BIN" load -q -f json -o "$T/r.json" "$@"
}
errors() {
    holds "$1" "$T/r.json" "[(e['kind'], e['status'], e['detail'], e['count'])
        for e in r['errors']] == $2"
}

late() {
    load "$1: no call in time" 3 -c 10 -n 10 --timeout 50ms "$2"
    holds "$1: all are DEADLINE_EXCEEDED, of one kind" "$T/r.json" \
        "[(e['kind'], e['status'], e['count']) for e in r['errors']] ==
        [('deadline', 4, 100)]"
}

of_grpcio() {
    local i
    need 'grpcio' py:grpc || return
    serves grpcio "$PY" tests/load/replies.py || return
    GRPCIO=$PID
    load 'grpcio: gzip replies' 0 -n 50 -c 2 "$(at grpcio gzip)"
    holds 'grpcio: gzip replies, inflated and shown' "$T/r.json" \
        "r['counts']['ok'] == 100 and r['throughput']['bytes_in'] < 50000 and
        r['reply'] == {'message': 'a' * 1000}"
    load 'grpcio: gzip messages of a stream' 0 -n 5 --call $STREAM \
        "$(at grpcio gzip)"
    holds 'grpcio: gzip messages of a stream, counted' "$T/r.json" \
        "r['throughput']['messages_in'] == 15"
    load 'grpcio: deflate replies' 0 -n 50 -c 2 "$(at grpcio deflate)"
    holds 'grpcio: deflate replies, inflated and shown' "$T/r.json" \
        "r['counts']['ok'] == 100 and r['throughput']['bytes_in'] < 50000 and
        r['reply'] == {'message': 'a' * 1000}"
    load 'grpcio: deflate messages of a stream' 0 -n 5 --call $STREAM \
        "$(at grpcio deflate)"
    holds 'grpcio: deflate messages of a stream, counted' "$T/r.json" \
        "r['throughput']['messages_in'] == 15"
    late 'grpcio' "$(at grpcio endless)"
    for i in 1 2; do
        load "grpcio: three error texts, run $i" 3 -n 6 "$(at grpcio texts)"
        cp "$T/r.json" "$T/texts$i.json"
    done
    errors 'grpcio: three error texts, whole and counted' "[
        ('grpc_status', 3, 'field items[3].price.currency_code must be one of'
         ' EUR, USD, GBP (got XXX)', 2),
        ('grpc_status', 3, 'order 18 not found', 2),
        ('grpc_status', 3, '日本語のとても長いエラー', 2)]"
    check 'grpcio: error texts, merged' 3 "$BIN" report -f json \
        -o "$T/r.json" "$T/texts1.json" "$T/texts2.json"
    holds 'grpcio: error texts, merged by text' "$T/r.json" \
        "[(e['count'], len(e['detail'])) for e in r['errors']] ==
        [(4, 73), (4, 18), (4, 12)]"
    check 'grpcio: error texts, in text' 3 "$BIN" load -q -n 3 \
        "$(at grpcio texts)"
    has 'grpcio: error texts, in text, whole' "$OUT" 'GBP \(got XXX\)'
    has 'grpcio: error texts, in text, UTF-8' "$OUT" '日本語のとても長いエラー'
    load 'grpcio: fifty error texts' 3 -n 50 "$(at grpcio numbers)"
    holds 'grpcio: fifty error texts, 16 rows and one for others' "$T/r.json" \
        "[(e['count'], e['varies']) for e in r['errors']] ==
        [(1, False)] * 16 + [(34, True)] and r['errors'][16]['detail'] ==
        'order 16 not found'"
    load 'grpcio: our headers' 3 -n 1 -H 'User-Agent: mine/1' \
        -H 'X-Own-Key: Value' "$(at grpcio keys)"
    errors 'grpcio: one user-agent, keys in lower case' \
        "[('grpc_status', 3, 'user-agent=mine/1 x-own-key=Value', 1)]"
    load 'grpcio: a reply that is not kept' 0 -n 1 "$(at grpcio big)"
    holds 'grpcio: a reply that is not kept is not shown' "$T/r.json" \
        "'reply' not in r or r['reply'] is None"
    load 'grpcio: a stream without a message' 0 -n 2 --call $STREAM \
        "$(at grpcio big)"
    holds 'grpcio: a stream without a message shows none' "$T/r.json" \
        "'reply' not in r or r['reply'] is None"
    load 'grpcio: an empty reply' 0 -n 1 "$(at grpcio empty)"
    holds 'grpcio: an empty reply is shown' "$T/r.json" "r['reply'] == {}"
    streams
}

# Streams that do not end by themselves.
streams() {
    load 'a stream with a life' 0 -c 2 -n 3 --call $STREAM --stream-for 200ms \
        "$(at grpcio endless)"
    holds 'a stream with a life is a call that is ok' "$T/r.json" \
        "r['counts']['ok'] == 6 and r['counts']['failed'] == 0 and
        r['throughput']['messages_in'] >= 6 and
        r['latency']['message']['count'] == r['throughput']['messages_in'] and
        r['latency']['response']['min'] >= 200000000 and
        r['config']['stream_for_ns'] == 200000000"
    load 'a stream with a life whose replies are wrong' 3 -n 2 --call $STREAM \
        --stream-for 100ms --check 'message == no' "$(at grpcio endless)"
    holds 'a stream with a life whose replies are wrong, said' "$T/r.json" \
        "(r['counts']['ok'], [(e['kind'], e['count']) for e in r['errors']]) ==
        (0, [('check', 2)])"
    load 'a life is no deadline' 0 -n 1 --call $STREAM --stream-for 300ms \
        --timeout 100ms "$(at grpcio endless)"
    load 'streams that are cut off' 0 -c 2 -d 300ms --drain 0s --call $STREAM \
        --timeout 1h "$(at grpcio endless)"
    holds 'streams that are cut off are measured by messages' "$T/r.json" \
        "r['counts']['cut_off'] == 2 and r['counts']['ok'] == 0 and
        r['throughput']['messages_in'] > 0 and
        r['latency']['message']['count'] == r['throughput']['messages_in']"
    # A server that ends connections in good order costs no call and no time.
    load 'connections that age' 0 -c 4 -d 1300ms "$(at grpcio aging)"
    holds 'connections that age: no client lost the server' "$T/r.json" \
        "r['counts']['ok'] > 4 and r['counts']['failed'] == 0 and
        r['connect']['goaways'] > 4 and r['client']['gave_up'] == 0 and
        r['connect']['down_ns'] < 0.3 * 4 * r['window']['elapsed_ns']"
    # A call may meet a server that has just closed its connection.
    load 'connections that are idle' 0 -c 6 -r 10 -d 2s --max-errors 3 \
        "$(at grpcio idle)"
    holds 'connections that are idle: no client lost the server' "$T/r.json" \
        "r['counts']['ok'] >= 17 and r['connect']['goaways'] > 10 and
        r['client']['gave_up'] == 0"
    check 'a life for what is no stream' 2 "$BIN" load --stream-for 1s \
        "$(at grpcio gzip)"
    has 'a life for what is no stream, said' "$ERR" 'SayHello has no stream'
    kill "$GRPCIO"
}

# --stream-for half-closes streams of requests, and the server ends the call.
lives_of_requests() {
    start_server || return
    load 'a request with a life' 0 -n 2 --stream-for 300ms \
        --message-interval 20ms --call helloworld.Greeter/SayHelloBidiStream \
        "127.0.0.1:$PORT"
    holds 'a request with a life repeats its message' "$T/r.json" \
        "r['counts']['ok'] == 2 and r['throughput']['messages_out'] > 2 and
        r['throughput']['messages_out'] == r['throughput']['messages_in'] <= 32"
    load 'a request that waits for its end' 0 -n 2 --stream-for 50ms \
        --call helloworld.Greeter/SayHelloBidiStream "127.0.0.1:$PORT"
    holds 'a request that waits for its end has one message' "$T/r.json" \
        "r['counts']['ok'] == 2 == r['throughput']['messages_out'] and
        r['latency']['response']['min'] >= 50000000"
    stop_server 'serve ends'
}

of_grpc_js() {
    need 'grpc-js' node node || return
    NODE_PATH=$NODE serves js node tests/load/replies.js || return
    late 'grpc-js' "$(at js late)"
    kill "$PID"
}

# Two servers on grpc-go: one that compresses, and one that does not answer.
of_grpc_go() {
    local set=$T/hello.pb fast slow pids=()
    need 'grpc-go' protoc echo || return
    protoc -Iproto --descriptor_set_out="$set" helloworld.proto
    bg "$ECHO" -set "$set" -wait
    pids+=("$PID")
    wait_for 20 grep -q pprof "$T/bg.out" ||
        { fail 'grpc-go starts' "$(tail_of "$T/bg.err")"; return; }
    slow=$(sed -n 's/^listening on //p' "$T/bg.out")
    late 'grpc-go' "$slow"
    bg "$ECHO" -set "$set" -compress gzip
    pids+=("$PID")
    wait_for 20 grep -q pprof "$T/bg.out" ||
        { fail 'grpc-go starts again' "$(tail_of "$T/bg.err")"; return; }
    fast=$(sed -n 's/^listening on //p' "$T/bg.out")
    load 'grpc-go: gzip replies' 0 -n 20 --data "{\"name\":\"$(printf 'a%.0s' \
        {1..1000})\"}" "$fast"
    holds 'grpc-go: gzip replies, inflated and shown' "$T/r.json" \
        "r['throughput']['bytes_in'] < 4000 and
        r['reply'] == {'message': 'a' * 1000}"
    behind_nginx "$fast" "$slow"
    kill "${pids[@]}"
}

# nginx_server NAME ADDRESS MORE: a proxy of ADDRESS on $T/NAME.sock
nginx_server() {
    printf '%s\n' "server { listen unix:$T/$1.sock http2; $3" \
        "location / { grpc_pass grpc://$2; } }"
}
failed_at_nginx() {
    load "nginx: $1" 3 -n 4 "unix:$T/$2.sock"
    holds "nginx: $1 is UNAVAILABLE" "$T/r.json" "[(e['kind'], e['status'],
        e['code'], e['count']) for e in r['errors']] == [('http', 14, $3, 4)]"
}
behind_nginx() {
    local nginx
    PATH=$PATH:/usr/sbin need 'nginx' nginx || return
    nginx=$(PATH=$PATH:/usr/sbin command -v nginx)
    {
        printf '%s\n' "worker_processes 1; daemon off; pid $T/nginx.pid;" \
            "error_log $T/nginx.err; events { worker_connections 256; }" \
            "http { access_log off; client_body_temp_path $T/n1;" \
            "proxy_temp_path $T/n2; fastcgi_temp_path $T/n3;" \
            "uwsgi_temp_path $T/n4; scgi_temp_path $T/n5;"
        nginx_server pass "$1" 'keepalive_requests 100;'
        nginx_server slow "$2" 'grpc_read_timeout 100ms;'
        nginx_server dead "unix:$T/nobody" ''
        printf '%s\n' "server { listen unix:$T/no.sock http2;" \
            'location / { return 503; } } }'
    } >"$T/nginx.conf"
    bg "$nginx" -c "$T/nginx.conf"
    wait_for 20 [ -S "$T/no.sock" ] ||
        { fail 'nginx starts' "$(tail_of "$T/bg.err")"; return; }
    load 'nginx: a GOAWAY after each 100 calls' 0 -c 2 -m 3 -n 500 \
        "unix:$T/pass.sock"
    holds 'nginx: a GOAWAY after each 100 calls, none fails' "$T/r.json" \
        "r['counts']['ok'] == 1000 and r['connect']['goaways'] >= 8"
    load 'nginx: a GOAWAY that disowns many calls' 0 -c 2 -m 50 -n 1000 \
        "unix:$T/pass.sock"
    holds 'nginx: a GOAWAY that disowns many calls, none fails' "$T/r.json" \
        "r['counts']['ok'] == 2000 and
        r['counts']['retried_after_goaway'] > 0"
    failed_at_nginx 'no server behind it' dead 502
    failed_at_nginx 'no answer behind it' slow 504
    failed_at_nginx 'its own error' no 503
    kill "$PID"
    ended "$PID" 20
}

of_grpcio
lives_of_requests
of_grpc_js
of_grpc_go
