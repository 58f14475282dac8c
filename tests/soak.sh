#!/usr/bin/env bash
# What `make soak` runs: load, profile and report again and again under
# ASan+UBSan, for at most MINUTES (10).  Ends early at the first failure.
#   First the sampler at its hardest, with churn.c in the server: a minute
# (CHURN seconds) at 10,000 Hz, and one at 1000 Hz under TSan, which delays
# signals, so that there only races, replies and crashes are judged.
#   In each round one server lives through several loads, some of which are
# interrupted; its descriptors and its memory must not grow from load to load.
set -u
cd "$(dirname "$0")/.." || exit 1
bin=$PWD/.build/grpcprof-asan end=$((SECONDS + ${MINUTES:-10} * 60))
# What is freed goes round in a small quarantine: memory is measured below.
export ASAN_OPTIONS=exitcode=99:detect_leaks=1:quarantine_size_mb=8
export UBSAN_OPTIONS=print_stacktrace=1
root=$PWD
dir=$(mktemp -d) || exit 1
server='' round=0 also=()
trap '[ -n "$server" ] && kill -KILL "$server" 2>/dev/null; rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
also=(--debug off)

die() {
    echo "FAIL round $round: $*" >&2
    head -n 40 "$dir/serve.err" >&2
    tail -n 30 "$dir/serve.err" "$dir/out" >&2
    exit 1
}
# expect STATUS CMD...
expect() {
    local status=$1
    shift
    timeout -k 5 120 env --default-signal=INT "$@" >"$dir/out" 2>&1
    local got=$?
    [[ " $status " == *" $got "* ]] || die "status $got, want $status: $*"
}
resident() { awk '/VmRSS/ { print $2 }' "/proc/$server/status"; }
descriptors() { find "/proc/$server/fd" -mindepth 1 | wc -l; }

one_round() {
    local first=0 fds=0 i
    rm -f "$dir/serve.out"              # the ready line of the one before
    (cd "$dir" && exec "$bin" serve -l 127.0.0.1:0 --profile 15s -w 2000 \
        "${also[@]}" >serve.out 2>serve.err) &
    server=$!
    for i in {1..200}; do
        grep -q '^listening' "$dir/serve.out" && break
        sleep 0.1
    done
    to=$(sed -n 's/^listening on //p' "$dir/serve.out")
    [ -n "$to" ] || die 'serve does not start'
    for i in {1..6}; do
        expect 0 "$bin" load -c $((i * 7)) -n 60 "$to"
        expect 0 "$bin" load -c 2 -d 1s "$to"
        # An interrupted client leaves half-done calls behind.
        expect '130 124' timeout -s INT 0.$i "$bin" load -c 9 -n 100000 "$to"
        [ "$i" -eq 2 ] && first=$(resident) fds=$(descriptors)
    done
    sleep 0.5
    [ "$(descriptors)" -le $((fds + 2)) ] ||
        die "descriptors grew from $fds to $(descriptors)"
    [ "$(resident)" -le $((first * 3 / 2 + 50000)) ] ||
        die "memory grew from $first to $(resident) KiB"
    kill -TERM "$server"
    wait "$server" || die "serve ended with status $?"
    server=''
    for f in text md json svg folded top; do
        expect 0 "$bin" report -f $f "$dir/profile.pb"
    done
}

# churn BINARY HZ: no deadlock, no crash, no wrong reply, no race
churn() {
    local seconds=${CHURN:-60} i
    rm -f "$dir/serve.out"
    (cd "$dir" && LD_PRELOAD=$root/.build/churn.so \
        TSAN_OPTIONS=exitcode=66 exec "$1" serve -l 127.0.0.1:0 --exit \
        --hz "$2" --profile $((seconds + 3))s "${also[@]}" \
        >serve.out 2>serve.err) &
    server=$!
    for i in {1..200}; do
        grep -q '^listening' "$dir/serve.out" && break
        sleep 0.1
    done
    to=$(sed -n 's/^listening on //p' "$dir/serve.out")
    [ -n "$to" ] || die 'serve does not start'
    expect 0 ./grpcprof load -c 20 -d "${seconds}s" "$to"
    for i in {1..600}; do
        kill -0 "$server" 2>/dev/null || break
        sleep 0.1
    done
    kill -0 "$server" 2>/dev/null && die 'serve does not end: a deadlock?'
    wait "$server" || die "serve ended with status $?"
    server=''
    grep -qE 'Sanitizer' "$dir/serve.err" && die 'a sanitizer is angry'
    expect 0 ./grpcprof report "$dir/profile.pb"
    grep -h '^churn' "$dir/serve.err"
    grep -E 'Samples  |Rate  |Lost  |accounted' "$dir/out"
    echo "ok   ${1##*/} at $2 Hz for $seconds s"
}
# Groups of test.sh that have a longer form, or checks for a quiet machine.
H2SPEC_RUNS=5 bash test.sh h2spec || exit 1
HONEST_SECONDS=60 bash test.sh honest || exit 1
WINDOWS=500 bash test.sh busy || exit 1
EXECS=10 bash test.sh signal || exit 1
MEMORY_CALLS=10000000 EXACT=1 bash test.sh result || exit 1
EXACT=1 bash test.sh open || exit 1
COUNTS='-d 60s' bash test.sh counts || exit 1
EXACT=1 bash test.sh truth || exit 1
make -s fuzz || exit 1
mkdir "$dir/floods"
for b in ./grpcprof "$bin"; do
    PYTHONPATH=tests/lib /usr/bin/python3 tests/report/floods.py "$b" "$dir/floods" \
        $([ "$b" = "$bin" ] && echo 8000 || echo 1600) 1000000 >"$dir/out" 2>&1
    grep -v '^ok ' "$dir/out"
    grep -q '^FAIL' "$dir/out" && die 'a profile that asks for much'
done

churn "$PWD/grpcprof" 10000
churn "$PWD/.build/grpcprof-tsan" 1000

while [ $SECONDS -lt $end ]; do
    round=$((round + 1))
    one_round
    echo "ok   round $round, $((end - SECONDS)) s left"
done
echo "$round passed, 0 failed"
