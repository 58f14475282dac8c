#!/usr/bin/env bash
# test.sh [NAME] -- build what the tests need, run them, print a line per check.
#   NAME     show and count only the checks whose "group: name" contains NAME,
#            and run only groups that have some.  Runs under ASan and UBSan are
#            left out too, unless NAME contains "(asan)", as in "load (asan)"
#   CI=true  a check that lacks its tool fails instead of being skipped
#   JOBS=N   groups at a time (three for each CPU: most of them wait)
#   TIMES=1  print on stderr how long each group took, and the CPU time it used
# The last line is "N passed, N failed, N skipped"; exits 1 if one failed.
#
# tests/README is a map of the tests.  Every tests/*/t_GROUP.sh is sourced in a
# shell of its own, several at a time, with BIN=./grpcprof.  A group with the
# line "# runs: plain asan" runs once more, with BIN built with ASan and UBSan;
# one with "# runs: plain (asan)" does so in make test-asan only.  A group with
# "# long" starts early.
# No check may depend on how busy the machine is: compare counts, CPU time or
# the program's own log, not wall time.
# What a group can use (all files are under $T, which is removed at the end):
#
#   check NAME STATUS CMD...   run CMD: does it exit with STATUS (or "1 2")?
#                              its output is in $OUT and $ERR, its status in $ST
#   has NAME FILE REGEX        does FILE have a line that matches (grep -E)?
#   lacks NAME FILE REGEX      is FILE there, without such a line?
#   one_line NAME [REGEX]      is stderr exactly one line, and does it match?
#   same NAME A B              are the two words equal?
#   holds NAME JSON PYTHON     is PYTHON true of r, the object in the file JSON?
#   tally NAME CMD...          count the lines "ok x", "FAIL x: why" and
#                              "SKIP x: why" of CMD as checks
#   pass NAME, fail NAME WHY, skip NAME WHY
#   need NAME TOOL...          false, and NAME skipped, where a TOOL is missing:
#                              a command, py:MODULE, chromium, or what
#                              tests/tools/tool.sh builds, with its path in
#                              $PPROF, $GRPCURL, ...
#   bg CMD...                  start CMD; $PID; output in $T/bg.out, $T/bg.err
#   ended PID SECONDS          wait until PID ends, its status in $ST; after
#                              SECONDS kill it and return false
#   wait_for SECONDS CMD...    repeat CMD until it succeeds; false after SECONDS
#   nap SECONDS                sleep without starting a process
#   start_server ARGS...       serve on a free port in $SDIR; $PORT and $SPID
#   stop_server NAME           SIGTERM: is the status 0, and did no sanitizer
#                              report anything?
set -u
cd "$(dirname "$0")" || exit 1
export LC_ALL=C NO_COLOR=1 PYTHONPATH=$PWD/tests/lib
export ASAN_OPTIONS=exitcode=99:detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1
ROOT=$PWD FILTER=${1:-} PY=/usr/bin/python3
passed=0 failed=0 skipped=0 GROUP='' SUFFIX=''
T=$(mktemp -d) && mkdir "$T/have" || exit 1
HAVE=$T/have                            # tools that need found, for all groups
OUT=$T/out ERR=$T/err SDIR=$T SPID='' STARTED=() MOUNTED=''

# Kill what this shell started, and remove its files.  A group's shell started
# processes; the main shell started the groups' shells, which then do the same.
cleanup() {
    local pid signal=KILL
    [ -z "$GROUP" ] && signal=TERM
    for pid in "${STARTED[@]}"; do kill -$signal "$pid" 2>/dev/null; done
    [ -z "$GROUP" ] && wait
    [ -n "$MOUNTED" ] && umount "$MOUNTED"
    rm -rf "$T"
}
traps() {
    trap cleanup EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
}
traps

# ---- results ----

want() { [[ "$GROUP: $1$SUFFIX" == *"$FILTER"* ]]; }
pass() {
    want "$1" || return 0
    passed=$((passed + 1))
    echo "ok   $GROUP: $1$SUFFIX"
}
fail() {
    want "$1" || return 0
    failed=$((failed + 1))
    echo "FAIL $GROUP: $1$SUFFIX: ${2//$'\n'/ | }"
}
skip() {
    want "$1" || return 0
    skipped=$((skipped + 1))
    echo "SKIP $GROUP: $1$SUFFIX: $2"
}
missing() {
    if [ "${CI:-}" = true ]; then fail "$1" "$2"; else skip "$1" "$2"; fi
}

