# gRPC's interoperability tests: with grpc-go's client where it has the case,
# and with python3-grpcio and our own frames for the compressed ones.

interop_cases='empty_unary large_unary client_streaming server_streaming
    ping_pong empty_stream cancel_after_begin cancel_after_first_response
    timeout_on_sleeping_server status_code_and_message special_status_message
    custom_metadata unimplemented_method unimplemented_service'

go_cases() {
    local name
    need 'grpc-go cases' interop || return
    for name in $interop_cases; do
        LIMIT=20 check "grpc-go $name" 0 "$INTEROP" --server_host=127.0.0.1 \
            --server_port="$PORT" --test_case="$name"
    done
}

python_cases() {
    need 'python3-grpcio cases' protoc py:grpc py:google.protobuf py:hpack ||
        return
    protoc -Iproto --python_out="$T" proto/testing.proto
    LIMIT=120 tally 'python3-grpcio cases' env PYTHONPATH="$T:$PYTHONPATH" "$PY" \
        tests/serve/interop.py "$PORT"
}

check 'serve has --interop' 0 grep -q -e --interop <("$BIN" help serve)
if start_server --interop; then
    go_cases
    python_cases
    stop_server 'ends with status 0'
fi

# Without the option there is no such service.
if need 'no TestService unless asked' py:hpack && start_server; then
    tally 'no TestService unless asked' "$PY" tests/serve/interop.py "$PORT" absent
    stop_server 'without --interop, ends with status 0'
fi
