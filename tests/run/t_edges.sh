# Programs that a profiler could break, under `grpcprof run`: unusual exits,
# signals, descriptors, forks, sandboxes.  Output and status must be the same as
# alone, and the CPU time must be sampled.
# runs: plain
# long

. tests/run/run.sh

# ---- ends ----

ends() {
    local n
    edge 'return' '' '--hz 1000' burn
    edge 'return 7' '' '--hz 1000' exit 7
    edge '_exit' '' '--hz 1000' _exit 9
    edge 'exit_group, raw' '' '--hz 1000' rawexit 9
    for n in 15 2 9; do edge "signal $n" '' '--hz 1000' signal $n; done
    edge 'abort' '' '--hz 1000' abort
    edge 'SIGSEGV' '' '--hz 1000' segv
    edge 'children that exit' '' '--hz 1000' fork
    edge 'children that _exit' '' '--hz 1000' fork_exit
    left_behind 'a daemon' daemon
    left_behind 'a child of a child' dfork
    rm -f "$T/pty.used"
    judge pty 'SIGINT from a terminal' "$BIN" run -q --hz 1000 -o "$T/pty.pb" \
        --svg none -- "$EDGE" -s 0.1 -u "$T/pty.used" ready
    check 'SIGINT from a terminal: the profile' 0 "$BIN" report -q "$T/pty.pb"
    forwarded
    not_forwarded
    run_killed
    many_children 'children waited for at once' reaped
    many_children 'children that are zombies' zombies
}
# many_children NAME MODE: more children end than run has room for; the last one
# uses CPU.
many_children() {
    edge "$1" none '--hz 1000' "$2" 1500
    check "$1: the profile" 0 "$BIN" report -q -f json "$T/${1// /-}.pb"
    holds "$1: the last is sampled" "$OUT" 'r["profile"]["total"] > 400e6'
}
# left_behind NAME MODE: run ends with the program that it started; processes
# that this one leaves behind run on to their end.
left_behind() {
    rm -f "$T/$2.used"
    alone "$EDGE" -s 0 "$2"
    profiled "$2" --hz 1000 -- "$EDGE" -u "$T/$2.used" "$2"
    as_alone "$1"
    check "$1: the profile" 0 "$BIN" report -q -f json "$T/$2.pb"
    wait_for 30 burned "$T/$2.used"
    check "$1: goes on to its end" 0 burned "$T/$2.used"
}
burned() { awk '$2 > 5e8 { n = 1 } END { exit !n }' "$1"; }
# run passes signals on to the program.
says_ready() { grep -q '^ready' "$T/bg.out" || ! kill -0 "$PID"; }
forwarded() {
    local s
    for s in TERM INT HUP USR1; do
        bg "$BIN" run -q --hz 1000 -o "$T/forward.pb" --svg none -- "$EDGE" \
            -s 0.1 -u "$T/forward.used" ready
        wait_for 30 says_ready
        rm -f "$T/forward.used"
        kill -$s "$PID"
        ended "$PID" 20
        same "SIG$s to run: the status" "$ST" $((128 + $(kill -l $s)))
        check "SIG$s to run: the profile" 0 "$BIN" report -q "$T/forward.pb"
    done
}
# Signals that run must not pass on: they are not meant for the program, or it
# got them already.
not_forwarded() {
    alone setsid -w "$EDGE" group
    limited setsid -w "$BIN" run -q -o "$T/group.pb" --svg none -- "$EDGE" \
        group >"$OUT" 2>"$ERR"
    ST=$?
    as_alone 'a signal to its process group'
    { limited "$BIN" run --hz 1000 -o "$T/pipe.pb" --svg none -- "$EDGE" \
        -s 0.02 exit 7
      echo $? >"$T/pipe.status"; } 2>&1 >/dev/null | sleep 0
    same 'nobody reads stderr: the status' "$(cat "$T/pipe.status")" 7
    check 'SIGCHLD ignored' 7 "$PY" -c 'import os, signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
os.execv(sys.argv[1], sys.argv[1:])' "$BIN" run -q -o "$T/chld.pb" --svg none \
        -- "$EDGE" -s 0.02 exit 7
}
stat_ticks() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }
used_more() { [ "$(stat_ticks "$1")" -ge $(($2 + 20)) ]; }
run_killed() {
    local child before
    bg "$BIN" run -q --hz 1000 -o "$T/killed.pb" --svg none -- "$EDGE" \
        -s 0.1 ready
    wait_for 30 says_ready
    child=$(child_of "$PID")
    kill -KILL "$PID"
    wait "$PID" 2>/dev/null
    before=$(stat_ticks "$child")
    wait_for 30 used_more "$child" "$before"
    if used_more "$child" "$before"; then pass 'run is killed: all goes on'
    else fail 'run is killed: all goes on' "child '$child'"; fi
    kill -TERM "$child" 2>/dev/null
}

