# A program under `grpcprof run` that attacks the memory it shares with run: run
# neither crashes nor hangs, takes little memory, hurts no other process, and
# ends with the program's status.
# runs: plain asan

# attack MODE [ARG...]: one attack of two seconds, with options ARG
attack() {
    local mode=$1 name="attack, $*"
    shift
    # shellcheck disable=SC2016 # python's
    LIMIT=90 check "$name" 7 "$PY" -c 'import resource, subprocess, sys
most = int(sys.argv[1])
status = subprocess.run(sys.argv[2:]).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
print("used", used, "MB")
sys.exit(status if used <= most else "%d MB" % used)' "$MOST" "$BIN" run "$@" \
        -o "$T/attack.pb" --svg "$T/attack.svg" -- .build/ring "$mode" 2 \
        "$VICTIM"
    has "$name, the program ran to its end" "$OUT" '^done$'
    lacks "$name, nothing is wrong" "$ERR" \
        'Sanitizer|runtime error|Assertion|out of memory'
    lacks "$name, no file was changed" "$OUT" '^the (memory|agent) '
    if [ "$(awk '/^State:/ { print $2 }' "/proc/$VICTIM/status")" = S ]; then
        pass "$name, another process is unhurt"
    else
        fail "$name, another process is unhurt" "it is gone"
        sleep 300 &
        VICTIM=$!
    fi
}

MOST=1000
case $BIN in *asan*) MOST=3000 ;; esac
if make -s .build/ring 2>"$ERR"; then
    sleep 300 &
    VICTIM=$!
    for mode in random ones zeros table pids samples turns files; do
        attack $mode
    done
    for mode in random samples; do
        attack $mode --timer thread --hz 10000
    done
    kill "$VICTIM"
    wait "$VICTIM" 2>/dev/null
else
    fail 'attack' "$(tail_of "$ERR")"
fi
