# Any method of any server, by reflection and by protoset: messages made from
# JSON are protobuf's own, byte for byte; streams of all kinds.
# runs: plain (asan)

# sent NAME LOG: did the server get what protobuf makes of the same JSON?
sent() {
    if cmp -s "$2" "$T/rich.hex"; then pass "$1"
    else fail "$1" "$(cmp "$2" "$T/rich.hex" 2>&1)"; fi
}

# streams NAME ADDRESS: calls of the other three kinds
streams() {
    check "$1, a stream up" 0 "$BIN" load --call test.Echo/Upload -n 5 -c 2 \
        --data '[{"i32":1},{"text":"two"}]' -o "$T/up.json" "$2"
    check "$1, a stream down" 0 "$BIN" load --call test.Echo/Download -n 5 -c 2 \
        --data '{"i32":1}' -o "$T/down.json" "$2"
    check "$1, both ways" 0 "$BIN" load --call test.Echo/Chat -n 5 -c 2 \
        --data '{"i32":1}' --messages 4 --message-interval 2ms \
        -o "$T/chat.json" "$2"
    "$PY" -c 'import json, sys
for p in sys.argv[1:]:
    d = json.load(open(p)); t = d["throughput"]
    print(d["config"]["kind"], d["counts"]["ok"], t["messages_out"],
          t["messages_in"])' "$T/up.json" "$T/down.json" "$T/chat.json" >"$OUT"
    has "$1, two messages up, one back" "$OUT" '^client_stream 10 20 10$'
    has "$1, one up, three back" "$OUT" '^server_stream 10 10 30$'
    has "$1, four each way" "$OUT" '^bidi 10 40 40$'
}

against_python() {
    local to
    bg "$PY" tests/load/rich.py serve "$T/rich.pb" "$T/py.log" reflect
    wait_for 20 grep -q listening "$T/bg.out" || {
        fail 'a python3-grpcio server starts' "$(tail_of "$T/bg.err")"
        return
    }
    to=$(sed -n 's/^listening on //p' "$T/bg.out")
    check 'no --call, another service' 3 "$BIN" load -n 1 "$to"
    has 'no --call, another service, said' "$ERR" 'try another method: --call'
    check 'by protoset' 0 "$BIN" load --protoset "$T/rich.pb" -N 200 \
        --call test.Echo/Unary --data "@$T/rich.json" "$to"
    sent 'arrives as protobuf encodes it' "$T/py.log"
    kill "$PID"
    bg "$PY" tests/load/rich.py serve "$T/rich.pb" "$T/py.log" reflect
    wait_for 20 grep -q listening "$T/bg.out" || {
        fail 'a python3-grpcio server starts again' "$(tail_of "$T/bg.err")"
        return
    }
    to=$(sed -n 's/^listening on //p' "$T/bg.out")
    check 'by reflection v1alpha, a file at a time' 0 bash -c "'$BIN' load \
        -N 200 --call test.Echo.Unary --data @- $to <'$T/rich.json'"
    sent 'by reflection v1alpha: arrives as protobuf encodes it' "$T/py.log"
    LIMIT=120 tally 'replies' "$PY" tests/load/rich.py replies "$T/rich.pb" "$BIN" \
        "$to" 40
    streams 'python3-grpcio' "$to"
    kill "$PID"
}