# ---- odd programs ----

odd() {
    local hz=$1 engine=$2 also
    also="--hz $hz --timer $engine"
    edge "signals blocked ($engine)" "${LEAST[$engine]}" "$also" block
    edge "signals blocked by the kernel ($engine)" 'sampled=0' "$also" rawblock
    edge "signals set to default ($engine)" "${LEAST[$engine]}" "$also" resetall
    edge "sigwait for all ($engine)" 'sampled=0 whole=.95' "$also" sigwait
    edge "its own SIGPROF ($engine)" "${LEAST[$engine]}" "$also" sigprof
    edge "its own SIGTRAP ($engine)" "${LEAST[$engine]}" "$also" sigtrap
    edge "EINTR ($engine)" none "--hz 5000 --timer $engine" eintr 150
    edge "descriptors closed ($engine)" "${LEAST[$engine]}" "$also" closefd
    edge "environment cleared ($engine)" 'sampled=0' "$also" clearenv 0.3
    edge "coroutines ($engine)" none "$also" coro
    # Timers sample them as if each continued the one before it.
    edge "short threads ($engine)" "${LEAST[$engine]:-none}" "$also" \
        threads 1000
    edge "exec chain ($engine)" none "--hz 5000 --timer $engine" execchain 50
    edge "forks ($engine)" none "--hz 5000 --timer $engine" forkstorm 300
    edge "spawns ($engine)" none "--hz 5000 --timer $engine" spawnstorm 150
    edge "forks, exec ($engine)" none "--hz 5000 --timer $engine" forkexec 150
    edge "vforks ($engine)" none "--hz 5000 --timer $engine" vfork 150
    edge "system and popen ($engine)" none "--hz 5000 --timer $engine" shell 20
    edge "dlopen ($engine)" none "--hz 5000 --timer $engine" dlstorm 200
    LIMIT=100 alone_once "$THROW" 3000
    profiled throw --hz 5000 --timer "$engine" -- "$THROW" 3000
    as_alone "exceptions ($engine)"
    edge "signal() of X/Open ($engine)" "${LEAST[$engine]}" "$also" sysv
    edge "a handler left by longjmp ($engine)" none "$also" longjmp
    alone_once "$EDGE" sandbox
    profiled sandbox --hz 1000 --timer "$engine" -- "$EDGE" sandbox
    as_alone "a sandbox ($engine)"
    edge "seccomp in the program ($engine)" none "$also" seccomp "$EDGE" \
        burn 0.2
}
# What timers can promise: they send a signal if a tick of the kernel finds the
# thread on a CPU, which on a busy machine can take 100 ms of CPU time.
FEW='sampled=0.1'
declare -A LEAST=([perf]='' [thread]=$FEW)

