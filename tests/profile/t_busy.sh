# The sampler under stress: profiles that start, stop and overlap, threads that
# come and go, the loader's and the resolver's locks, the highest rate.
# runs: plain
# long

# WINDOWS profiles (50; `make soak` sets 500) one after the other, then as many
# by four threads at once, under ASan.
many_windows() {
    local timer f n count=${WINDOWS:-50} written
    # windows.c writes every 16th, counting from 0, and in threads from 1000
    written=$(((count + 15) / 16 + (999 + count / 4 * 4) / 16 - 999 / 16))
    if ! make -s .build/windows-asan 2>"$ERR"; then
        fail 'windows' "$(tail_of "$ERR")"
        return
    fi
    for timer in auto thread itimer wall; do
        mkdir -p "$T/$timer"
        tally "windows, $timer" .build/windows-asan $timer $count "$T/$timer" \
            >"$T/lines"
        sed "s/^\(....\) $GROUP: /&$timer, /" "$T/lines"
        lacks "windows, $timer, ASan is content" "$T/tally.err" \
            'Sanitizer|runtime error'
        n=0
        for f in "$T/$timer"/window*.pb; do
            "$BIN" report -f json "$f" >"$OUT" 2>"$ERR" && n=$((n + 1))
        done
        same "windows, $timer, every profile is read" "$n" $written
        [ $timer = wall ] && continue
        check "windows, $timer, the long one is read" 0 sh -c \
            "'$BIN' report -f json '$T/$timer/whole.pb'"
        cp "$OUT" "$T/whole.json"
        check "windows, $timer, coverage" 0 "$PY" -c 'import json, sys
c = json.load(open(sys.argv[1]))["trust"]["coverage"]
sys.exit(0 if .98 <= c <= 1.02 else str(c))' "$T/whole.json"
    done
}

# A profiled program that calls exec, under ASan.
execs() {
    local timer
    if ! make -s .build/execs-asan 2>"$ERR"; then
        fail 'execs' "$(tail_of "$ERR")"
        return
    fi
    for timer in perf thread itimer wall; do
        tally "execs, $timer" .build/execs-asan $timer 1
        lacks "execs, $timer, ASan is content" "$T/tally.err" \
            'Sanitizer|runtime error'
    done
}

# churn NAME SECONDS ARGS...: serve at 10,000 Hz under full load, with
# tests/profile/churn.c beside it; make soak does so for a minute
churn() {
    local name=$1 seconds=$2 own=$BIN
    shift 2
    SDIR=$T/${name// /_}
    mkdir -p "$SDIR"
    printf '#!/bin/sh\nLD_PRELOAD=%s/.build/churn.so exec %s "$@"\n' "$ROOT" \
        "$own" >"$T/churned"
    chmod +x "$T/churned"
    BIN=$T/churned
    start_server --hz 10000 "$@" \
        --profile $((seconds + 2))s --exit
    local started=$?
    BIN=$own
    [ $started -eq 0 ] || return
    LIMIT=$((seconds + 30)) check "$name, every reply is right" 0 "$own" load \
        -c 20 -d "${seconds}s" "127.0.0.1:$PORT"
    ended "$SPID" $((seconds + 30))
    server_ended "$name, serve ends with status 0"
    has "$name, libraries came and went" "$SDIR/serve.err" \
        '^churn: [1-9][0-9]* opened, [1-9][0-9]* found, [1-9][0-9]* joined'
    check "$name, the profile is read" 0 "$BIN" report "$SDIR/profile.pb"
    has "$name, it saw the work" "$OUT" svc_work
    has "$name, it saw the beside" "$OUT" '(dl_|dlopen|getaddrinfo|churn)'
    grep -hE '^churn|Samples  |Rate  |Lost  |accounted' "$SDIR/serve.err" \
        "$OUT" |
        sed "s/^ */     $GROUP: $name: /"
}

many_windows
execs
if make -s .build/churn.so 2>"$ERR"; then
    churn 'churn' 1
    churn 'churn, wall' 1 --clock wall
else
    fail 'churn' "$(tail_of "$ERR")"
fi
