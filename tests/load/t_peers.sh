# load against servers that misbehave, frame by frame: gRPC's rules for clients,
# the negative HTTP/2 interoperability cases, and worse.
# runs: plain asan

if need 'peers' py:hpack; then
    LIMIT=200 tally 'peers' "$PY" tests/load/peers.py "$BIN"
fi
