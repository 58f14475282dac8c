# producers: profiles of real programs by real profilers, read by report.
# long
#
# The programs of tests/tools/hot spend most of their time in audit_orders,
# which only calls libraries.  They run at the same time, each until it has used
# a given CPU time; if that gave too few samples for a verdict, it runs again
# for twice as long.

hot=tests/tools/hot
PRODUCED=()

# produce NAME CMD...: start CMD, which makes a profile; its output is in
# $T/NAME.log.
produce() {
    timeout -k 5 120 "${@:2}" </dev/null >"$T/$1.log" 2>&1 &
    STARTED+=($!) PRODUCED+=($!)
}
# Does the profile FILE... have enough samples for a verdict?
enough() { "$PY" tests/report/producers.py enough "$BIN" "$@"; }
# Run CMD with twice the CPU time until FILE has enough samples: timers that the
# kernel's tick drives deliver fewer on a busy or slow machine.
repeat() {
    local name=$1 file=$2 seconds=$3 try
    shift 3
    for try in 1 2 3 4 5; do
        rm -f "$file"
        timeout -k 5 120 "${@//CPU_SECONDS/$seconds}" </dev/null \
            >"$T/$name.log" 2>&1
        [ -s "$file" ] && ! enough "$file" 2>>"$T/$name.log" || return
        seconds=$(awk -v s="$seconds" 'BEGIN { print 2 * s }')
    done
}
# produce_enough NAME FILE SECONDS CMD...: start CMD, which makes FILE, with
# SECONDS for the CPU_SECONDS in its arguments, as often as it takes.
produce_enough() {
    repeat "$@" &
    STARTED+=($!) PRODUCED+=($!)
}
# produced NAME FILE: did it make FILE?
produced() {
    [ -s "$2" ] && return
    fail "$1: the profile is made" "$(tail_of "$T/$1.log")"
    return 1
}
producers() { tally "$2" "$PY" tests/report/producers.py "$1" "$2" "$BIN" "${@:3}"; }

# ---- Go, by net/http/pprof ----

GO_KINDS='heap allocs goroutine mutex block threadcreate'
make_go() {
    need 'Go' hotgo pprof curl || return
    produce Go "$HOTGO" "$T/go.url"
    wait_for 20 [ -s "$T/go.url" ] || return
    local url i kind
    read -r url <"$T/go.url"
    # Go takes 100 samples per second of CPU; a busy machine leaves it few.
    for i in {1..40}; do
        curl -sf -o "$T/go.cpu.$i.pb" "$url/debug/pprof/profile?seconds=2"
        enough "$T"/go.cpu.*.pb 2>/dev/null && break
    done
    for kind in $GO_KINDS; do
        curl -sf -o "$T/go.$kind.pb" "$url/debug/pprof/$kind"
        curl -sf -o "$T/go.$kind.txt" "$url/debug/pprof/$kind?debug=1"
    done
    kill "$!" 2>/dev/null
}
check_go() {
    [ -e "$T/go.url" ] && produced Go "$T/go.threadcreate.txt" || return
    producers hot Go main.audit_orders "$T"/go.cpu.*.pb
    producers rows 'Go cpu' "$PPROF" "$T/go.cpu.1.pb"
    producers round 'Go cpu' "$T/go.cpu.1.pb"
    local kind
    for kind in $GO_KINDS; do
        producers rows "Go $kind" "$PPROF" "$T/go.$kind.pb"
        producers rows "Go $kind, debug=1" "$PPROF" "$T/go.$kind.txt"
    done
    producers round 'Go heap' "$T/go.heap.pb"
    check 'Go heap, debug=1, by its comments' 0 "$BIN" report -f folded \
        --sample alloc_space "$T/go.allocs.txt"
    has 'Go heap, debug=1, names' "$OUT" 'main\.place_order;.*regexp\.'
}

# ---- Node, by --cpu-prof ----

make_node() {
    need 'Node' node || return
    produce_enough Node "$T/node.cpuprofile" 1.2 node --cpu-prof \
        --cpu-prof-dir="$T" --cpu-prof-name=node.cpuprofile $hot/hot.js \
        CPU_SECONDS
}
check_node() {
    [ -e "$T/Node.log" ] && produced Node "$T/node.cpuprofile" || return
    producers hot Node audit_orders "$T/node.cpuprofile"
    node tests/report/cpuprofile.js "$T/node.cpuprofile" >"$T/node.table"
    producers self Node cpu "$T/node.table" "$T/node.cpuprofile"
    producers round Node "$T/node.cpuprofile"
}

# ---- Python, by py-spy ----

