#!/usr/bin/env bash
# What `make bench-serve` runs: CPU time per call of serve and of other servers,
# on 127.0.0.1, all called by the same `grpcprof load -t 1`.
#   ROUNDS=N     rounds (15); in a round each server has a run of each shape
#   EACH=S       seconds per run (0.9), or
#   CALLS=N      calls per run
#   SHAPES=...   clients x streams (100x1 10x100 1x100)
#   SERVERS=...  some of those below; ratios refer to the first (all)
#   WORK=N       iterations per call, for a second table (50000; 0: none)
#   WORK_ROUNDS=N   its rounds (7)
#   IDLE=...     numbers of idle connections (1000 10000; empty: none)
# The servers:
#   bare       nghttp2 and as little else as possible (bench/bare.c)
#   serve      grpcprof serve -t 1
#   serve-all  grpcprof serve, a loop for each CPU
#   tonic, go, cpp   bench/tonic, bench/go, bench/cpp, with their usual threads
#   floor      no protocol at all, and a client of its own (bench/floor.c)
# One that cannot be built is named and left out.
#
# All servers run all the time, and are called in turn; each round begins with
# another one.  A ratio is the median of the rounds' ratios, because runs that
# follow each other share the noise of their minute; [low high] is that
# median's 95% interval by the sign test, which takes six rounds or more.  The
# default takes ten minutes; ROUNDS=3 CALLS=20000 WORK_ROUNDS=1, two.
set -u
cd "$(dirname "$0")/../.." || exit 1
rounds=${ROUNDS:-15} each=${EACH:-0.9} calls=${CALLS:-} work=${WORK:-50000}
shapes=${SHAPES:-100x1 10x100 1x100} idle=${IDLE-1000 10000}
work_rounds=${WORK_ROUNDS:-7}
servers=${SERVERS:-bare serve serve-all tonic go cpp floor}
peers=.build/bench
declare -A pid to                   # by server: its process and address
under=()
dir=$(mktemp -d) || exit 1
trap 'stop_all; rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
hard=$(ulimit -Hn)                  # a descriptor for each idle connection
ulimit -n "$hard"

say() { echo "bench-serve: $*" >&2; }

# Set the array command to the words that start SERVER with WORK.
command_of() { # SERVER WORK
    case $1 in
    floor) command=("$peers/floor") ;;
    bare) command=("$peers/bare" -w "$2") ;;
    serve*)
        command=(./grpcprof serve -q -l 127.0.0.1:0 -w "$2")
        ./grpcprof help serve | grep -q -e '--debug' && command+=(--debug off)
        [ "$1" = serve ] && command+=(-t 1)
        ;;
    *) command=("$peers/$1" -port 0 -work "$2") ;;
    esac
}

# start SERVER WORK: set its pid and to; false if it prints no address
start() {
    local command
    command_of "$1" "$2"
    : >"$dir/said"                  # it may have an earlier server's address
    "${command[@]}" >"$dir/said" 2>"$dir/err" &
    pid[$1]=$!
    for _ in {1..100}; do
        grep -q '^listening' "$dir/said" && break
        sleep 0.1
    done
    to[$1]=$(sed -n 's/^listening on //p' "$dir/said")
    [ -n "${to[$1]}" ] && return
    cat "$dir/err" >&2
    stop "$1"
    return 1
}
stop() { # SERVER
    kill "${pid[$1]}" 2>/dev/null
    wait "${pid[$1]}" 2>/dev/null
    unset "pid[$1]"
}
stop_all() { for s in "${!pid[@]}"; do stop "$s"; done; }

