# What a signal handler may call: nothing that locks, allocates or prints, shown
# by the compiler's own call graph; and whom its signals disturb.
# runs: plain

# graph SOURCE NAME: the call graph of SOURCE, without inlining, in $T/NAME.ci
graph() {
    # shellcheck disable=SC2046 # lists of flags
    gcc -O0 -std=gnu11 -fasynchronous-unwind-tables -w -I. \
        -fcallgraph-info=su $(cat .build/probed) -c -o "$T/$2.o" "$1" \
        2>"$ERR"
}

calls() {
    need 'what signal handlers call' gcc || return
    if ! echo 'int x;' | gcc -fcallgraph-info=su -c -o "$T/x.o" -xc - \
        2>/dev/null; then
        missing 'what signal handlers call' 'this gcc draws no call graph'
        return
    fi
    graph grpcprof.c own ||
        { fail 'the call graph' "$(tail_of "$ERR")"; return; }
    tally 'what signal handlers call' "$PY" tests/profile/callgraph.py "$T/own.ci"

    # The same of a copy with four mistakes in it: none may go unseen.
    awk '/^static int64_t smp_time_sig\(/ {
            print "static int (*smp_any)(const char *) = puts;"
            print "static void smp_deeper(void)"
            print "{ pthread_mutex_lock(&smp_labels.lock); }"
            print "static void smp_deep(int n)"
            print "{ if (n) smp_any(\"\"); else smp_deeper(); }"
            say = "smp_deep(0);"
        }
        /^static bool smp_waiting_sig\(/ { say = "free(malloc(1));" }
        { print }
        /^{/ { print say; say = "" }' grpcprof.c >"$T/broken.c"
    graph "$T/broken.c" broken ||
        { fail 'the broken copy' "$(tail_of "$ERR")"; return; }
    check 'the broken copy is seen through' 1 "$PY" tests/profile/callgraph.py \
        "$T/broken.ci"
    local what
    for what in 'malloc' 'free' 'smp_deeper: pthread_mutex_lock' \
        'smp_deep: .*pointer'; do
        has "the broken copy, $what" "$OUT" "^FAIL .*$what"
    done
}

# A thread that only waits is not woken by the samples of the others.
undisturbed() {
    local file before woken samples
    start_server --profile 60s --timer perf || {
        missing 'perf' 'the perf engine is refused here'; return; }
    file=/proc/$SPID/task/$SPID/status
    before=$(awk '/^voluntary/ { print $2 }' "$file")
    check 'load while the main thread waits' 0 "$BIN" load -c 10 -d 2s \
        "127.0.0.1:$PORT"
    woken=$(($(awk '/^voluntary/ { print $2 }' "$file") - before))
    stop_server 'the main thread waited'
    samples=$("$BIN" report -f json "$SDIR/profile.pb" |
        "$PY" -c 'import json, sys
print(json.load(sys.stdin)["profile"]["samples"])')
    if [ "$((woken * 10))" -lt "$samples" ]; then
        pass 'samples of others do not wake the main thread'
    else
        fail 'samples of others do not wake the main thread' \
            "$woken times, $samples samples"
    fi
}

# Programs that replace a profiled one, or are started by it: no signal of the
# sampler reaches them.
execs() {
    local timer
    if ! make -s .build/execs 2>"$ERR"; then
        fail 'execs' "$(tail_of "$ERR")"
        return
    fi
    for timer in perf thread itimer wall; do
        tally "execs, $timer" .build/execs $timer 4
    done
}

calls
undisturbed
execs
