#!/usr/bin/env bash
# What `make bench-load` runs: CPU time per call of four clients of one
# `serve -t 1 -w 0` on 127.0.0.1: load, h2load, ghz, and sockets without a
# protocol (bench/floor.c), the cost that no client can go below.
#   ROUNDS=N   rounds (5); CALLS=N   calls per run (100000; ghz half)
# In a round each client has a run of each shape; every second round is in
# reverse order.  A ratio is the median of the rounds' ratios, with least and
# most.  A failed call ends the benchmark; h2load and ghz would exit 0.
# 10x10tls calls another serve, with a certificate made for the run, which load
# verifies.
# At the end: system calls per call, by strace, of load and h2load at 100 x 1.
set -u
cd "$(dirname "$0")/../.." || exit 1
rounds=${ROUNDS:-5} calls=${CALLS:-100000} server=''
dir=$(mktemp -d) || exit 1
trap 'kill $server; rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
command -v h2load >/dev/null || { echo 'bench-load: needs h2load' >&2; exit 1; }
ghz=$(sh tests/tools/tool.sh ghz) || echo 'bench-load: goes on without ghz' >&2
printf '\0\0\0\0\7\n\5world' >"$dir/request"
./grpcprof serve -q -t 1 -w 0 -l 127.0.0.1:0 --debug off >"$dir/said" &
server=$!
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
    -subj /CN=bench -addext subjectAltName=IP:127.0.0.1 -keyout "$dir/key" \
    -out "$dir/cert" 2>"$dir/log" || { cat "$dir/log" >&2; exit 1; }
./grpcprof serve -q -t 1 -w 0 -l 127.0.0.1:0 --debug off --tls-key "$dir/key" \
    --tls-cert "$dir/cert" >"$dir/secure" &
server="$server $!"
for _ in {1..100}; do
    grep -q '^listening' "$dir/said" && grep -q '^listening' "$dir/secure" && break
    sleep 0.1
done
to=$(sed -n 's/^listening on //p' "$dir/said")
secure=$(sed -n 's/^listening on //p' "$dir/secure")

by_load() { # CLIENTS STREAMS [CONNECTIONS]
    ./grpcprof load -q -t 1 -c "$1" -m "$2" -N "$calls" \
        --connections "${3:-$1}" "$to"
}
by_h2load() {
    h2load -t 1 -n "$calls" -c "$1" -m "$2" -d "$dir/request" \
        -H 'content-type: application/grpc' -H 'te: trailers' \
        "http://$to/helloworld.Greeter/SayHello"
}
by_load_tls() {
    ./grpcprof load -q -t 1 -c "$1" -m "$2" -N "$calls" --tls \
        --cacert "$dir/cert" "$secure"
}
by_h2load_tls() {
    h2load -t 1 -n "$calls" -c "$1" -m "$2" -d "$dir/request" \
        -H 'content-type: application/grpc' -H 'te: trailers' \
        "https://$secure/helloworld.Greeter/SayHello"
}
by_ghz() {
    "$ghz" --insecure --proto proto/helloworld.proto \
        --call helloworld.Greeter.SayHello -d '{"name":"world"}' -c "$1" \
        --connections "${3:-$1}" -n $((calls / 2)) "$to"
}

by_floor() {
    .build/bench/floor -2 -c "$1" -m "$2" -n "$calls" "${to##*:}"
}

# well CLIENT N: did its last run make N calls, all of them successful?
well() {
    case $1 in
    load) tr -d , <"$dir/out" | grep -qE "done +$2 ok +0 failed +0 cut off" ;;
    floor) grep -q "^$2 " "$dir/out" ;;
    h2load) grep -q "requests: $2 total.* $2 succeeded, 0 failed" "$dir/out" &&
        grep -q "status codes: $2 2xx" "$dir/out" ;;
    ghz) grep -qE "Count:[[:space:]]+$2$" "$dir/out" &&
        grep -qE "\[OK\][[:space:]]+$2 responses" "$dir/out" &&
        [ "$(grep -c ' responses' "$dir/out")" -eq 1 ] ;;
    esac
}