make_python() {
    need 'Python' spy || return
    local form
    for form in raw speedscope; do
        produce_enough "Python-$form" "$T/python.$form" 1 "$SPY/bin/py-spy" \
            record -r 400 -f $form -o "$T/python.$form" -- "$PY" $hot/hot.py \
            CPU_SECONDS
    done
}
# py-spy says how many samples it took.
pyspy_samples() { sed -n 's/.*Samples: \([0-9]*\).*/\1/p' "$T/Python-$1.log"; }
check_python() {
    [ -e "$T/Python-raw.log" ] || return
    if ! [ -s "$T/python.raw" ] && grep -q 'Permission denied' "$T/Python-raw.log"
    then
        skip 'Python' 'py-spy may not read memory of its child here'
        return
    fi
    produced Python-raw "$T/python.raw" || return
    producers hot Python audit_orders "$T/python.raw"
    "$PY" tests/report/producers.py folded "$T/python.raw" >"$T/python.table"
    producers self 'Python, raw' samples "$T/python.table" "$T/python.raw"
    producers total 'Python, raw, py-spy took as many samples' samples \
        "$(pyspy_samples raw)" "$T/python.raw"
    producers round 'Python, raw' "$T/python.raw"
    produced Python-speedscope "$T/python.speedscope" || return
    producers hot 'Python, speedscope' audit_orders "$T/python.speedscope"
    producers round 'Python, speedscope' "$T/python.speedscope"
}

# ---- C, by perf ----

make_c() { "${CC:-gcc}" -O1 -g -fno-omit-frame-pointer -o "$T/hot" $hot/hot.c; }
make_perf() {
    need 'perf' perf || return
    if ! perf record -q -o "$T/perf.try" true 2>"$T/perf.log"; then
        skip 'perf' "perf may not record here: $(tail_of "$T/perf.log")"
        return
    fi
    produce perf perf record -q -F 999 -g -o "$T/perf.data" "$T/hot" 1
}
check_perf() {
    [ -e "$T/perf.try" ] && produced perf "$T/perf.data" || return
    perf script -i "$T/perf.data" >"$T/perf.txt" 2>/dev/null
    perf report -i "$T/perf.data" --stdio --no-children -g none \
        --percent-limit 0 -F sample,period,dso,sym >"$T/perf.report" 2>/dev/null
    "$PY" tests/report/producers.py perf "$T/perf.report" >"$T/perf.table"
    producers self perf cpu "$T/perf.table" "$T/perf.txt"
    producers round perf "$T/perf.txt"
    need 'perf, folded by inferno' collapse || return
    "$COLLAPSE" "$T/perf.txt" >"$T/perf.folded" 2>"$T/perf.log"
    "$PY" tests/report/producers.py folded "$T/perf.folded" >"$T/inferno.table"
    producers self 'perf, folded by inferno' cpu "$T/inferno.table" \
        "$T/perf.folded"
    producers total 'perf, folded by inferno, the total of perf' cpu \
        "$(awk '{ n += $1 } END { print n }' "$T/perf.table")" "$T/perf.folded"
    # Periods of a clock are all the same: a sample's weight is found again.
    grep -q 'cpu-clock' "$T/perf.txt" &&
        producers total 'perf, folded by inferno, samples' samples \
            "$(grep -c '^[^[:space:]].* cpu-clock' "$T/perf.txt")" \
            "$T/perf.folded"
    check 'perf, folded by inferno, json' 0 "$BIN" report -q -f json \
        -o "$T/perf.json" "$T/perf.folded"
    holds 'perf, folded by inferno: what has no name is not the application' \
        "$T/perf.json" '"[unknown]" not in [a["name"] for a in r["applications"]]'
}

# ---- C, by gperftools ----

