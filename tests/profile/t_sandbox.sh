# serve, load and report with few rights: in a container with only the program
# and its libraries, without capabilities, as nobody, in a network namespace of
# its own, and without perf_event_open.
# Skipped if runc cannot run, in CI too.
# runs: plain

BUNDLE=$T/bundle BOX='' INIT=''

# Print the libraries that the program needs.  ldd does not list libgcc_s, which
# libc loads at the first backtrace.
libraries() {
    ldd "$BIN" | grep -o '/[^ ]*'
    PATH=$PATH:/sbin:/usr/sbin ldconfig -p 2>/dev/null |
        sed -n 's/.*libgcc_s\.so\.1 .*=> //p' | head -n 1
}

# fill: make the container's root file system
fill() {
    local file
    mkdir -p "$BUNDLE/rootfs/proc" "$BUNDLE/rootfs/out"
    cp "$BIN" "$BUNDLE/rootfs/grpcprof"
    for file in $(libraries); do
        mkdir -p "$BUNDLE/rootfs${file%/*}"
        cp -L "$file" "$BUNDLE/rootfs$file"
    done
    chown 65534:65534 "$BUNDLE/rootfs/out"
}

# run_box NAME ARGS...: start the program in a container; $PID is runc, which
# ends with the program's status, and $INIT the program
run_box() {
    local args
    BOX=grpcprof-test-$$-$1
    shift
    args=$(printf ', "%s"' "$@")
    # A network namespace that runc makes has its loopback device up.
    cat >"$BUNDLE/config.json" <<END
{ "ociVersion": "1.0.2",
  "process": { "user": { "uid": 65534, "gid": 65534 }, "cwd": "/out",
               "args": [ "/grpcprof"$args ], "env": [ "PATH=/" ],
               "capabilities": {}, "noNewPrivileges": true },
  "root": { "path": "rootfs" },
  "mounts": [ { "destination": "/proc", "type": "proc", "source": "proc" } ],
  "linux": {
    "namespaces": [ { "type": "pid" }, { "type": "network" }, { "type": "ipc" },
                    { "type": "uts" }, { "type": "mount" } ],
    "seccomp": { "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
      { "names": [ "perf_event_open" ], "action": "SCMP_ACT_ERRNO",
        "errnoRet": 1 } ] } } }
END
    rm -f "$T/init"
    bg runc --root "$T/runc" run --pid-file "$T/init" --bundle "$BUNDLE" "$BOX"
    wait_for 20 box_runs
    INIT=$(cat "$T/init" 2>/dev/null) && STARTED+=("$INIT")
}
box_runs() { [ -s "$T/init" ] || ! kill -0 "$PID"; }
box_listens() {
    grep -q '^listening on ' "$T/bg.out" || ! kill -0 "$PID"
}
# box_ended SECONDS: wait for the end, status in $ST; then remove the container
box_ended() {
    ended "$PID" "$1"
    runc --root "$T/runc" delete --force "$BOX" >/dev/null 2>&1
}

# True if containers can run here; else $WHY has the reason.
runc_runs() {
    WHY='no runc here'
    command -v runc >/dev/null || return
    WHY='not root'
    [ "$(id -u)" -eq 0 ] || return
    fill
    run_box probe --version
    box_ended 20
    WHY="runc: $(tail_of "$T/bg.err" | tr '\n' ' ')"
    [ "$ST" = 0 ] && grep -q '^grpcprof ' "$T/bg.out"
}

serve_boxed() {
    local out=$BUNDLE/rootfs/out
    run_box serve serve --profile 60s --hz 2000
    wait_for 20 box_listens
    cp "/proc/$INIT/status" "$T/status" 2>/dev/null
    has 'it runs as nobody' "$T/status" '^Uid:.65534.65534.65534.65534$'
    has 'it has no capability' "$T/status" '^CapEff:.0+$'
    has 'its capability bound is empty' "$T/status" '^CapBnd:.0+$'
    has 'its system calls are filtered' "$T/status" '^Seccomp:.2$'
    LIMIT=30 check 'load beside it' 0 runc --root "$T/runc" exec "$BOX" \
        /grpcprof load -c 4 -n 3000
    has 'no call fails' "$OUT" '12,000 ok .* 0 failed .* 0 cut off'
    runc --root "$T/runc" kill "$BOX" TERM
    box_ended 30
    same 'serve writes its files and ends with status 0' "$ST" 0
    has 'the default debug endpoint is there' "$T/bg.err" \
        'debug endpoint on http://127\.0\.0\.1:6060/debug/pprof/'
    has 'the start names the engine, and that perf was refused' "$T/bg.err" \
        'with thread \(perf was refused \(Operation not permitted\)'
    has 'the start names what would allow perf' "$T/bg.err" \
        'perf_event_paranoid=1 or CAP_PERFMON would allow it'
    same 'its files are nobody'\''s' "$(stat -c '%u %n' "$out"/* |
        sed 's|/.*/||' | tr '\n' ' ')" '65534 flamegraph.svg 65534 profile.pb '
}

report_boxed() {
    run_box report report /out/profile.pb
    box_ended 30
    same 'report in a container' "$ST" 0
    has 'the report names the engine' "$T/bg.out" 'timer thread'
    has 'the report says what it could not have' "$T/bg.out" 'perf was refused'
    has 'the report says that it is driven by ticks' "$T/bg.out" 'tick-driven'
    has 'the report has the work' "$T/bg.out" ' svc_work'
    run_box folded report -f folded /out/profile.pb
    box_ended 30
    has 'stacks are unwound' "$T/bg.out" ';svc_work [0-9]+$'
}

if runc_runs; then
    serve_boxed
    report_boxed
    same 'no container is left' "$(runc --root "$T/runc" list -q)" ''
else
    skip 'in a container' "$WHY"
fi
