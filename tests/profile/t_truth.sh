# Profiles, by each timer, of programs that know what their threads did.
# runs: plain

# The sampling rate for work synchronised with the kernel tick: four times the
# tick rate, so that a tick-driven timer can exceed it by more than chance.
tick_rate() {
    "$PY" -c 'import time
print(max(1000, min(10000, round(4 / time.clock_getres(6)))))'
}

# truth NAME CASE TIMER HZ MODE: profile a run, and let truth.py judge it
truth() {
    local name=$1 case=$2
    shift 2
    local out=$T/$1.$3          # TIMER.MODE
    limited "${UNDER[@]}" .build/truth "$1" "$2" 2.5 2 "$3" "$out.pb" \
        >"$out.said" 2>"$ERR"
    if [ $? -ne 0 ]; then
        if grep -q refused "$ERR"; then skip "$name" "$(tail_of "$ERR")"
        else fail "$name" "$(tail_of "$ERR")"; fi
        return 1
    fi
    "$BIN" report -f json "$out.pb" >"$out.json" 2>"$ERR"
    tally "$name" "$PY" tests/profile/truth.py "$case" "$out.said" "$out.json"
    sed "s/^/     $GROUP: $name: /" "$T/tally.err"
}

# wrong TIMER HZ: the timer miscounts work synchronised with the kernel tick,
# and the report says so.  Other programs break the synchronisation, so that
# only `make soak`, which sets EXACT, does this, three times; make test uses a
# made profile (unit: verdict_ticks).
wrong() {
    local i
    for i in 1 2 3; do
        limited .build/truth "$1" "$2" 2.5 2 tick "$T/try.pb" >"$T/try.said" \
            2>"$ERR"
        "$BIN" report -f json "$T/try.pb" >"$T/try.json" 2>"$ERR"
        "$PY" tests/profile/truth.py wrong "$T/try.said" "$T/try.json" >"$OUT" 2>&1
        grep -q '^FAIL' "$OUT" || break
    done
    tally "$1, synchronised with the tick" "$PY" tests/profile/truth.py wrong \
        "$T/try.said" "$T/try.json"
    sed "s/^/     $GROUP: $1, synchronised with the tick: /" "$T/tally.err"
}

# Samples per second of CPU are at the requested rate.  Other programs can only
# lower it, so the best of three runs counts.
rate() {
    local i
    for i in 1 2 3; do
        [ "$i" -eq 1 ] ||
            .build/truth perf 1000 1.5 2 free "$T/perf.free.pb" >"$OUT" 2>&1
        "$BIN" report -f json "$T/perf.free.pb" >"$OUT" 2>"$ERR"
        "$PY" -c 'import json, sys
hz = json.load(open(sys.argv[1]))["trust"]["hz_delivered"]
sys.exit(f"{hz} Hz delivered" if abs(hz - 1000) > 30 else 0)' "$OUT" \
            2>"$ERR" && break
    done
    same 'perf delivers 1000 Hz within 3%' "$(cat "$ERR")" ''
}

out_of_step() {
    UNDER=()
    truth 'perf, out of step' right perf 1000 free && rate
    truth 'thread, out of step' right thread 1000 free
    truth 'itimer, out of step' limits itimer 1000 free
}

tick_work() {
    local hz
    UNDER=() hz=$(tick_rate)
    truth 'perf, synchronised with the tick' right perf "$hz" tick
    [ -n "${EXACT:-}" ] || return
    wrong thread "$hz"
    wrong itimer "$hz"
}

# Where a seccomp filter refuses perf_event_open.
refused() {
    local hz
    hz=$(tick_rate)
    .build/refuse true 2>/dev/null
    [ $? -ne 77 ] || { skip 'perf refused' 'no seccomp here'; return; }
    UNDER=(.build/refuse)
    truth 'perf refused' right auto "$hz" free || return
    has 'perf refused, thread is taken' "$T/auto.free.said" '^engine thread$'
    has 'perf refused, it says why' "$T/auto.free.said" \
        '^reason perf was refused .*(CAP_PERFMON|paranoid)'
    check 'perf refused, serve' 0 env -C "$T" "$ROOT/.build/refuse" "$BIN" \
        serve -l 127.0.0.1:0 "${SERVE_ALSO[@]}" --profile 1s --exit \
        --hz "$hz" --svg none
    has 'perf refused, serve names thread' "$ERR" \
        'with thread.*perf was refused'
    check 'perf refused and asked for' 1 "$ROOT/.build/refuse" "$BIN" serve \
        -l 127.0.0.1:0 "${SERVE_ALSO[@]}" --profile 1s --exit --timer perf \
        -o "$T/none.pb" --svg none
    has 'perf refused and asked for, it says so' "$ERR" 'perf was refused'
}

# README's example, built and run as a user would.
embedded() {
    local cc=${CC:-gcc}
    # shellcheck disable=SC2046 # a list of libraries
    check 'the example compiles' 0 $cc -O1 -fno-inline -Wall -Wextra -Werror \
        -I. -o "$T/embed" tests/examples/embed.c .build/lib.o \
        $(sed -n 's/^LIBS *= *//p' Makefile)
    check 'the example runs' 0 env -C "$T" ./embed
    check 'its profile is read' 0 "$BIN" report -f top "$T/embed.pb"
    has 'its profile knows work' "$OUT" ' work$'
    has 'its flame graph knows work' "$T/embed.svg" '>work'
    sed -n '/^int main/,$s/^./    &/p' tests/examples/embed.c >"$T/main"
    sed -n '/^    int main(void)/,/^    }/p' README | grep . >"$T/shown"
    same 'the README shows it' "$(cat "$T/shown")" "$(cat "$T/main")"
}

# The same in a program with a locale that writes 1,5.
commas() {
    local cc=${CC:-gcc}
    [ -e /usr/share/i18n/locales/de_DE ] ||
        { skip 'a locale with commas' 'no package locales here'; return; }
    printf '%s\n' '#include <locale.h>' '#include <stdlib.h>' \
        '__attribute__((constructor)) static void set(void)' \
        '{ if (!setlocale(LC_ALL, "de_DE.UTF-8")) abort(); }' >"$T/comma.c"
    # shellcheck disable=SC2046 # a list of libraries
    check 'with a locale, the example compiles' 0 $cc -O1 -fno-inline -I. \
        -o "$T/comma" "$T/comma.c" tests/examples/embed.c .build/lib.o \
        $(sed -n 's/^LIBS *= *//p' Makefile)
    check 'a locale is made' 0 localedef -i de_DE -f UTF-8 "$T/de_DE.UTF-8"
    check 'with a locale, it runs' 0 env -C "$T" LOCPATH="$T" ./comma
    has 'with a locale, the program writes commas' "$OUT" ','
    check 'with a locale, its profile is read' 0 \
        "$BIN" report -f json "$T/embed.pb"
    lacks 'with a locale, no comma in numbers of the profile' "$OUT" \
        '"[0-9]+,[0-9]+"'
    has 'with a locale, its picture has places' "$T/embed.svg" \
        ' x="[0-9]+[.][0-9]'
    lacks 'with a locale, no comma in places of the picture' "$T/embed.svg" \
        ' (x|y|width|height)="[0-9]+,'
}

if make -s .build/truth .build/refuse .build/lib.o 2>"$ERR"; then
    out_of_step
    tick_work
    refused
    embedded
    commas
else
    fail 'builds' "$(tail_of "$ERR")"
fi