# library NAME FILE: set $LIBRARY to the path of FILE, or SKIP the check NAME.
library() {
    LIBRARY=$(PATH=$PATH:/sbin:/usr/sbin ldconfig -p |
        sed -n "s/^[[:space:]]$2 .*=> //p" | head -n 1)
    [ -n "$LIBRARY" ] || { missing "$1" "no $2 here"; return 1; }
}
make_gperftools() {
    need 'gperftools' pprof g++ || return
    if library 'gperftools, CPU' libprofiler.so.0; then
        produce gperftools-CPU env LD_PRELOAD="$LIBRARY" \
            CPUPROFILE="$T/gperf.cpu" CPUPROFILE_FREQUENCY=500 "$T/hot" 1
    fi
    if [ -n "$LIBRARY" ]; then          # no names but those of the program
        g++ -O1 -fPIE -pie -o "$T/cart" tests/lib/cart.cc 2>"$T/cart.log" &&
            produce gperftools-C++ env LD_PRELOAD="$LIBRARY" \
                CPUPROFILE="$T/cart.cpu" CPUPROFILE_FREQUENCY=500 \
                "$T/cart" 0.5 0
    fi
    library 'gperftools, heap' libtcmalloc.so.4 || return
    produce gperftools-heap env LD_PRELOAD="$LIBRARY" HEAPPROFILE="$T/gperf" \
        HEAP_PROFILE_ALLOCATION_INTERVAL=4000000 "$T/hot" 0.5
    g++ -O1 -o "$T/grow" $hot/grow.cc -ltcmalloc 2>"$T/grow.log" &&
        produce gperftools-growth "$T/grow" "$T/gperf.growth"
}
check_gperftools() {
    if [ -e "$T/gperftools-CPU.log" ] && produced gperftools-CPU "$T/gperf.cpu"
    then
        producers rows 'gperftools, CPU' "$PPROF" "$T/gperf.cpu"
        producers round 'gperftools, CPU' "$T/gperf.cpu"
    fi
    if [ -e "$T/gperftools-C++.log" ] && produced gperftools-C++ "$T/cart.cpu"
    then
        check 'gperftools, C++' 0 "$BIN" report -f folded "$T/cart.cpu"
        has 'gperftools, C++: names of a PIE' "$OUT" \
            '(^|;)shop::Cart::total\(int\) [0-9]+$'
    fi
    [ -e "$T/gperftools-heap.log" ] || return
    if produced gperftools-heap "$T/gperf.0002.heap"; then
        producers rows 'gperftools, heap' "$PPROF" "$T/gperf.0002.heap"
        producers round 'gperftools, heap' "$T/gperf.0002.heap"
    fi
    if [ ! -e "$T/gperftools-growth.log" ]; then
        missing 'gperftools, growth' "$(tail_of "$T/grow.log")"
    elif produced gperftools-growth "$T/gperf.growth"; then
        producers rows 'gperftools, growth' "$PPROF" "$T/gperf.growth"
    fi
}

# ---- C, by jemalloc ----

make_jemalloc() {
    need 'jemalloc' jeprof && library 'jemalloc' libjemalloc.so.2 || return
    local also conf=prof:true,prof_final:true,lg_prof_sample:14
    for also in false true; do
        produce jemalloc-$also env LD_PRELOAD="$LIBRARY" \
            MALLOC_CONF="$conf,prof_accum:$also,prof_prefix:$T/je-$also" \
            "$T/hot" 0.4
    done
}
# jeprof rounds the number of each stack.
jeprof_total() {
    jeprof --text --show_bytes --"$1" "$T/hot" "$2" 2>/dev/null |
        sed -n 's/^Total: \([0-9]*\) .*/\1+-9/p'
}
check_jemalloc() {
    local also kind file
    for also in false true; do
        [ -e "$T/jemalloc-$also.log" ] || return
        if grep -q 'Invalid conf pair: prof' "$T/jemalloc-$also.log"; then
            skip 'jemalloc' 'built without profiling'
            return
        fi
        file=$(echo "$T/je-$also".*.heap)
        produced jemalloc-$also "$file" || return
        for kind in inuse_space inuse_objects \
            $([ $also = true ] && echo alloc_space alloc_objects); do
            producers total "jemalloc, prof_accum:$also, $kind" $kind \
                "$(jeprof_total $kind "$file")" "$file"
        done
        producers round "jemalloc, prof_accum:$also" "$file"
    done
}

# ---- Rust, by pprof-rs ----

make_rust() {
    need 'Rust' hotrust pprof || return
    produce_enough Rust "$T/rust.pb" 1.8 "$HOTRUST" CPU_SECONDS "$T/rust.pb"
}
check_rust() {
    [ -e "$T/Rust.log" ] && produced Rust "$T/rust.pb" || return
    producers hot Rust hot::audit_orders "$T/rust.pb"
    producers rows Rust "$PPROF" "$T/rust.pb"
    producers round Rust "$T/rust.pb"
}

# ---- Java, by async-profiler ----

# With C1 only: the compiler C2 would use more CPU than the program itself.
make_java() {
    need 'Java' java hotjava || return
    local how=start,event=ctimer,interval=1ms,collapsed
    produce_enough Java "$T/java.folded" 1.8 java -XX:TieredStopAtLevel=1 \
        -cp "$HOTJAVA" \
        "-agentpath:$HOTJAVA/libasyncProfiler.so=$how,file=$T/java.folded" \
        Hot CPU_SECONDS
}
check_java() {
    [ -e "$T/Java.log" ] && produced Java "$T/java.folded" || return
    producers hot Java Hot.audit_orders "$T/java.folded"
    "$PY" tests/report/producers.py folded "$T/java.folded" >"$T/java.table"
    producers self Java samples "$T/java.table" "$T/java.folded"
    producers round Java "$T/java.folded"
}

make_c
for p in java rust node python perf gperftools jemalloc go; do make_$p; done
wait "${PRODUCED[@]}"
for p in go node python perf gperftools jemalloc rust java; do check_$p; done
