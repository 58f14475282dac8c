# What the groups run and edges share.

EDGE=$ROOT/.build/edge THROW=$ROOT/.build/throw

# The process that PID started.
child_of() { tr -d ' ' <"/proc/$1/task/$1/children"; }

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

# edge NAME LIMITS OPTIONS MODE...: run a mode of edge.c alone, where it burns
# nothing, and profiled, and judge the profile by what the program used.
edge() {
    local name=$1 limits=$2 options=$3 file
    shift 3
    file=${name//[^a-z0-9]/-}
    rm -f "$T/$file.used"
    alone_once "$EDGE" -s 0 "$@"
    # shellcheck disable=SC2086 # lists of words
    profiled "$file" $options -- "$EDGE" -u "$T/$file.used" "$@"
    as_alone "$name"
    # shellcheck disable=SC2086
    [ "$limits" = none ] || judge cpu "$name" "$BIN" "$T/$file.pb" \
        used="$T/$file.used" $limits
}

# with_programs FUNCTION...: build edge and throw, then call each FUNCTION.
with_programs() {
    local f
    if make -s .build/edge .build/throw >"$T/make.log" 2>&1; then
        for f; do $f; done
    else
        fail 'the programs are built' "$(tail_of "$T/make.log")"
    fi
}
