# serve --profile: the files that it writes, read by other programs.
# runs: plain (asan)

# a_run DIR ARGS...: serve --profile with load, ended by SIGTERM after the load,
# which made $SENT calls
a_run() {
    SDIR=$T/$1
    shift
    mkdir -p "$SDIR"
    start_server --profile 60s "$@" || return
    SENT=20000
    [ -z "$SUFFIX" ] || SENT=4000
    check 'load in the window' 0 "$BIN" load -c 10 -n $((SENT / 10)) \
        "127.0.0.1:$PORT"
    stop_server 'writes the profile and ends with status 0'
}

# valid FILE: is it a valid profile for protoc, protobuf and addr2line?
valid() {
    need 'protoc decodes the profile' protoc py:google.protobuf || return
    protoc -Iproto --python_out="$T" profile.proto
    gzip -dc "$1" >"$T/raw" 2>/dev/null
    protoc -Iproto --decode=perftools.profiles.Profile profile.proto \
        <"$T/raw" >"$T/decoded" 2>"$ERR"
    same 'protoc decodes the profile' "$?" 0
    lacks 'every field is known' "$T/decoded" '^ *[0-9]+:'
    need 'the profile is consistent' readelf addr2line || return
    LIMIT=200 tally 'the profile is consistent' "$PY" tests/profile/prof.py "$T" check \
        "$1" "$BIN"
}

# Functions of the program, of nghttp2 and of libc have names.
named() {
    need 'names' protoc py:google.protobuf || return
    "$PY" tests/profile/prof.py "$T" names "$1" grpcprof >"$T/names"
    has 'names svc_work' "$T/names" '^svc_work'
    has 'names the handlers around it' "$T/names" '^(svc|rpc|h2|net)_'
    [ -z "$SUFFIX" ] || return       # ASan stands between us and the libraries
    "$PY" tests/profile/prof.py "$T" names "$1" libnghttp2 >"$T/names"
    has 'names a function of nghttp2' "$T/names" '^nghttp2_'
    "$PY" tests/profile/prof.py "$T" names "$1" libc.so >"$T/names"
    has 'names a function of libc' "$T/names" \
        '(send|recv|write|read|epoll|memcpy|memmove|malloc|free|clock)'
}