# load SERVER SHAPE [LIMIT...]: run load and set ok and rps.  LIMIT bounds the
# run, else EACH or CALLS does; the array under has the words of a tracer.
load() {
    local s=$1 c=${2%x*} m=${2#*x} limit=(-d "$each")
    [ -n "$calls" ] && limit=(-n "$calls")
    shift 2
    [ $# -gt 0 ] && limit=("$@")
    if [ "$s" = floor ]; then
        "${under[@]}" "$peers/floor" -c "$c" -m "$m" "${limit[@]}" \
            "${to[$s]#*:}" >"$dir/out" 2>"$dir/err" || return
        read -r ok rps <"$dir/out"
        return
    fi
    if [ "${limit[0]}" = -n ]; then limit[0]=-N; else limit[1]+=s; fi
    "${under[@]}" ./grpcprof load -q -t 1 -c "$c" -m "$m" "${limit[@]}" \
        -f json "${to[$s]}" >"$dir/out" 2>"$dir/err" || return
    ok=$(sed -n 's/^  "ok":\([0-9]*\),$/\1/p' "$dir/out")
    rps=$(sed -n 's/.*"rps_ok":\([0-9]*\).*/\1/p' "$dir/out")
}
failed() { # SERVER SHAPE
    say "$1 failed calls at $2:"
    head -c 1000 "$dir/err" "$dir/out" >&2
    exit 1
}

# used SERVER: print its CPU time so far, in ns, after a pause for what is left
used() { sleep 0.03; "$peers/used" "${pid[$1]}"; }

# once TABLE ROUND SHAPE SERVER: one run; adds its result to the figures
once() {
    local before after
    before=$(used "$4")
    load "$4" "$3" || failed "$4" "$3"
    after=$(used "$4")
    awk -v ns=$((after - before)) -v n="$ok" -v what="$*" -v rps="$rps" \
        'BEGIN { printf "%s %.4f %s\n", what, ns / n / 1000, rps }' \
        >>"$dir/figures"
}

# counter: print which of perf and strace can count system calls here, or none
counter() {
    if perf stat -e raw_syscalls:sys_enter -x, -o "$dir/perf" true \
        2>/dev/null && grep -q '^[0-9]' "$dir/perf"; then echo perf
    elif strace -c -o "$dir/strace" true 2>/dev/null; then echo strace
    else echo none; fi
}

# syscalls SERVER SHAPE: system calls per call, in a short run
syscalls() {
    local n='' tracer under=()
    case $counter in
    perf)
        under=(perf stat -e raw_syscalls:sys_enter -x, -o "$dir/perf"
            -p "${pid[$1]}" --)
        load "$1" "$2" -d 0.3 || failed "$1" "$2"
        n=$(awk -F, '/raw_syscalls/ { print $1 }' "$dir/perf")
        ;;
    strace)
        strace -c -f -o "$dir/strace" -p "${pid[$1]}" 2>/dev/null &
        tracer=$!
        sleep 0.3
        load "$1" "$2" -d 0.3 || failed "$1" "$2"
        kill "$tracer"
        wait "$tracer"
        n=$(awk '$NF == "total" { print $4 }' "$dir/strace")
        ;;
    esac
    awk -v n="$n" -v ok="${ok:-1}" \
        'BEGIN { if (n == "") print "n/a"; else printf "%.3f\n", n / ok }'
}