# see_alike NAME SETTING CMD...: run CMD after the shell commands SETTING, alone
# and under run.  Does it see the same environment, but for run's variables?
see_alike() {
    local name=$1 set="$2; exec \"\$@\""
    shift 2
    alone bash -c "$set" bash "$@"
    limited bash -c "$set" bash "$BIN" run -q -o "$T/sees.pb" --svg none -- \
        "$@" >"$OUT" 2>"$ERR"
    ST=$?
    sed -i "/^env LD_PRELOAD=/d; /^env GRPCPROF_/d; s:$T/.*:FILE:" "$OUT" \
        "$T/alone"
    as_alone "$name"
}
# A program without the agent, started by one with it, has its own signal mask.
unreached() {
    # shellcheck disable=SC2016 # for bash
    local show=(bash -c 'exec "$0" show' "$EDGE")
    alone "${show[@]}"
    profiled unreached --no-children --timer thread -- "${show[@]}"
    sed -i "/^env /d; s:$T/.*:FILE:" "$OUT" "$T/alone"
    as_alone 'an exec that is not followed'
}
sees() {
    local inner='ulimit -n 64; cd /; umask 027; exec -a name "$0" show'
    see_alike 'what a program sees' true env SOME=thing "$EDGE" show a 'b c' ''
    see_alike 'signals ignored' 'trap "" HUP QUIT USR2 PROF' "$EDGE" show
    see_alike 'descriptors, open and closed' 'exec 7</dev/null <&-' "$EDGE" show
    see_alike 'limits' 'ulimit -n 64 -c 0 -s 4096; umask 077; cd /' "$EDGE" show
    see_alike 'nohup in between' true nohup "$EDGE" show
    see_alike 'a shell in between' true bash -c "$inner" "$EDGE"
    check 'a core file has no memory of ours' 0 "$BIN" run -q \
        -o "$T/core.pb" --svg none -- sed -n \
        '/grpcprof-run/,/^VmFlags/s/^VmFlags/&/p' /proc/self/smaps
    has 'a core file has no memory of ours: the flag' "$OUT" '^VmFlags.* dd( |$)'
    unreached
    see_alike 'standard input' "exec <$ROOT/README" cat
}

preloaded() {
    local library name='jemalloc preloaded'
    library=$(PATH=$PATH:/sbin:/usr/sbin ldconfig -p |
        sed -n 's/.*libjemalloc\.so\.2 .*=> //p' | head -n 1)
    [ -n "$library" ] || { missing "$name" 'no libjemalloc.so.2 here'; return; }
    rm -f "$T/jemalloc.used"
    check "$name" 7 env LD_PRELOAD="$library" "$BIN" run -q --hz 1000 \
        -o "$T/jemalloc.pb" --svg none -- env MALLOC_CONF=stats_print:true \
        "$EDGE" -u "$T/jemalloc.used" exit 7
    has "$name: the program uses it" "$ERR" 'Begin jemalloc statistics'
    judge cpu "$name" "$BIN" "$T/jemalloc.pb" used="$T/jemalloc.used"
}

# A thread made by a library's constructor, before the agent's constructor ran.
early_thread() {
    printf '%s\n' '#include <pthread.h>' 'static pthread_t t;' \
        'static void *burn(void *a)' \
        '{ for (volatile long i = 0; i < 300000000; i++) ; return a; }' \
        'void wait_for_it(void) { pthread_join(t, 0); }' \
        '__attribute__((constructor)) static void begin(void)' \
        '{ pthread_create(&t, 0, burn, 0); }' >"$T/early.c"
    echo 'void wait_for_it(void); int main(void) { wait_for_it(); return 7; }' \
        >"$T/early-main.c"
    check 'an early thread is built' 0 gcc -shared -fPIC -o "$T/libearly.so" \
        "$T/early.c"
    check 'an early thread is built into' 0 gcc -o "$T/early" \
        "$T/early-main.c" "$T/libearly.so" -Wl,-rpath,"$T"
    check 'an early thread' 7 "$BIN" run -q --timer thread -o "$T/early.pb" \
        --svg none -- "$T/early"
    check 'an early thread: the profile' 0 "$BIN" report -q -f json \
        "$T/early.pb"
    holds 'an early thread is sampled' "$OUT" \
        'any(f["name"] == "burn" for f in r["applications"])'
}

# Processes in other PID namespaces.
namespaces() {
    local name='a pid namespace'
    unshare -p -f true 2>/dev/null ||
        { skip "$name" 'no right to make one'; return; }
    check "$name: the status" 7 "$BIN" run -o "$T/namespace.pb" --svg none -- \
        unshare -p -f "$EDGE" -s 0.02 exit 7
    has "$name: says that it was not sampled" "$ERR" 'pid namespace'
}

