# A signal handler calls nothing that locks, allocates or prints, as gcc's call
# graph shows; and its signals disturb neither other threads nor other programs.
# runs: plain

# graph SOURCE NAME FLAGS...: write the call graph of SOURCE to $T/NAME.ci,
# without assembling
graph() {
    local source=$1 name=$2
    shift 2
    # shellcheck disable=SC2046 # lists of flags
    gcc -std=gnu11 -fasynchronous-unwind-tables -w -I. -fcallgraph-info=su \
        $(cat .build/probed) "$@" -S -o "$T/$name.s" "$source" 2>"$ERR"
}

calls() {
    need 'what signal handlers call' gcc || return
    if ! echo 'int x;' | gcc -fcallgraph-info=su -c -o "$T/x.o" -xc - \
        2>/dev/null; then
        missing 'what signal handlers call' 'this gcc draws no call graph'
        return
    fi
    graph grpcprof.c own -O0 ||
        { fail 'the call graph' "$(tail_of "$ERR")"; return; }
    tally 'what signal handlers call' "$PY" tests/profile/callgraph.py "$T/own.ci"

    # A copy with four mistakes: each must be found.  It is a copy of the
    # library, which has the whole sampler and is half as long.
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
    graph "$T/broken.c" broken -O0 -DGRPCPROF_LIBRARY ||
        { fail 'the broken copy' "$(tail_of "$ERR")"; return; }
    check 'the broken copy is seen through' 1 "$PY" tests/profile/callgraph.py \
        "$T/broken.ci"
    local what
    for what in 'malloc' 'free' 'smp_deeper: pthread_mutex_lock' \
        'smp_deep: .*pointer'; do
        has "the broken copy, $what" "$OUT" "^FAIL .*$what"
    done
}

# The same for the agent, whose only call through a pointer is that of the
# program's own handler.  It runs on the interrupted stack, which may be a
# coroutine's of 8 KiB, most of it taken by the kernel's frame.
agent_calls() {
    local what=agt_signal_sig
    graph grpcprof.c agent -O0 -DGRPCPROF_AGENT &&
        graph grpcprof.c stack -O2 -fPIC -DGRPCPROF_AGENT ||
        { fail "the agent's call graph" "$(tail_of "$ERR")"; return; }
    tally 'what the agent calls' "$PY" tests/profile/callgraph.py "$T/agent.ci"
    has 'the agent, its handler was looked at' "$T/tally" "^ok   $what "
    tally "the agent's stack" "$PY" tests/profile/callgraph.py "$T/stack.ci" \
        $what 1024

    awk '/^static int64_t agt_time_sig\(/ {
            print "static int (*agt_any)(const char *) = puts;"
            say = "agt_any(\"\");"
        }
        /^static void agt_unwind_sig\(/ {
            print "static pthread_mutex_t agt_lock;"
            say = "pthread_mutex_lock(&agt_lock);"
        }
        /^static void unw_skip_sig\(/ {
            say = "volatile char much[1024]; much[n & 1023] = 1;"
        }
        { print }
        /^{/ { print say; say = "" }' grpcprof.c >"$T/broken.c"
    graph "$T/broken.c" agent -O0 -DGRPCPROF_AGENT &&
        graph "$T/broken.c" stack -O2 -fPIC -DGRPCPROF_AGENT ||
        { fail 'the broken agent' "$(tail_of "$ERR")"; return; }
    check 'the broken agent is seen through' 1 "$PY" \
        tests/profile/callgraph.py "$T/agent.ci"
    has 'the broken agent, pointer' "$OUT" "^FAIL $what .*agt_time_sig: .*pointer"
    has 'the broken agent, lock' "$OUT" \
        "^FAIL $what .*agt_unwind_sig: pthread_mutex_lock"
    check 'the broken agent, stack' 1 "$PY" tests/profile/callgraph.py \
        "$T/stack.ci" $what 1024
    has 'the broken agent, where the stack goes' "$OUT" '^FAIL .* unw_skip_sig'
}

# What the agent adds to a program: no library but libc, no constructor but its
# own, no symbol but those that it replaces, no executable stack, and no more
# thread-local storage than a preloaded object may have.
agent_file() {
    local f=.build/agent.so names
    need 'what the agent brings along' readelf nm || return
    make -s $f 2>"$ERR" || { fail 'the agent' "$(tail_of "$ERR")"; return; }
    readelf -dW $f >"$T/dynamic"
    readelf -lW $f >"$T/segments"
    readelf -SW $f >"$T/sections"
    nm -D --undefined-only $f >"$T/wanted"
    names=$(sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' "$T/dynamic" | xargs)
    same 'the agent needs libc alone' "$names" libc.so.6
    # crt's frame_dummy and __do_global_dtors_aux, then agt_begin and agt_end
    for names in INIT FINI; do
        has "the agent has one function of its own in ${names}_ARRAY" \
            "$T/dynamic" "\(${names}_ARRAYSZ\) +16 "
    done
    names=$(nm -D --defined-only $f | awk '{ print $NF }' | LC_ALL=C sort |
        xargs)
    same 'the agent defines what it replaces' "$names" "_Exit __sysv_signal \
_exit bsd_signal execl execle execlp execv execve execveat execvp execvpe \
fexecve popen posix_spawn posix_spawnp prctl pthread_create pthread_sigmask \
sigaction siginterrupt signal sigpending sigprocmask sigtimedwait sigwait \
sigwaitinfo ssignal system sysv_signal"
    has "the agent's stack is not executable" "$T/segments" \
        '^ +GNU_STACK .* RW +0x'
    names=$(awk '$1 == "TLS" { print $6 }' "$T/segments")
    if [ "$((${names:-0}))" -le 16 ]; then
        pass 'the agent has 16 bytes for each thread at most'
    else
        fail 'the agent has 16 bytes for each thread at most' "$names"
    fi
    has 'the agent, no access to these allocates' "$T/dynamic" STATIC_TLS
    lacks 'the agent allocates nothing, takes no lock' "$T/wanted" \
        '__tls_get_addr|alloc|free|mutex|cond_|fopen|printf'
}

# Samples of other threads do not wake a thread that waits.
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

# No signal of the sampler reaches a program that a profiled one starts or
# execs.  EXECS is how often each way is tried; `make soak` sets 10.
execs() {
    local timer
    if ! make -s .build/execs 2>"$ERR"; then
        fail 'execs' "$(tail_of "$ERR")"
        return
    fi
    for timer in perf thread itimer wall; do
        tally "execs, $timer" .build/execs $timer "${EXECS:-1}"
    done
}

calls
if [ -s "$T/own.ci" ]; then agent_calls; fi
agent_file
undisturbed
execs
