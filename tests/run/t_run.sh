# `grpcprof run`: its command line, and usual programs: servers, whose CPU time
# is sampled with complete stacks, and compilers.  Group edges has programs that
# a profiler could break.
# runs: plain
# long

. tests/run/run.sh

# ---- servers ----

# greeter NAME CALLS FIRST CMD...: profile a Greeter under run.  FIRST has to
# match the application's first function; it is empty if names are stripped.
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
        ${first:+roots=yes} ${SAMPLED:+sampled=$SAMPLED}
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
        SAMPLED=.95 greeter 'python3-grpcio' 4000 '' "$PY" \
            tests/run/greeter.py 2000   # some threads end before a sample
    need 'grpc-js' node || return
    greeter 'grpc-js' 300 'spin' env -C "$T" NODE_PATH="$NODE" node \
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
    check 'redis: answers' 0 redis-benchmark -s "$T/redis.sock" -q -n 50000 \
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
        edge-here -s 0.02 exit 7
    chmod -x "$T/path/edge-here"
    check 'PATH with a file that cannot be executed' 126 env \
        PATH="$T/path:/nonexistent" "$BIN" run -- edge-here
    has 'PATH with a file that cannot be executed: the reason' "$ERR" \
        'Permission denied'
    check 'a rate above the tick' 0 "$BIN" run --timer thread --hz 10000 \
        -o "$T/tick.pb" --svg none -- "$EDGE" -s 0.02 exit 0
    has 'a rate above the tick: is not reached' "$ERR" \
        '\(not 10,000: the kernel.s tick limits this timer; --timer perf'
    check 'the short report' 0 "$BIN" run --hz 1000 -o "$T/short.pb" --svg \
        "$T/short.svg" -- "$EDGE" burn
    same 'the short report is not on stdout' "$(cat "$OUT")" ''
    has 'the short report names the file' "$ERR" 'short\.pb'
    has 'the short report names the function' "$ERR" 'edge_(loop|burn)'
    has 'the start line: rate and engine' "$ERR" \
        '(perf|thread).*1,000|1,000.*(perf|thread)'
    check 'the flame graph' 0 xmllint --noout "$T/short.svg"
    profiled quiet -- "$EDGE" burn 0.02
    same '-q: no line on stderr' "$(cat "$ERR")" ''
    profiled alone --no-children --hz 1000 -- "$EDGE" -s 0.1 fork_exit
    same '--no-children: the status' "$ST" 0
    check '--no-children: the profile' 0 "$BIN" report -q -f raw "$T/alone.pb"
    profiled window --hz 1000 --profile 200ms -- "$EDGE" burn 1
    check '--profile 200ms: the profile' 0 "$BIN" report -q -f json \
        "$T/window.pb"
    holds '--profile 200ms: not of the whole run' "$OUT" \
        '0 < r["profile"]["total"] < 900e6'
}

with_programs words servers readme_lines nginx_workers redis compile
