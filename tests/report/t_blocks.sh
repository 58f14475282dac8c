# blocks: profiles that say when their samples were taken.

if need 'blocks' protoc pprofs; then
    mkdir -p "$T/blocks"
    LIMIT=120 tally 'blocks' "$PY" tests/report/blocks.py "$BIN" "$PPROFS" \
        "$T/blocks"
fi
