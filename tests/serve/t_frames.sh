# Each HTTP/2 frame type, with its flags, in each state of a stream: how serve
# answers a flood of it.
# runs: plain asan

if need 'frames' py:hpack && start_server -w 1000; then
    LIMIT=200 tally 'frames' "$PY" tests/serve/frames.py "$PORT"
    stop_server 'ends with status 0'
fi
