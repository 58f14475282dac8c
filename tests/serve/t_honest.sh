# Busy well-behaved clients, on grpc-go, are never cut off: thousands of their
# resets, PINGs and WINDOW_UPDATEs do not count as a flood.
# HONEST_SECONDS is how long each runs (3; `make soak` sets 60).

check 'serve has --interop' 0 grep -q -e --interop <("$BIN" help serve)
if need 'honest callers' honest &&
    start_server -w 20000000 --drain 20s --interop; then
    LIMIT=700 tally 'honest callers' "$HONEST" "127.0.0.1:$PORT" \
        "${HONEST_SECONDS:-3}"
    stop_server 'ends with status 0'
fi