# The end of FILE, for a message.
tail_of() { tail -c 400 "$1" 2>/dev/null | tail -n 3; }

# Run CMD with a time limit, unless it is a function of these tests.
limited() {
    if declare -F "$1" >/dev/null; then "$@"
    else timeout -k 5 "${LIMIT:-60}" "$@" </dev/null; fi
}
check() {
    local name=$1 status=$2
    shift 2
    limited "$@" >"$OUT" 2>"$ERR"
    ST=$?
    if [[ " $status " == *" $ST "* ]]; then pass "$name"
    else fail "$name" "status $ST, want $status: $(tail_of "$ERR")"; fi
}
has() {
    if grep -qE -- "$3" "$2" 2>/dev/null; then pass "$1"
    else fail "$1" "no /$3/ in: $(tail_of "$2")"; fi
}
lacks() {
    local line
    if line=$(grep -m1 -E -- "$3" "$2"); then fail "$1" "$line"
    elif [ -r "$2" ]; then pass "$1"
    else fail "$1" "no file $2"; fi
}
one_line() {
    if [ "$(wc -l <"$ERR")" -ne 1 ]; then
        fail "$1" "$(wc -l <"$ERR") lines on stderr: $(tail_of "$ERR")"
    elif ! grep -qE -- "${2:-.}" "$ERR"; then
        fail "$1" "no /${2:-.}/ in: $(tail_of "$ERR")"
    else pass "$1"; fi
}
same() {
    if [ "$2" = "$3" ]; then pass "$1"; else fail "$1" "'$2' is not '$3'"; fi
}
holds() {
    local why
    why=$("$PY" -c 'import json, sys
with open(sys.argv[1]) as f:
    r = json.load(f)
if not eval("(" + sys.argv[2] + ")"):
    sys.exit("not true: " + sys.argv[2])' "$2" "$3" 2>&1)
    if [ $? -eq 0 ]; then pass "$1"
    else fail "$1" "${why##*$'\n'} in $(tail -c 300 "$2")"; fi
}
tally() {
    local name=$1 line n=0 bad=0
    shift
    limited "$@" >"$T/tally" 2>"$T/tally.err"
    ST=$?
    while IFS= read -r line; do
        case $line in
        'ok '*) n=$((n + 1)); line=${line#ok}; pass "${line##+( )}" ;;
        'FAIL '*) bad=$((bad + 1)); line=${line#FAIL }
            fail "${line%%: *}" "${line#*: }" ;;
        'SKIP '*) n=$((n + 1)); line=${line#SKIP }
            skip "${line%%: *}" "${line#*: }" ;;
        esac
    done <"$T/tally"
    if [ "$ST" -ne 0 ] && [ "$bad" -eq 0 ]; then
        fail "$name" "status $ST: $(tail_of "$T/tally.err")"
    elif [ $((n + bad)) -eq 0 ]; then fail "$name" "said nothing"; fi
}
shopt -s extglob

# ---- tools ----

find_chromium() {
    local c
    for c in chromium chromium-browser google-chrome; do
        command -v $c && timeout 20 $c --version >/dev/null 2>&1 && return
    done
    return 1
}
find_module() {
    "$PY" -c 'import importlib.util, sys
sys.exit(not importlib.util.find_spec(sys.argv[1]))' "$1" 2>/dev/null
}
# Find, or build, a tool and print its path.
find_tool() {
    case $1 in
    py:*) find_module "${1#py:}" ;;
    pprof|pprofs|grpcurl|h2spec|interop|honest|probe|webget|echo|buf|node|cpp|\
    hdrhistogram|kubernetes|re2|spy|cmarkgfm|shop|collapse|hot*|tonic|\
    tonicmusl|grpccpp|grpcgo|ghz)
        sh tests/tools/tool.sh "$1" ;;
    chromium) find_chromium ;;
    *) command -v "$1" ;;
    esac
}
# have TOOL: is it here?  Set the variable that has its name in capitals, as in
# $PPROF, to its path.
have() {
    local path found=$HAVE/$1
    if [ ! -e "$found.yes" ]; then
        [ ! -e "$found.no" ] || return
        find_tool "$1" >"$found.$BASHPID" || { : >"$found.no"; return 1; }
        mv "$found.$BASHPID" "$found.yes"
    fi
    read -r path <"$found.yes"
    case $1 in
    *[!a-z0-9]*) ;;
    *) printf -v "${1^^}" %s "$path" ;;
    esac
}
need() {
    local name=$1 tool
    shift
    for tool; do
        have "$tool" || { missing "$name" "no $tool here"; return 1; }
    done
}

