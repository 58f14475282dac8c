# `grpcprof run`: programs that nobody built for it give the same output and
# status as alone, and their CPU time is sampled with whole stacks.
# runs: plain
# long

EDGE=$ROOT/.build/edge THROW=$ROOT/.build/throw
judge() { LIMIT=120 tally "$2" "$PY" tests/run/run.py "$@"; }

# profiled NAME OPTION... -- CMD...: run CMD; its output is in $OUT and $ERR, its
# status in $ST, its profile in $T/NAME.pb
profiled() {
    local name=$1
    shift
    rm -f "$T/$name.pb"
    limited "$BIN" run -q -o "$T/$name.pb" --svg none "$@" >"$OUT" 2>"$ERR"
    ST=$?
}
# alone CMD...: the same without a profiler; its output is in $T/alone
alone() {
    limited "$@" >"$T/alone" 2>"$T/alone.err"
    ALONE=$?
}
# alone_once CMD...: the same, but once for all engines.
alone_once() {
    local kept=$T/kept-${*//[^a-zA-Z0-9]/-}
    if [ -e "$kept.status" ]; then
        cp "$kept" "$T/alone"
        ALONE=$(<"$kept.status")
        return
    fi
    alone "$@"
    cp "$T/alone" "$kept"
    echo "$ALONE" >"$kept.status"
}
# as_alone NAME: were the output and status of both the same?
as_alone() {
    same "$1: the status" "$ST" "$ALONE"
    if cmp -s "$OUT" "$T/alone"; then pass "$1: the output"
    else fail "$1: the output" "$(diff "$T/alone" "$OUT" | tail -n 4)"; fi
}

# edge NAME LIMITS OPTIONS MODE...: run a mode of edge.c alone and profiled, and
# judge the profile by what the program used.
edge() {
    local name=$1 limits=$2 options=$3 file
    shift 3
    file=${name//[^a-z0-9]/-}
    rm -f "$T/$file.used"
    alone_once "$EDGE" "$@"
    # shellcheck disable=SC2086 # lists of words
    profiled "$file" $options -- "$EDGE" -u "$T/$file.used" "$@"
    as_alone "$name"
    # shellcheck disable=SC2086
    [ "$limits" = none ] || judge cpu "$name" "$BIN" "$T/$file.pb" \
        used="$T/$file.used" $limits
}

# ---- servers ----

# The process that PID started.
child_of() { tr -d ' ' <"/proc/$1/task/$1/children"; }

# A Greeter below run: greeter NAME CALLS FIRST CMD...; FIRST matches the first
# function of the application, and is empty where its names are stripped.
listens() { grep -q '^listening on ' "$T/bg.out" || ! kill -0 "$PID"; }
address_of_bg() {
    wait_for 30 listens
    ADDRESS=$(sed -n 's/^listening on //p' "$T/bg.out" | head -n 1)
}
greeter() {
    local name=$1 calls=$2 first=$3 file=${1//[^a-z0-9]/-} child
    shift 3
    bg "$BIN" run -q --hz 1000 -o "$T/$file.pb" --svg none -- "$@"
    address_of_bg
    [ -n "$ADDRESS" ] ||
        { fail "$name: starts" "$(tail_of "$T/bg.err")"; return; }
    child=$(child_of "$PID")
    check "$name: is loaded" 0 "$BIN" load -q -c 4 -N "$calls" "$ADDRESS"
    kill -TERM "$PID"
    ended "$PID" 30
    rm -f "/tmp/perf-$child.map"        # node's
    same "$name: the status" "$ST" 0
    same "$name: says nothing else" "$(cat "$T/bg.err")" ''
    cp "$T/bg.out" "$T/$file.lines"
    judge lines "$name" "$T/$file.lines" "$calls"
    judge cpu "$name" "$BIN" "$T/$file.pb" lines="$T/$file.lines" \
        ${first:+roots=yes}
    [ -z "$first" ] || judge first "$name" "$BIN" "$T/$file.pb" "$first"
}

servers() {
    if need 'tonic' tonic; then
        greeter 'tonic' 8000 'greeter::spin' "$TONIC" -work 400000 -sum 1
        check 'tonic: comments' 0 "$BIN" report -q -f raw "$T/tonic.pb"
        has 'tonic: its workers have one name' "$OUT" 'threads_alike=[1-9]'
        strip -o "$T/greeter" "$TONIC"
        greeter 'tonic, stripped' 8000 '' "$T/greeter" -work 400000 -sum 1
    fi
    need 'grpc C++' grpc_cpp_plugin grpccpp &&
        greeter 'grpc C++' 8000 'spin' "$GRPCCPP" -work 400000 -sum 1
    need 'python3-grpcio' py:grpc &&
        greeter 'python3-grpcio' 4000 '' "$PY" tests/run/greeter.py 2000
    need 'grpc-js' node || return
    greeter 'grpc-js' 500 'spin' env -C "$T" NODE_PATH="$NODE" node \
        --perf-basic-prof --interpreted-frames-native-stack \
        "$ROOT/tests/run/greeter.js" 4000000
}

# ---- the two lines of README ----

# load --profile asks run's endpoint, and its report divides by the calls.
two_lines() {
    local name=$1 cmd=("${@:2}") port file=${1//[^a-z0-9]/-}
    bg "$BIN" run --debug 127.0.0.1:0 -- "${cmd[@]}"
    address_of_bg
    port=$(grep -ohE 'http://127\.0\.0\.1:[0-9]+' "$T/bg.out" "$T/bg.err" |
        head -n 1)
    [ -n "$ADDRESS" ] && [ -n "$port" ] ||
        { fail "$name: run says where its endpoint is" "$(tail_of \
            "$T/bg.err")"; return; }
    check "$name: load --profile" 0 "$BIN" load -c 4 -N 4000 -f json \
        --profile="$port" --profile-hz 1000 --profile-out "$T/$file-load.pb" \
        -o "$T/$file.json" "$ADDRESS"
    kill -TERM "$PID"
    ended "$PID" 30
    judge first "$name, load --profile" "$BIN" "$T/$file-load.pb" spin
    judge loop "$name, load --profile" "$BIN" "$T/$file-load.pb" "$T/bg.out" \
        '(^|::)spin\b'
    check "$name: CPU per call by function" 0 "$BIN" report -q -f json \
        -o "$T/$file-load.json" "$T/$file-load.pb"
    holds "$name: calls" "$T/$file-load.json" 'r["calls"]["total"] == 4000'
    holds "$name: CPU per call of the loop" "$T/$file-load.json" \
        'r["applications"][0]["per_call_ns"] > 0'
}
readme_lines() {
    need 'tonic: two lines' tonic &&
        two_lines 'tonic' "$TONIC" -work 1000000 -sum 1
    need 'grpc C++: two lines' grpc_cpp_plugin grpccpp &&
        two_lines 'grpc C++' "$GRPCCPP" -work 1000000 -sum 1
}

# ---- programs with processes ----

nginx_conf() {
    printf '%s\n' "worker_processes 2; daemon off; pid $T/nginx.pid;" \
        "error_log $T/nginx.err; events { worker_connections 256; }" \
        "http { access_log off; client_body_temp_path $T/n1;" \
        "proxy_temp_path $T/n2; fastcgi_temp_path $T/n3;" \
        "uwsgi_temp_path $T/n4; scgi_temp_path $T/n5; server {" \
        "listen unix:$T/nginx.sock; location / { return 200 hello; } } }"
}
nginx_workers() {
    local nginx
    PATH=$PATH:/usr/sbin need 'nginx' nginx h2load || return
    nginx=$(PATH=$PATH:/usr/sbin command -v nginx)
    nginx_conf >"$T/nginx.conf"
    bg "$BIN" run -q --hz 1000 -o "$T/nginx.pb" --svg none -- "$nginx" \
        -c "$T/nginx.conf"
    wait_for 20 [ -S "$T/nginx.sock" ] ||
        { fail 'nginx: starts' "$(tail_of "$T/bg.err")"; return; }
    check 'nginx: answers' 0 h2load --h1 -n 60000 -c 10 -t 1 \
        -B "unix:$T/nginx.sock" http://x/
    has 'nginx: answers all' "$OUT" '60000 succeeded'
    kill -TERM "$PID"
    ended "$PID" 30
    same 'nginx: the status' "$ST" 0
    judge cpu 'nginx' "$BIN" "$T/nginx.pb"
    judge processes 'nginx' "$BIN" "$T/nginx.pb" nginx=2
}

redis() {
    need 'redis' redis-server redis-benchmark || return
    bg "$BIN" run -q --hz 1000 -o "$T/redis.pb" --svg none -- redis-server \
        --port 0 --unixsocket "$T/redis.sock" --save '' --dir "$T"
    wait_for 20 [ -S "$T/redis.sock" ] ||
        { fail 'redis: starts' "$(tail_of "$T/bg.err")"; return; }
    check 'redis: answers' 0 redis-benchmark -s "$T/redis.sock" -q -n 80000 \
        -t set,get,lpush
    kill -TERM "$PID"
    ended "$PID" 30
    same 'redis: the status' "$ST" 0
    judge cpu 'redis' "$BIN" "$T/redis.pb"
}

compile() {
    local how dir
    need 'gcc -j2' gcc make || return
    # shellcheck disable=SC2016 # for make
    printf '%s\n' 'all: execs.o edge.o throw.o' \
        "execs.o:; gcc -O2 -I$ROOT -c -o \$@ $ROOT/tests/profile/execs.c" \
        "edge.o:; gcc -O2 -c -o \$@ $ROOT/tests/run/edge.c" \
        "throw.o:; g++ -O2 -c -o \$@ $ROOT/tests/run/throw.cc" >"$T/Makefile"
    for how in alone profiled; do
        dir=$T/compile-$how
        mkdir -p "$dir"
        if [ $how = alone ]; then alone make -C "$dir" -f ../Makefile -j2
        else profiled compile --hz 1000 -- make -C "$dir" -f ../Makefile -j2; fi
    done
    same 'gcc: the status' "$ST" "$ALONE"
    for how in execs edge throw; do
        check "gcc: the same $how.o" 0 cmp "$T"/compile-*/$how.o
    done
    judge cpu 'gcc' "$BIN" "$T/compile.pb" sampled=0.8
    judge processes 'gcc' "$BIN" "$T/compile.pb" cc1=2 cc1plus=1
}

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
        --svg none -- "$EDGE" -u "$T/pty.used" ready
    check 'SIGINT from a terminal: the profile' 0 "$BIN" report -q "$T/pty.pb"
    forwarded
    not_forwarded
    run_killed
    many_children 'children waited for at once' reaped
    many_children 'children that are zombies' zombies
}
# many_children NAME MODE: more children than run has rows end, then one burns.
many_children() {
    edge "$1" none '--hz 1000' "$2" 1500
    check "$1: the profile" 0 "$BIN" report -q -f json "$T/${1// /-}.pb"
    holds "$1: the last is sampled" "$OUT" 'r["profile"]["total"] > 400e6'
}
# left_behind NAME MODE: run ends with the program that it started; what that
# leaves behind runs to its end.
left_behind() {
    rm -f "$T/$2.used"
    alone "$EDGE" "$2"
    profiled "$2" --hz 1000 -- "$EDGE" -u "$T/$2.used" "$2"
    as_alone "$1"
    check "$1: the profile" 0 "$BIN" report -q -f json "$T/$2.pb"
    wait_for 30 burned "$T/$2.used"
    check "$1: goes on to its end" 0 burned "$T/$2.used"
}
burned() { awk '$2 > 5e8 { n = 1 } END { exit !n }' "$1"; }
# A signal to run goes to the program.
says_ready() { grep -q '^ready' "$T/bg.out" || ! kill -0 "$PID"; }
forwarded() {
    local s
    for s in TERM INT HUP USR1; do
        bg "$BIN" run -q --hz 1000 -o "$T/forward.pb" --svg none -- "$EDGE" \
            -u "$T/forward.used" ready
        wait_for 30 says_ready
        rm -f "$T/forward.used"
        kill -$s "$PID"
        ended "$PID" 20
        same "SIG$s to run: the status" "$ST" $((128 + $(kill -l $s)))
        check "SIG$s to run: the profile" 0 "$BIN" report -q "$T/forward.pb"
    done
}
# Signals that are not meant for the program, or that it has already.
not_forwarded() {
    alone setsid -w "$EDGE" group
    limited setsid -w "$BIN" run -q -o "$T/group.pb" --svg none -- "$EDGE" \
        group >"$OUT" 2>"$ERR"
    ST=$?
    as_alone 'a signal to its process group'
    { limited "$BIN" run --hz 1000 -o "$T/pipe.pb" --svg none -- "$EDGE" exit 7
      echo $? >"$T/pipe.status"; } 2>&1 >/dev/null | sleep 0
    same 'nobody reads stderr: the status' "$(cat "$T/pipe.status")" 7
    check 'SIGCHLD ignored' 7 "$PY" -c 'import os, signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
os.execv(sys.argv[1], sys.argv[1:])' "$BIN" run -q -o "$T/chld.pb" --svg none \
        -- "$EDGE" exit 7
}
stat_ticks() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }
used_more() { [ "$(stat_ticks "$1")" -ge $(($2 + 20)) ]; }
run_killed() {
    local child before
    bg "$BIN" run -q --hz 1000 -o "$T/killed.pb" --svg none -- "$EDGE" ready
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
    # Timers sample them as if one went on where the other ended.
    edge "short threads ($engine)" "${LEAST[$engine]:-none}" "$also" \
        threads 1000
    edge "exec chain ($engine)" none "--hz 5000 --timer $engine" execchain 50
    edge "forks ($engine)" none "--hz 5000 --timer $engine" forkstorm 300
    edge "spawns ($engine)" none "--hz 5000 --timer $engine" spawnstorm 150
    edge "forks, exec ($engine)" none "--hz 5000 --timer $engine" forkexec 150
    edge "vforks ($engine)" none "--hz 5000 --timer $engine" vfork 150
    edge "system and popen ($engine)" none "--hz 5000 --timer $engine" shell 20
    edge "dlopen ($engine)" none "--hz 5000 --timer $engine" dlstorm 200
    LIMIT=100 alone "$THROW" 3000
    profiled throw --hz 5000 --timer "$engine" -- "$THROW" 3000
    as_alone "exceptions ($engine)"
    edge "signal() of X/Open ($engine)" "${LEAST[$engine]}" "$also" sysv
    edge "a handler left by longjmp ($engine)" none "$also" longjmp
    alone "$EDGE" sandbox
    profiled sandbox --hz 1000 --timer "$engine" -- "$EDGE" sandbox
    as_alone "a sandbox ($engine)"
    edge "seccomp in the program ($engine)" none "$also" seccomp "$EDGE" burn
}
# What can be asked of timers: they send a signal if a tick of the kernel finds
# the thread on a CPU, which on a busy machine can take 100 ms of CPU time.
FEW='sampled=0.1'
declare -A LEAST=([perf]='' [thread]=$FEW)

# see_alike NAME SETTING CMD...: CMD after the shell commands SETTING, alone and
# below run.  But for the agent in LD_PRELOAD, it sees the same.
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
# A program that the agent does not reach has the mask that it would have.
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

# A thread that the constructor of a library made, before the agent's ran.
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

# Processes that have another idea of their ids.
namespaces() {
    local name='a pid namespace'
    unshare -p -f true 2>/dev/null ||
        { skip "$name" 'no right to make one'; return; }
    check "$name: the status" 7 "$BIN" run -o "$T/namespace.pb" --svg none -- \
        unshare -p -f "$EDGE" exit 7
    has "$name: says that it was not sampled" "$ERR" 'pid namespace'
}

# A library that must be the first keeps the agent out.
sanitized() {
    local name='AddressSanitizer'
    gcc -g -w -fsanitize=address -o "$T/asan" tests/run/edge.c 2>"$T/asan.err" ||
        { missing "$name" 'no libasan here'; return; }
    limited "$BIN" run --hz 99 -o "$T/asan.pb" --svg none -- "$T/asan" exit 7 \
        >"$OUT" 2>"$ERR"
    ST=$?
    has "$name: says why it is not sampled from inside" "$ERR" "$name"
    lacks "$name: the program starts" "$ERR" 'does not come first'
    # 1: nor may the kernel sample it
    grep -q 'nor from outside' "$ERR" || same "$name: the status" "$ST" 7
}

# Where perf_event_open is refused to run itself, timers take its place.
without_perf() {
    check 'seccomp: the program runs' 0 "$EDGE" seccomp "$BIN" run --hz 1000 \
        -o "$T/seccomp.pb" --svg none -- "$EDGE" -u "$T/seccomp.used" burn
    has 'seccomp: says which engine' "$ERR" 'thread'
    judge cpu 'seccomp' "$BIN" "$T/seccomp.pb" used="$T/seccomp.used" \
        "$FEW"
}

# ---- where little is permitted ----

# A folder that anybody can read and write, below /tmp.
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

# ---- its own command line ----

words() {
    check 'no program' 2 "$BIN" run
    has 'no program: says so' "$ERR" 'no program'
    check 'a program that is not there' 127 "$BIN" run -- /nonexistent/program
    has 'a program that is not there: the reason' "$ERR" \
        '/nonexistent/program: No such file'
    mkdir -p "$T/path"
    cp "$EDGE" "$T/path/edge-here"
    check 'PATH with an empty name at its end' 7 env -C "$T/path" \
        PATH=/nonexistent: "$BIN" run -q -o "$T/path.pb" --svg none -- \
        edge-here exit 7
    chmod -x "$T/path/edge-here"
    check 'PATH with a file that cannot be executed' 126 env \
        PATH="$T/path:/nonexistent" "$BIN" run -- edge-here
    has 'PATH with a file that cannot be executed: the reason' "$ERR" \
        'Permission denied'
    check 'the short report' 0 "$BIN" run --hz 1000 -o "$T/short.pb" --svg \
        "$T/short.svg" -- "$EDGE" burn
    same 'the short report is not on stdout' "$(cat "$OUT")" ''
    has 'the short report names the file' "$ERR" 'short\.pb'
    has 'the short report names the function' "$ERR" 'edge_(loop|burn)'
    has 'the start line: rate and engine' "$ERR" \
        '(perf|thread).*1,000|1,000.*(perf|thread)'
    check 'the flame graph' 0 xmllint --noout "$T/short.svg"
    profiled quiet -- "$EDGE" burn
    same '-q: no line on stderr' "$(cat "$ERR")" ''
    profiled alone --no-children --hz 1000 -- "$EDGE" fork_exit
    same '--no-children: the status' "$ST" 0
    check '--no-children: the profile' 0 "$BIN" report -q -f raw "$T/alone.pb"
    profiled window --hz 1000 --profile 200ms -- "$EDGE" burn 1
    check '--profile 200ms: the profile' 0 "$BIN" report -q -f json \
        "$T/window.pb"
    holds '--profile 200ms: not of the whole run' "$OUT" \
        '0 < r["profile"]["total"] < 900e6'
}

if make -s .build/edge .build/throw >"$T/make.log" 2>&1; then
    words
    servers
    readme_lines
    nginx_workers
    redis
    compile
    ends
    sees
    for engine in perf thread; do odd 1000 $engine; done
    preloaded
    early_thread
    namespaces
    sanitized
    without_perf
    permitted_little
else
    fail 'the programs are built' "$(tail_of "$T/make.log")"
fi
