# Each frame of HTTP/2, with its flags, in each state of a stream: what a flood
# of it comes to.
# runs: plain asan

if need 'frames' py:hpack && start_server -w 1000; then
    LIMIT=200 tally 'frames' "$PY" tests/serve/frames.py "$PORT"
    stop_server 'ends with status 0'
fi