against_go() {
    local to web i pids=() status=()
    need 'grpc-go with reflection' echo || return
    bg "$ECHO" -set "$T/rich.pb" -log "$T/go.log" -burn 60000 -reflection v1
    wait_for 20 grep -q pprof "$T/bg.out" || {
        fail 'grpc-go starts' "$(tail_of "$T/bg.err")"
        return
    }
    to=$(sed -n 's/^listening on //p' "$T/bg.out")
    web=$(sed -n 's/^pprof on //p' "$T/bg.out")
    check 'grpc-go by reflection v1' 0 "$BIN" load -N 200 \
        --call test.Echo/Unary --data "@$T/rich.json" "$to"
    sent 'grpc-go gets what protobuf makes' "$T/go.log"
    streams 'grpc-go' "$to"
    check 'a method that grpc-go has not' 3 "$BIN" load -n 1 -b /dev/null \
        --call test.Echo/Nope "$to"
    check 'a profile by net/http/pprof' 0 "$BIN" load -c 5 -d 2s \
        --call test.Echo/Unary --data '{"i32":1}' --profile="$web" \
        --profile-out "$T/go.pb" "$to"
    has 'says what a call costs there' "$OUT" 'us .* main\.burnCPU$'
    has 'of calls that it does not count itself' "$OUT" \
        "other clients' calls add to the CPU time"
    check 'that profile names the calls' 0 "$BIN" report -f json "$T/go.pb"
    holds 'calls of load, with their CPU and its interval' "$OUT" \
        'r["calls"]["counted_by"] == "load" and
         r["calls"]["by_method"] == {"/test.Echo/Unary": r["calls"]["total"]}
         and r["calls"]["total"] > 50 and 0 < r["calls"]["cpu_low_ns_per_call"]
         < r["calls"]["cpu_ns_per_call"] < r["calls"]["cpu_high_ns_per_call"]'
    check 'a base that names them too' 0 "$BIN" report --per-call \
        --base "$T/go.pb" "$T/go.pb"
    tr -s '\n ' ' ' <"$OUT" >"$T/flat"
    has 'a base that names them too, a call of each' "$T/flat" \
        ' [mu]s a call before, .* [mu]s now'
    if need 'pprof reads what load has written' pprof; then
        check 'pprof reads what load has written' 0 "$PPROF" -symbolize=none \
            -comments "$T/go.pb"
        has 'pprof shows the calls' "$OUT" '^requests=[0-9]+$'
        has 'pprof shows whose they are' "$OUT" '^requests_of=load$'
        has 'pprof shows their method' "$OUT" \
            '^requests\./test\.Echo/Unary=[0-9]+$'
    fi
    # Go takes one profile at a time, and refuses a second one.
    for i in 1 2; do
        "$BIN" report -q -f top "$web/debug/pprof/profile?seconds=2" \
            >"$T/$i.top" 2>"$T/$i.err" &
        pids+=($!)
    done
    for i in "${pids[@]}"; do
        wait "$i"
        status+=($?)
    done
    same 'two profiles at once, one is taken' \
        "$((status[0] + status[1]))" 1
    cat "$T/1.err" "$T/2.err" >"$ERR"
    one_line 'a profile while another is taken' \
        'status 500 .*already in use \(if another profile is being taken'
    check 'an address of a profile' 0 "$BIN" load -d 1s \
        --call test.Echo/Unary --data '{"i32":1}' --profile-out "$T/go.pb" \
        --profile="http://$web/debug/pprof/profile?seconds=9" "$to"
    check 'which takes whole seconds' 2 "$BIN" load -n 1 --profile="$web" "$to"
    kill "$PID"
    bg "$ECHO" -set "$T/rich.pb" -log "$T/go.log" -reflection v1alpha
    wait_for 20 grep -q pprof "$T/bg.out" || {
        fail 'grpc-go starts again' "$(tail_of "$T/bg.err")"
        return
    }
    to=$(sed -n 's/^listening on //p' "$T/bg.out")
    check 'grpc-go by reflection v1alpha' 0 "$BIN" load -N 200 \
        --call test.Echo/Unary --data "@$T/rich.json" "$to"
    sent 'grpc-go gets it likewise' "$T/go.log"
    kill "$PID"
}

# What our own server gets, with descriptors by its own reflection, is what
# protoc makes.
against_ours() {
    local tap call=/grpc.testing.TestService/StreamingOutputCall
    start_server --interop || return
    bg "$PY" tests/load/tap.py "127.0.0.1:$PORT" "$T/tap.hex" "$call"
    tap=$PID
    wait_for 20 grep -q listening "$T/bg.out" || {
        fail 'tap.py starts' "$(tail_of "$T/bg.err")"
        return
    }
    check 'ours by reflection' 0 "$BIN" load --reflection -n 3 \
        --call "${call#/}" --data '{"responseParameters": [{"size": 70000,
            "intervalUs": 1, "compressed": {"value": true}}, {"size": 3}, {}],
            "payload": {"type": "COMPRESSABLE", "body": "AAEC/wA="},
            "responseStatus": {"message": "\u6f22 \u00e9"}}' \
        "$(sed -n 's/^listening on //p' "$T/bg.out")"
    kill "$tap"
    protoc -Iproto --encode=grpc.testing.StreamingOutputCallRequest \
        testing.proto >"$T/protoc" 2>"$ERR" <<'TEXT'
