#!/usr/bin/env bash
# What `make bench` runs: CPU time per call of two clients, load and h2load, and
# of serve when each calls it, on 127.0.0.1, with --work 0; then the CPU cost of
# samples (bench/sampler.c).
#   CALLS=N    calls per run (100000)      RUNS=N   runs of each (5)
# Each figure is a median with min..max, in us per call; the kinds of runs take
# turns, so that a noisy minute affects all of them.
set -u
cd "$(dirname "$0")/../.." || exit 1
calls=${CALLS:-100000} runs=${RUNS:-5} server='' hz=$(getconf CLK_TCK)
command -v h2load >/dev/null || { echo 'bench: needs h2load' >&2; exit 1; }
dir=$(mktemp -d) || exit 1
trap '[ -n "$server" ] && kill "$server"; rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
printf '\0\0\0\0\7\n\5world' >"$dir/request"

set -- -l 127.0.0.1:0 -w 0
if ./grpcprof help serve | grep -q -e '--debug'; then set -- "$@" --debug off; fi
./grpcprof serve "$@" >"$dir/said" 2>"$dir/err" &
server=$!
for _ in {1..100}; do grep -q '^listening' "$dir/said" && break; sleep 0.1; done
to=$(sed -n 's/^listening on //p' "$dir/said")
[ -n "$to" ] || { cat "$dir/err" >&2; exit 1; }

# CPU time of serve so far, in us.
used() { awk -v hz="$hz" '{ sub(/.*\) /, ""); printf "%d", ($12 + $13) * 1e6 / hz
    }' "/proc/$server/stat"; }
by_h2load() { # CLIENTS STREAMS
    h2load -t 1 -n "$calls" -c "$1" -m "$2" -d "$dir/request" \
        -H 'content-type: application/grpc' -H 'te: trailers' \
        "http://$to/helloworld.Greeter/SayHello"
}
by_load() {
    ./grpcprof load -t 1 -c "$1" -m "$2" -n $((calls / $1)) "$to"
}

# once KIND CLIENTS STREAMS: one run; adds a figure for client and for server
once() {
    local before client
    before=$(used)
    TIMEFORMAT='%U %S'
    client=$({ time "by_$1" "$2" "$3" >"$dir/out" 2>&1; } 2>&1) ||
        { cat "$dir/out" >&2; exit 1; }
    awk -v n="$calls" '{ print ($1 + $2) * 1e6 / n }' <<<"$client" \
        >>"$dir/client.$1.$2x$3"
    echo "$before $(used)" | awk -v n="$calls" '{ print ($2 - $1) / n }' \
        >>"$dir/server.$1.$2x$3"
}
figure() { # FILE: median (min..max)
    sort -n "$1" | awk '{ v[NR] = $1 } END { printf "%6.2f (%.2f..%.2f)",
        v[int((NR + 1) / 2)], v[1], v[NR] }'
}

for ((run = 0; run < runs; run++)); do
    for shape in 100:1 10:100 1:100; do
        for kind in load h2load; do once $kind "${shape%:*}" "${shape#*:}"; done
    done
done
echo "us of CPU time per call, $calls calls, median (min..max) of $runs runs"
printf '%-9s %-7s %-26s %s\n' 'clients x' client 'client' 'serve'
for shape in 100x1 10x100 1x100; do
    for kind in load h2load; do
        printf '%-9s %-7s %-26s %s\n' $shape $kind \
            "$(figure "$dir/client.$kind.$shape")" \
            "$(figure "$dir/server.$kind.$shape")"
    done
done
echo
if make -s .build/bench-sampler; then .build/bench-sampler; fi