# table TABLE WORK ROUNDS: measure
table() {
    local n round shape turn i s here=()
    for s in $servers; do
        [ "$s" = floor ] && [ "$2" != 0 ] && continue
        start "$s" "$2" || { say "$s does not start"; exit 1; }
        here+=("$s")
    done
    n=${#here[@]}
    for shape in $shapes; do        # also to warm up
        for s in "${here[@]}"; do
            echo "$1 $shape $s $(syscalls "$s" "$shape")" >>"$dir/syscalls"
        done
    done
    for ((round = 1; round <= $3; round++)); do
        [ -t 2 ] && printf 'work %s: round %d of %d\r' "$2" "$round" "$3" >&2
        for shape in $shapes; do
            for ((i = 0; i < n; i++)); do
                turn=$(((round + i) % n))
                once "$1" "$round" "$shape" "${here[turn]}"
            done
        done
    done
    stop_all
}

# show TABLE: what it showed
show() {
    awk -v table="$1" -v shapes="$shapes" -v servers="$servers" -v ours=serve \
        -f tests/bench/table.awk "$dir/syscalls" "$dir/figures"
}

# memory: KiB of each of so many idle connections, to a server just started; and
# of 1,000 that have made 1,000 calls each
memory() {
    local n s line
    printf '%-10s' server
    for n in $idle; do printf '  %10s' "of $n"; done
    printf '  %10s' 'after 1000'
    echo
    for s in $servers; do
        [ "$s" = floor ] && continue
        printf '%-10s' "$s"
        for n in $idle; do
            start "$s" 0 || exit 1
            load "$s" 1x1 -n 10 || failed "$s" 1x1
            line=$(/usr/bin/python3 tests/bench/idle.py "${to[$s]#*:}" \
                "${pid[$s]}" "$n") || line='n/a'
            stop "$s"
            printf '  %10s' "${line% *}"
        done
        start "$s" 0 || exit 1
        line=$(/usr/bin/python3 tests/bench/idle.py "${to[$s]#*:}" \
            "${pid[$s]}" 1000 1000) || line='n/a'
        stop "$s"
        printf '  %10s' "${line% *}"
        echo
    done
}

# flat: print the resident KiB of serve after a tenth and after all of 1,000,000
# calls over 100 connections, and the same of 1,000 connections
flat() {
    local i first
    rss() { awk '/^Rss:/ { print $2 }' "/proc/${pid[serve]}/smaps_rollup"; }
    start serve 0 || exit 1
    for i in {1..10}; do
        load serve 100x1 -n 100000 || failed serve 100x1
        [ "$i" = 1 ] && first=$(rss)
    done
    echo "1,000,000 calls: $first KiB after a tenth, $(rss) at their end"
    for i in {1..20}; do
        load serve 50x1 -n 1000 || failed serve 50x1
        [ "$i" = 2 ] && first=$(rss)
    done
    echo "1,000 connections: $first KiB after a tenth, $(rss) at their end"
    stop serve
}

# versions: print the versions of what is measured, one per line
versions() {
    local s
    ./grpcprof --version
    for s in $servers; do
        case $s in
        bare) sed -n 's/#define NGHTTP2_VERSION "\(.*\)"/bare: nghttp2 \1/p' \
            /usr/include/nghttp2/nghttp2ver.h ;;
        go) sed -n 's/^\tgoogle.golang.org.grpc /go: grpc-go /p' \
            tests/bench/go/go.mod ;;
        tonic) sed -n '/^name = "tonic"$/{n; s/.*"\(.*\)"/tonic: tonic \1/p;}' \
            tests/bench/tonic/Cargo.lock ;;
        cpp) echo "cpp: grpc C++ $(pkg-config --modversion grpc++)" ;;
        esac
    done
    echo "$(uname -sr), $(nproc) CPUs,$(sed -n 's/^model name[^:]*://p' \
        /proc/cpuinfo | head -n 1)"
}

# usable: keep in servers only those that can be built and started
usable() {
    local s built=''
    for s in $servers; do
        if [[ $s != serve* ]] && ! make -s "$peers/$s" >"$dir/log" 2>&1; then
            tail -n 3 "$dir/log" >&2
            say "goes on without $s, which does not build"
            continue
        fi
        if ! start "$s" 0; then
            say "goes on without $s, which does not start"
            continue
        fi
        load "$s" 1x1 -n 10 || failed "$s" 1x1
        stop "$s"
        built="$built $s"
    done
    servers=${built# }
}

make -s "$peers/used" >&2 || exit 1
counter=$(counter)
usable
versions
table 0 0 "$rounds"
printf '\nCPU time of the server, work 0, %d rounds\n' "$rounds"
show 0
if [ "$work" != 0 ]; then
    table 1 "$work" "$work_rounds"
    printf '\nCPU time of the server, work %s, %d rounds\n' "$work" \
        "$work_rounds"
    show 1
fi
if [ -n "$idle" ]; then
    printf '\nresident memory of an idle connection, KiB\n'
    memory
    [[ " $servers " == *' serve '* ]] && flat
fi

echo
/usr/bin/python3 tests/bench/pool.py "$peers/used" "$work_rounds"
echo
/usr/bin/python3 tests/bench/work.py "$peers/used" "$work_rounds"
