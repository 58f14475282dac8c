#!/usr/bin/env bash
# truth.sh [PART] -- what `make truth` runs: long measurements and simulations
# that compare the program's figures with known values.  Without PART, all:
#   sim      simulated profiles of equal programs with phases: how often they
#            are called different, how often intervals cover the truth: 10 s
#   clock    CPU time of handlers: samples and the server's own clock: 3 minutes
#   grid     bursts of work between sleeps, by timers perf and thread: 5 minutes
#   pairs    profiles of an unchanged server, and of one whose handler takes 20%
#            more CPU: alone, then beside a busy loop: 25 minutes
#   load     results of load: of equal runs, and of a worse p99: 7 minutes
# Each part is a function below, with a time limit.  Exits 1 if one failed.  A
# busy machine makes the intervals wider.
set -u
cd "$(dirname "$0")/.." || exit 1
PARTS=${1:-sim clock grid pairs load} PY=/usr/bin/python3 failed=0

sim() { make -s .build/sim && timeout -k 5 600 .build/sim; }
clock() { timeout -k 5 400 "$PY" tests/truth/clock.py ./grpcprof; }

grid() {
    make -s .build/sleeper &&
        timeout -k 5 600 "$PY" tests/truth/grid.py ./grpcprof .build/sleeper
}
pairs() {
    timeout -k 5 900 "$PY" tests/truth/pairs.py ./grpcprof &&
        timeout -k 5 900 "$PY" tests/truth/pairs.py ./grpcprof 30 3 busy
}
load() { timeout -k 5 900 "$PY" tests/truth/load.py ./grpcprof; }

for part in $PARTS; do
    declare -F "$part" >/dev/null ||
        { echo "truth: no part $part; see tests/truth.sh" >&2; exit 2; }
    echo "== $part"
    "$part" || { echo "FAIL $part"; failed=1; }
done
exit "$failed"