# once CLIENT SHAPE: one run; adds its CPU time per call, in us, to the figures
once() {
    local c m k n=$calls used by=$1 TIMEFORMAT='%U %S'
    IFS=x read -r c m k <<<"${2%tls}"
    [ "$2" = "${2%tls}" ] || by=$1_tls
    [ "$1" = ghz ] && n=$((calls / 2))
    used=$({ time "by_$by" "$c" "$m" ${k:+"$k"} >"$dir/out" 2>&1; } 2>&1) ||
        { cat "$dir/out" >&2; exit 1; }
    well "$1" "$n" || {
        echo "bench-load: not all calls of $1 at $2 went well" >&2
        cat "$dir/out" >&2
        exit 1
    }
    awk -v n="$n" -v what="$2 $1" '{ printf "%s %.4f\n", what,
        ($1 + $2) * 1e6 / n }' <<<"$used" >>"$dir/figures"
}

# round SHAPE CLIENT...: a run of each, in reverse order in every second round
round() {
    local shape=$1 client n=$(($# - 1)) k
    shift
    for ((k = 1; k <= n; k++)); do
        client=$((i % 2 ? n + 1 - k : k))
        once "${!client}" "$shape"
    done
}

for ((i = 0; i < rounds; i++)); do
    for shape in 100x1 10x10 1x100; do round $shape h2load load floor; done
    round 10x10tls h2load load
    [ -n "$ghz" ] || continue
    for shape in 100x1x100 100x1x1; do round $shape ghz load; done
done
./grpcprof --version
h2load --version | head -n 1
[ -n "$ghz" ] && echo "ghz $(sed -n 's/.*bojand.ghz v\([^ ]*\).*/\1/p' \
    tests/tools/ghz/go.mod)"
echo "client CPU time per call, us, median (least..most) of $rounds rounds"
echo 'shape: clients x calls in flight each [x connections]; tls: by TLS 1.3'
awk '
function sorted(v, n, i, j, t) {
    for (i = 2; i <= n; i++)
        for (j = i; j > 1 && v[j - 1] > v[j]; j--) {
            t = v[j]; v[j] = v[j - 1]; v[j - 1] = t
        }
}
{ key = $1 " " $2; if (!(key in n)) order[++kinds] = key; v[key, ++n[key]] = $3 }
END {
    for (k = 1; k <= kinds; k++) {
        key = order[k]; split(key, w, " ")
        for (i = 1; i <= n[key]; i++) a[i] = v[key, i]
        sorted(a, n[key])
        m = int((n[key] + 1) / 2)
        printf "%-10s %-7s %7.2f (%.2f..%.2f)", w[1], w[2], a[m], a[1],
            a[n[key]]
        if (w[2] != "load") {
            own = w[1] " load"
            for (i = 1; i <= n[key]; i++) a[i] = v[own, i] / v[key, i]
            sorted(a, n[key])
            printf "   load to it %.3f (%.3f..%.3f)", a[m], a[1], a[n[key]]
        }
        print ""
    }
}' "$dir/figures"
# traced CLIENT: print its system calls per call at 100 x 1
traced() {
    calls=50000
    if strace -c -f -o "$dir/strace" bash -c "$(declare -f "by_$1")
        dir='$dir' to='$to' calls=$calls; exec 2>&1; by_$1 100 1" \
        >"$dir/out" && well "$1" $calls; then
        awk -v n=$calls -v who="$1" '$NF == "total" { printf \
            "%s at 100 x 1: %.2f system calls per call\n", who, $4 / n }' \
            "$dir/strace"
    else
        echo "$1 at 100 x 1: n/a system calls per call"
    fi
}
if command -v strace >/dev/null; then
    traced load
    traced h2load
else
    echo 'system calls per call: n/a, no strace here'
fi