# A library that has to be preloaded first keeps the agent out.
sanitized() {
    local name='AddressSanitizer'
    echo 'int main(void) { return 7; }' >"$T/asan.c"
    gcc -fsanitize=address -o "$T/asan" "$T/asan.c" 2>"$T/asan.err" ||
        { missing "$name" 'no libasan here'; return; }
    limited "$BIN" run --hz 99 -o "$T/asan.pb" --svg none -- "$T/asan" \
        >"$OUT" 2>"$ERR"
    ST=$?
    has "$name: says why the agent is not loaded" "$ERR" "$name"
    lacks "$name: the program starts" "$ERR" 'does not come first'
    # 1: nor may the kernel sample it
    grep -q 'nor can the kernel' "$ERR" || same "$name: the status" "$ST" 7
}

# If run itself may not call perf_event_open, it uses timers.
without_perf() {
    check 'seccomp: the program runs' 0 "$EDGE" seccomp "$BIN" run --hz 1000 \
        -o "$T/seccomp.pb" --svg none -- "$EDGE" -u "$T/seccomp.used" burn
    has 'seccomp: says which engine' "$ERR" 'thread'
    judge cpu 'seccomp' "$BIN" "$T/seccomp.pb" used="$T/seccomp.used" \
        "$FEW"
}

# ---- with few rights ----

# Make a folder in /tmp that everybody can read and write.
open_folder() {
    OPEN=$(mktemp -d /tmp/grpcprof-run.XXXXXX) && chmod 755 "$OPEN" &&
        mkdir -m 777 "$OPEN/out" && cp "$BIN" "$EDGE" "$OPEN"
}
as_nobody() {
    setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all \
        --bounding-set=-all "$@"
}
nobody() {
    local level name='nobody'
    level=$(cat /proc/sys/kernel/perf_event_paranoid 2>/dev/null)
    if [ "$level" != 2 ]; then
        skip "$name" "perf_event_paranoid is ${level:-not here}, not 2"
        return
    elif ! as_nobody true 2>/dev/null; then
        skip "$name" 'no right to become nobody'
        return
    fi
    local run=("$OPEN/grpcprof" run --hz 1000 --svg none)
    check "$name: the program runs" 7 as_nobody "${run[@]}" \
        -o "$OPEN/out/nobody.pb" -- "$OPEN/edge" -u "$OPEN/out/used" exit 7
    judge cpu "$name" "$BIN" "$OPEN/out/nobody.pb" used="$OPEN/out/used" \
        "$FEW"
    cp "$EDGE" "$OPEN/setuid" && chmod 4755 "$OPEN/setuid"
    check "$name: a set-user-ID program is refused" 1 as_nobody "${run[@]}" \
        -o "$OPEN/out/setuid.pb" -- "$OPEN/setuid" burn
    one_line "$name: the refusal names the reason" '[Ss]et-?u(ser-)?id'
}

# in_mounts SCRIPT: run it where mounts are its own; / and /tmp are read-only
# (ro) or cannot be executed from (noexec), and $OPEN is at /mnt.
in_mounts() {
    local how=$1
    shift
    # shellcheck disable=SC2016 # for sh
    unshare -m sh -c 'mount --bind "$1" /mnt &&
        for d in /tmp /var/tmp /dev/shm /run; do
            mount -t tmpfs -o "$2" none $d || exit
        done && { [ "$2" != ro ] || mount -o remount,bind,ro /; } &&
        cd / && shift 2 && exec "$@"' sh "$OPEN" "$how" "$@"
}
file_systems() {
    local how
    for how in ro noexec; do
        if ! in_mounts $how true 2>"$T/mounts"; then
            skip "file systems, $how" "$(tail_of "$T/mounts")"
            continue
        fi
        check "file systems, $how: the program runs" 0 in_mounts $how \
            /mnt/grpcprof run --hz 1000 -o /mnt/out/$how.pb --svg none -- \
            /mnt/edge -u /mnt/out/$how.used burn
        judge cpu "file systems, $how" "$BIN" "$OPEN/out/$how.pb" \
            used="$OPEN/out/$how.used"
    done
}
permitted_little() {
    open_folder || { fail 'a folder for all' "$OPEN"; return; }
    nobody
    file_systems
    rm -rf "$OPEN"
}

odd_all() {
    local engine
    for engine in perf thread; do odd 1000 $engine; done
}
with_programs ends sees odd_all preloaded early_thread namespaces sanitized \
    without_perf permitted_little
