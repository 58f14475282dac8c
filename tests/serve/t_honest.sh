# Busy clients that mean no harm, on grpc-go, are never cut off: their resets,
# PINGs and WINDOW_UPDATEs by the thousand are no flood.
# HONEST_SECONDS=60, which `make soak` sets, gives each so long instead of 3.

check 'serve has --interop' 0 grep -q -e --interop <("$BIN" help serve)
if need 'honest callers' honest &&
    start_server -w 20000000 --drain 20s --interop; then
    LIMIT=700 tally 'honest callers' "$HONEST" "127.0.0.1:$PORT" \
        "${HONEST_SECONDS:-3}"
    stop_server 'ends with status 0'
fi