# pprof, report and protobuf find the same sums, to the sample.
sums() {
    need 'sums' protoc py:google.protobuf || return
    read -r N NS < <("$PY" tests/profile/prof.py "$T" sums "$1")
    check 'report -f json' 0 "$BIN" report -f json -o "$T/report.json" "$1"
    json() { "$PY" -c 'import json, sys
r = json.load(open(sys.argv[1]))
for k in sys.argv[2].split("."): r = r[k]
print(r)' "$T/report.json" "$1"; }
    same 'report counts as many samples' "$(json profile.samples)" "$N"
    same 'report counts as many nanoseconds' "$(json profile.total)" "$NS"
    same 'report knows the calls that were made' "$(json calls.total)" "$SENT"
    same 'the profile says the calls that were made' \
        "$("$PY" tests/profile/prof.py "$T" comment "$1" requests)" "$SENT"
    need 'pprof' pprof || return
    check 'pprof -top' 0 "$PPROF" -symbolize=none -top -nodecount=100000 \
        -nodefraction=0 -sample_index=samples "$1"
    has 'pprof counts as many samples' "$OUT" "of $N total"
    has 'pprof names svc_work' "$OUT" ' svc_work'
    if [ -z "$SUFFIX" ]; then
        has 'pprof names a function of nghttp2' "$OUT" ' nghttp2_'
        has 'pprof names a function of libc' "$OUT" \
            ' _*(libc_)?(send|recv|epoll_wait|write|read|memcpy|memmove|malloc)'
    fi
    lacks 'pprof shows no bare address' "$OUT" '% +(0x)?[0-9a-f]{8,}'
    check 'pprof -top in ns' 0 "$PPROF" -symbolize=none -top -unit=nanoseconds \
        -sample_index=cpu "$1"
    has 'pprof counts as many nanoseconds' "$OUT" "of ${NS}ns total"
    check 'pprof -traces' 0 "$PPROF" -symbolize=none -traces "$1"
    awk '/-----/ { n = 0; at = 0 } { n++ } / svc_work/ { at = n }
        at && n > at + 3 { print "deep"; exit }' "$OUT" >"$T/deep"
    has 'stacks reach below svc_work' "$T/deep" deep
}

# Our profile, through protoc and back, is the same profile.
round_trip() {
    need 'round trip' protoc || return
    protoc -Iproto --decode=perftools.profiles.Profile profile.proto \
        <"$T/raw" 2>/dev/null |
        protoc -Iproto --encode=perftools.profiles.Profile profile.proto |
        gzip >"$T/again.pb"
    "$BIN" report -f folded "$1" >"$T/folded1" 2>/dev/null
    check 'report reads what protoc wrote' 0 "$BIN" report -f folded \
        "$T/again.pb"
    same 'and says the same of it' "$(cksum <"$OUT")" "$(cksum <"$T/folded1")"
    has 'folded stacks have svc_work' "$OUT" ';svc_work.* [0-9]+$'
}

drawn() {
    has 'the SVG names svc_work' "$1" svc_work
    need 'xmllint reads the SVG' xmllint &&
        check 'xmllint reads the SVG' 0 xmllint --noout --nonet "$1"
}

whole_window() {
    # profile.pb exists already: longer than a profile, and with two hard links.
    mkdir -p "$T/whole"
    head -c 3000000 /dev/urandom >"$T/whole/profile.pb"
    cp "$T/whole/profile.pb" "$T/whole/flamegraph.svg"
    ln "$T/whole/profile.pb" "$T/whole/old"
    local before
    before=$(cksum <"$T/whole/old")
    a_run whole || return
    same 'old files are replaced, not written over' \
        "$(cksum <"$T/whole/old")" "$before"
    same 'nothing else is left in the directory' \
        "$(cd "$T/whole" && echo *)" \
        'flamegraph.svg old profile.pb serve.err serve.out'
    has 'says which file it wrote' "$T/whole/serve.err" 'profile\.pb'
    valid "$T/whole/profile.pb"
    named "$T/whole/profile.pb"
    sums "$T/whole/profile.pb"
    round_trip "$T/whole/profile.pb"
    drawn "$T/whole/flamegraph.svg"
}

# Interrupted in the middle, it writes what it has seen.
interrupted() {
    local signal
    for signal in INT TERM; do
        SDIR=$T/$signal
        mkdir -p "$SDIR"
        start_server --profile 300s -w 500000 || return
        check "load before SIG$signal" 0 "$BIN" load -c 4 -n 500 \
            "127.0.0.1:$PORT"
        kill "-$signal" "$SPID"
        ended "$SPID" 30
        server_ended "SIG$signal in the window ends it with status 0"
        check "a profile of the part before SIG$signal" 0 "$BIN" report \
            "$SDIR/profile.pb"
        has "it saw the work before SIG$signal" "$OUT" svc_work
        check "gzip reads it, SIG$signal" 0 gzip -t "$SDIR/profile.pb"
    done
    [ -n "$SUFFIX" ] || valid "$SDIR/profile.pb"
}

# Without any load it still writes the files, and warns.
idle() {
    SDIR=$T/idle
    mkdir -p "$SDIR"
    start_server --exit --profile 2s --svg none || return
    ended "$SPID" 30
    server_ended 'a window without load ends with status 0'
    check 'a profile without load is read' 0 "$BIN" report "$SDIR/profile.pb"
    check 'svg none writes none' 1 test -e "$SDIR/flamegraph.svg"
}

# A full disk: one line, status 1, and the old file unchanged.
full_disk() {
    [ "$(id -u)" -eq 0 ] || { missing 'full disk' 'not root'; return; }
    mkdir -p "$T/full"
    mount -t tmpfs -o size=16k none "$T/full" 2>/dev/null ||
        { missing 'full disk' 'mount is not permitted here'; return; }
    MOUNTED=$T/full
    echo old >"$T/full/profile.pb"
    cat /dev/zero >"$T/full/filler" 2>/dev/null
    SDIR=$T
    start_server --exit --profile 2s --svg none -o "$T/full/profile.pb"
    "$BIN" load -c 4 -n 500 "127.0.0.1:$PORT" >/dev/null 2>&1
    ended "$SPID" 30
    same 'a full disk is status 1' "$ST" 1
    same 'a full disk is one line' \
        "$(grep -c 'No space left' "$T/serve.err")" 1
    has 'a full disk, the file is named' "$T/serve.err" \
        'full/profile\.pb.*No space left'
    same 'a full disk, the old file is intact' "$(cat "$T/full/profile.pb")" old
    same 'a full disk, nothing else is left' "$(cd "$T/full" && echo *)" \
        'filler profile.pb'
    umount "$T/full" && MOUNTED=
}

# short_run DIR PROGRAM: set $PB to the profile of a short load of PROGRAM; its
# PATH is $WITH if that is set
short_run() {
    SDIR=$T/$1 PB=$T/$1/profile.pb
    mkdir -p "$SDIR"
    PATH=${WITH:-$PATH} BIN=$2 start_server --profile 60s --svg none || return
    check "load for $1" 0 "$BIN" load -c 10 -n 800 "127.0.0.1:$PORT"
    stop_server "$1: ends with status 0"
    "$PY" tests/profile/prof.py "$T" mapping "$PB" >"$T/mapping" 2>"$ERR"
}

# The debug file that .gnu_debuglink names gives names and lines; one with
# another CRC gives none.
debug_link() {
    need 'debug link' objcopy protoc py:google.protobuf addr2line pprof ||
        return
    mkdir -p "$T/stripped/.debug"
    objcopy --only-keep-debug "$BIN" "$T/stripped/gp.debug"
    objcopy -S --add-gnu-debuglink="$T/stripped/gp.debug" "$BIN" \
        "$T/stripped/gp"
    mv "$T/stripped/gp.debug" "$T/stripped/.debug/"
    short_run linked "$T/stripped/gp" || return
    "$PY" tests/profile/prof.py "$T" names "$PB" gp >"$T/names"
    has 'a debug link gives names' "$T/names" '^svc_work'
    check 'pprof -lines' 0 "$PPROF" -symbolize=none -top -lines "$PB"
    has 'a debug link gives lines' "$OUT" 'svc_work .*grpcprof\.c:[0-9]'
    echo >>"$T/stripped/.debug/gp.debug"
    unnamed pie "$T/stripped/gp" "$BIN"
}

# unnamed KIND STRIPPED WHOLE: a profile of a stripped program has no names, but
# pprof can find them in the unstripped file
unnamed() {
    short_run "stripped-$1" "$2" || return
    has "stripped, $1: no names" "$T/mapping" 'functions=0 .*lines=0 inline=0'
    has "stripped, $1: whole stacks" "$T/mapping" 'deepest=([0-9]{2,}|[6-9])$'
    check "stripped, $1: its names" 0 "$PY" tests/profile/prof.py "$T" names \
        "$PB" gp
    lacks "stripped, $1: no neighbour's name" "$OUT" '^(svc|rpc|h2|net)_'
    need "stripped, $1: pprof" pprof || return
    check "stripped, $1: pprof -traces" 0 "$PPROF" -traces "$3" "$PB"
    for f in svc_work svc_hello net_loop_run server_loop_main; do
        has "stripped, $1: pprof names $f" "$OUT" " $f( |\$)"
    done
    check "stripped, $1: pprof -list" 0 "$PPROF" -top -lines "$3" "$PB"
    has "stripped, $1: pprof finds lines" "$OUT" 'svc_work .*grpcprof\.c:[0-9]'
}

# The same for programs at a fixed address and for static ones, which are linked
# from an existing object file.
stripped() {
    need 'stripped programs' strip protoc py:google.protobuf || return
    local kind
    for kind in no-pie static; do
        if ! ${CC:-gcc} -pthread "-$kind" -Wl,--build-id -o "$T/gp-$kind" \
            .build/grpcprof.o -lnghttp2 -lz -lm -lpthread @.build/libs \
            2>"$ERR"; then
            missing "stripped, $kind" "it does not link: $(tail_of "$ERR")"
            continue
        fi
        mkdir -p "$T/$kind"
        strip -o "$T/$kind/gp" "$T/gp-$kind"
        unnamed "$kind" "$T/$kind/gp" "$T/gp-$kind"
    done
}

# If addr2line never answers, serve stops waiting, and the profile has no lines.
# Some frames may lack a name: the linker's stubs have none.
no_answer() {
    local pid
    mkdir -p "$T/fake"
    printf '#!/bin/sh\necho $$ >>%s\nexec sleep 1000\n' "$T/asked" \
        >"$T/fake/addr2line"
    chmod +x "$T/fake/addr2line"
    WITH=$T/fake:$PATH short_run hung "$BIN" || return
    has 'addr2line was asked' "$T/asked" '^[0-9]+$'
    while read -r pid; do cat "/proc/$pid/comm"; done <"$T/asked" \
        >"$T/alive" 2>/dev/null
    lacks 'addr2line that hangs is killed' "$T/alive" sleep
    has 'then no lines are promised' "$T/mapping" 'filenames=0 lines=0'
    need 'names without lines' pprof || return
    check 'pprof -lines, no answer' 0 "$PPROF" -symbolize=none -top -lines "$PB"
    has 'names without lines' "$OUT" ' svc_work$'
    lacks 'and no line is made up' "$OUT" 'grpcprof\.c:'
}

whole_window
interrupted
idle
full_disk
[ -n "$SUFFIX" ] || { debug_link; stripped; no_answer; }