response_parameters { size: 70000 interval_us: 1 compressed { value: true } }
response_parameters { size: 3 }
response_parameters { }
payload { type: COMPRESSABLE body: "\000\001\002\377\000" }
response_status { message: "\u6f22 \u00e9" }
TEXT
    od -An -v -tx1 "$T/protoc" | tr -d ' \n' >"$T/protoc.hex"
    same 'ours gets what protoc makes' "$(uniq -c "$T/tap.hex" | xargs)" \
        "3 $(cat "$T/protoc.hex")"
    stop_server 'ours, ends with status 0'
}

unnamed() {
    check 'no --call' 2 "$BIN" load --protoset "$T/rich.pb" -n 1 127.0.0.1:1
    one_line 'no --call, services listed' 'which have .*test.Echo.*--call'
}

wrong() { # NAME JSON REGEX
    check "$1" 2 "$BIN" load --protoset "$T/rich.pb" -n 1 \
        --call test.Echo/Unary --data "$2" 127.0.0.1:1
    one_line "$1, said where" "$3"
}

if need 'descriptors' protoc py:google.protobuf py:grpc; then
    protoc -Itests/load --include_imports -o "$T/rich.pb" rich.proto
    "$PY" tests/load/rich.py make "$T/rich.pb" "$T/rich.json" "$T/rich.hex" 200
    against_python
    against_go
    need 'ours by reflection' py:hpack od && against_ours
    unnamed
    wrong 'an unknown field' '{"i33":1}' 'no field "i33" in test.Rich .*"i32"'
    wrong 'an unknown field inside' '{"items":[{"name":"a"},{"parts":[{"prise":2}]}]}' \
        'items\[1\].parts\[0\]: no field "prise" in test.Item .*"price"'
    wrong 'a number out of range' '{"i32":3000000000}' 'i32: 3000000000 is out'
    wrong 'two of a oneof' '{"one":"a","other":2}' '"one" and "other"'
    wrong 'a field twice' '{"i32":1,"i32":2}' '"i32" is given twice'
    wrong 'a key twice' '{"byName":{"a":1,"a":2}}' 'byName: a key is given twice'
    wrong 'a time that is none' '{"when":"2026-02-30T00:00:00Z"}' 'when: not a'
    wrong 'an unknown enum value' '{"colour":"GREEN"}' \
        "colour: 'GREEN' is no value of .*, which has [A-Z]"
    wrong 'an unknown Any' '{"any":{"@type":"x/y.Z"}}' "any: type 'y.Z'"
    wrong 'an Any of a time without it' \
        '{"any":{"@type":"x/google.protobuf.Timestamp"}}' 'any: an Any of'
    wrong 'a type where there is no Any' '{"@type":"x/test.Rich"}' \
        'no field "@type" in test.Rich'
    wrong 'a large number with an exponent' '{"u64":1e20}' 'u64: 1e20 is out'
    wrong 'what is not JSON' '{"i32":' 'line 1, column 8: not JSON'
    wrong 'a null in a list' '{"numbers":[1,null]}' 'numbers\[1\]: null'
    wrong 'what is not base64' '{"data":"*"}' 'data: not base64'
    if start_server -w 100; then
        check 'our own reflection' 0 "$BIN" load --reflection -n 20 \
            --data '{"name":"you"}' "127.0.0.1:$PORT"
        check 'a service that is not there' 2 "$BIN" load -n 1 \
            --call a.B/C "127.0.0.1:$PORT"
        check 'a method that is not there' 2 "$BIN" load --reflection -n 1 \
            --call helloworld.Greeter/Nope "127.0.0.1:$PORT"
        one_line 'names those that are' 'which has SayHello, '
        stop_server 'ends with status 0'
    fi
fi
