#!/usr/bin/env bash
# What `make demo` runs: serve with a profile, two loads, a report.  Writes
# profile.pb and flamegraph.svg in this directory.  Takes about half a minute.
set -u
cd "$(dirname "$0")/.." || exit 1
bin=./grpcprof server='' running=''
said=$(mktemp) || exit 1

# End what was started here, and nothing else.
finish() {
    [ -n "$running" ] && kill "$running" 2>/dev/null
    [ -n "$server" ] && kill "$server" 2>/dev/null
    rm -f "$said"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

step() { printf '\n==> %s\n\n' "$*"; }

# job STEP COMMAND...: say it, run it; the whole demo ends where it fails.  In
# the background, so that an interrupt ends the demo at once.
job() {
    step "$1"
    shift
    printf '$ %s\n' "$*"
    "$@" &
    running=$!
    wait "$running"
    local status=$?
    running=''
    [ $status -eq 0 ] && return
    echo "demo: '$*' ended with status $status" >&2
    exit 1
}

step "1. A gRPC server that samples itself for ${DEMO_PROFILE:-20s}."
set -- "$bin" serve -l 127.0.0.1:0 --profile "${DEMO_PROFILE:-20s}" --exit \
    -o profile.pb --svg flamegraph.svg
set -- "$@" --debug off
printf '$ %s\n' "$*"
"$@" >"$said" &
server=$!
for _ in {1..100}; do
    grep -q '^listening on ' "$said" && break
    kill -0 "$server" 2>/dev/null || break
    sleep 0.1
done
cat "$said"
address=$(sed -n 's/^listening on //p' "$said" | head -n 1)
if [ -z "$address" ]; then
    echo 'demo: the server did not start' >&2
    exit 1
fi

job '2. 100 clients, 50 calls each: 5,000 calls.' \
    "$bin" load -c 100 -n 50 "$address"
job '3. That was a moment. Ten seconds of load, for samples enough to judge by.' \
    "$bin" load -c 10 -d "${DEMO_LOAD:-10s}" "$address"

step '4. The server ends its window, writes what it saw, and stops.'
wait "$server"
status=$?
server=''
if [ $status -ne 0 ]; then
    echo "demo: the server ended with status $status" >&2
    exit 1
fi

job '5. What the profile says, and how sure it is.' \
    "$bin" report profile.pb

step 'Done. Written here:'
cat <<EOF
  profile.pb       a pprof profile     $bin report profile.pb
  flamegraph.svg   a flame graph       xdg-open flamegraph.svg
EOF