# ---- processes ----

# A background process of a script ignores SIGINT, and under nohup also SIGHUP;
# env restores them.
bg() {
    : >"$T/bg.out"                      # it may have an earlier one's output
    env --default-signal=INT,QUIT,HUP "$@" >"$T/bg.out" 2>"$T/bg.err" </dev/null &
    PID=$!
    STARTED+=("$PID")
}
exec {NAP}<> <(:)
nap() { read -rt "$1" -u "$NAP"; true; }
ended() {
    local left=$(($2 * 20))
    while kill -0 "$1" 2>/dev/null; do
        if [ $((left -= 1)) -le 0 ]; then
            kill -KILL "$1"
            wait "$1" 2>/dev/null
            ST="killed, still running after $2 s"
            return 1
        fi
        nap 0.05
    done
    wait "$1" 2>/dev/null
    ST=$?
}
wait_for() {
    local left=$(($1 * 20))
    shift
    until "$@" 2>/dev/null; do
        [ $((left -= 1)) -gt 0 ] || return 1
        nap 0.05
    done
}
listens_or_died() {
    grep -q '^listening on ' "$SDIR/serve.out" || ! kill -0 "$SPID"
}
start_server() {
    : >"$SDIR/serve.out"                # it may have an earlier one's output
    env -C "$SDIR" --default-signal=INT,QUIT,HUP "$BIN" serve -l 127.0.0.1:0 \
        "${SERVE_ALSO[@]}" "$@" \
        >"$SDIR/serve.out" 2>"$SDIR/serve.err" </dev/null &
    SPID=$!
    STARTED+=("$SPID")
    wait_for 20 listens_or_died
    PORT=$(sed -n 's/^listening on .*:\([0-9]*\)$/\1/p' "$SDIR/serve.out" |
        head -n 1)
    [ -n "$PORT" ] && return
    fail "serve starts with: $*" "$(tail_of "$SDIR/serve.err")"
    kill -KILL "$SPID" 2>/dev/null
    return 1
}
stop_server() {
    kill -TERM "$SPID" 2>/dev/null
    ended "$SPID" 30
    server_ended "$1"
}
server_ended() {
    local angry
    angry=$(grep -m1 -E 'Sanitizer|runtime error:' "$SDIR/serve.err")
    if [ -n "$angry" ]; then fail "$1" "$angry"
    else same "$1" "status $ST" "status 0"; fi
}

# ---- what runs ----

# A NAME that is a group or begins with "group:" selects that group alone; any
# other NAME selects the groups whose file has it or, if no file has it, all
# groups: names of checks may be put together at run time.
only='' elsewhere='' sanitized=''
case $FILTER in
*asan*) sanitized='.*asan' ;;
'') sanitized=asan ;;
esac
for g in unit tests/*/t_*.sh; do
    g=${g##*/t_} g=${g%.sh}
    case $FILTER in
    "$g" | "$g":*) only=$g FILTER="$g:${FILTER#"$g"}" ;;
    "$g (asan)") only=$g FILTER='(asan)' ;;
    esac
    FILTER=${FILTER/::/:}
done
plain=${FILTER%(asan)} plain=${plain% }
grep -qF -- "$plain" tests/*/t_*.sh tests/unit/*.c || elsewhere=yes
asked_for() {
    if [ -n "$only" ]; then [ "$only" = "$1" ]
    else [ -n "$elsewhere" ] || grep -qF -- "$plain" "${@:2}"; fi
}

units() { LIMIT=300 tally 'runs to its end' "$BIN"; }
# CPU seconds of the shell's ended children: the last line that times wrote to
# $T/times.
cpu_seconds() {
    local user sys
    { read -r; read -r user sys; } <"$T/times"
    awk -v a="$user" -v b="$sys" 'function s(t) { split(t, p, /[ms]/)
        return p[1] * 60 + p[2] } BEGIN { printf "%.1f", s(a) + s(b) }'
}
# group NAME SUFFIX BINARY: run a group in a subshell, and write its lines and
# counts to $T/NAMESUFFIX.lines and .counts.
group() (
    passed=0 failed=0 skipped=0 STARTED=()
    GROUP=$1 SUFFIX=$2 BIN=$ROOT/$3
    log=$T/$GROUP$SUFFIX T=$T/$GROUP${SUFFIX:+-asan}.d
    OUT=$T/out ERR=$T/err SDIR=$T SERVE_ALSO=(--debug off) BEGAN=$SECONDS
    mkdir "$T" || exit 1
    traps
    if [ "$GROUP" = unit ]; then units
    else
        # shellcheck disable=SC1090
        . tests/*/t_"$GROUP".sh
    fi >"$log.lines"
    echo "$passed $failed $skipped" >"$log.counts"
    [ -n "${TIMES:-}" ] || return
    for pid in "${STARTED[@]}"; do kill -KILL "$pid"; done 2>/dev/null
    wait
    times >"$T/times"                   # a subshell would have no children
    echo "$((SECONDS - BEGAN)) s, $(cpu_seconds) s of CPU: $GROUP$SUFFIX" >&2
)
# Wait for any group, then show and count those that are done.
gather() {
    local log pid n
    wait -n 2>/dev/null
    for pid in "${!running[@]}"; do
        kill -0 "$pid" 2>/dev/null && continue
        log=$T/${running[$pid]}
        unset "running[$pid]"
        cat "$log.lines"
        if read -r -a n <"$log.counts"; then
            passed=$((passed + n[0])) failed=$((failed + n[1]))
            skipped=$((skipped + n[2]))
        else
            echo "FAIL ${log##*/}: did not run to its end"
            failed=$((failed + 1))
        fi 2>/dev/null
    done
}

# The runs to do, a line NAME|SUFFIX|BINARY each; early has the long ones.
early='' late=''
plan() {
    local lines="$1||${2:-grpcprof}"$'\n'
    case $FILTER in *'(asan)'*) lines='' ;; esac
    [ -n "$3" ] && lines="$1| (asan)|$3"$'\n'$lines
    if [ -n "$4" ]; then early=$early$lines; else late=$late$lines; fi
}
if asked_for unit tests/unit/*.c; then
    plan unit .build/unit "${sanitized:+.build/unit-asan}" yes
fi
for file in tests/*/t_*.sh; do
    name=${file##*/t_} name=${name%.sh} asan=$sanitized
    asked_for "$name" "$file" || continue
    grep -q "^# runs: plain $sanitized" "$file" || asan=''
    plan "$name" '' "${asan:+.build/grpcprof-asan}" \
        "$(grep -m1 '^# long' "$file")"
done

# A full run builds everything first, rather than parts of it while groups run.
targets="grpcprof $(cut -d'|' -f3 <<<"$early$late" | sort -u | xargs)"
[ -n "$FILTER" ] || targets="$targets .build/lib.o .build/truth .build/refuse .build/execs
    .build/stall .build/record .build/alone .build/edge .build/ring .build/throw .build/churn.so
    .build/windows-asan .build/execs-asan .build/grpcprof-tsan"
mkdir -p .build
# shellcheck disable=SC2086 # a list of targets
make -k -j"$(nproc)" $targets >/dev/null 2>&1
# shellcheck disable=SC2086
if ! make -s ${targets%%.build/lib.o*} >"$T/make.log" 2>&1; then
    grep -E -A5 'error|Error' "$T/make.log" || cat "$T/make.log"
    echo "FAIL build: make: see above"
    echo "0 passed, 1 failed, 0 skipped"
    exit 1
fi

declare -A running=()
while IFS='|' read -r name suffix binary <&3; do
    while [ ${#running[@]} -ge "${JOBS:-$((3 * $(nproc)))}" ]; do gather; done
    group "$name" "$suffix" "$binary" &
    running[$!]=$name$suffix
    STARTED+=($!)
done 3< <(printf %s "$early$late")
while [ ${#running[@]} -gt 0 ]; do gather; done
if [ $((passed + failed + skipped)) -eq 0 ]; then
    echo "no check has '$FILTER' in its name" >&2
    failed=1
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
