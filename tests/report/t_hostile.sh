# hostile: files that are no profile or an invalid one are refused or repaired.
# runs: plain asan
# long

. tests/report/made.sh

# The largest and the smallest values and times, and a profiler's own frame:
# read or refused, never undefined behaviour (ASan's build would exit with 99).
ends_of_range() {
    local big=9223372036854775807 low=-9223372036854775808 v f status
    for v in $big $low; do
        echo "string_table: '' string_table: 'samples' string_table: 'count'
            string_table: 'cpu' string_table: 'nanoseconds'
            string_table: 'runtime.sigprof' string_table: 'b'
            sample_type { type: 1 unit: 2 } sample_type { type: 3 unit: 4 }
            sample { location_id: [1, 1, 2] value: [$v, $v] }
            sample { location_id: [2] value: [$v, $v] }
            sample { location_id: [2, 1] value: [1, -5] }
            location { id: 1 address: 1 line { function_id: 1 } }
            location { id: 2 address: 2 line { function_id: 2 } }
            function { id: 1 name: 5 } function { id: 2 name: 6 }
            time_nanos: $v duration_nanos: $v period: $v" |
            protoc -Iproto --encode=perftools.profiles.Profile \
                profile.proto >"$T/ends.pb" || return
        for f in text md json svg folded top; do
            status=0                    # no value is above 0: no picture
            [ "$f$v" != "svg$low" ] || status=1
            check "values of $v, -f $f" $status "$BIN" report -f $f \
                "$T/ends.pb"
        done
    done
}

# Each of them: status 1, one line, the file's name in it.
no_profiles() {
    : >"$T/empty.pb"
    echo 'This is no profile.' >"$T/text.pb"
    head -c 5000 /dev/urandom >"$T/random.pb"
    head -c 5000 /dev/urandom | gzip >"$T/random.pb.gz"
    head -c 50000000 /dev/zero | gzip >"$T/zeros.pb.gz"
    printf '\037\213' >"$T/magic.pb"
    mkdir -p "$T/folder.pb"
    local f
    for f in empty.pb text.pb random.pb random.pb.gz zeros.pb.gz magic.pb \
        folder.pb missing.pb; do
        LIMIT=30 check "$f" 1 "$BIN" report "$T/$f"
        one_line "$f, one line" "$f"
        same "$f, nothing on stdout" "$(head -c 100 "$OUT")" ''
    done
}

# Small files that ask for much memory or time; make soak tries them in all
# views, and make fuzz tries mutations.
floods() {
    [ -z "$SUFFIX" ] || return
    mkdir -p "$T/floods"
    LIMIT=900 tally 'floods' "$PY" tests/report/floods.py "$BIN" "$T/floods" 1600 200000 \
        svg
}

# Output that is written in pieces: the file has all of it, or its old content.
pieces() {
    "$PY" -c 'print("\n".join("main;%s%d 1" % ("x" * 10000, i)
                            for i in range(500)))' >"$T/long.folded"
    check 'pieces on stdout' 0 "$BIN" report -q -f traces "$T/long.folded"
    cp "$OUT" "$T/whole"
    check 'pieces in a file' 0 "$BIN" report -q -f traces -o "$T/pieces" \
        "$T/long.folded"
    check 'pieces are the same' 0 cmp "$T/whole" "$T/pieces"
    echo old >"$T/pieces"
    check 'pieces beyond what a file may take' 1 bash -c \
        'trap "" XFSZ; ulimit -f 2000; exec "$@"' - "$BIN" report -q \
        -f traces -o "$T/pieces" "$T/long.folded"
    one_line 'pieces that were not written' 'pieces: not written, left as it was'
    same 'the old file stays' "$(cat "$T/pieces")" old
    check 'pieces on a full disk' 1 bash -c '"$@" >/dev/full' - "$BIN" report \
        -q -f traces "$T/long.folded"
}

truncated() {
    made 12 1000000 || return
    mkdir -p "$T/cut"
    LIMIT=200 check 'cut at every byte' 0 "$PY" tests/report/trunc.py "$BIN" \
        "$T/made.pb" "$T/cut" 1
    LIMIT=300 check 'cut at every byte, not compressed' 0 "$PY" \
        tests/report/trunc.py "$BIN" "$T/made.raw" "$T/cut" 0 1
    { cat "$T/made.pb"; echo more; } >"$T/more.pb"
    check 'more bytes after the end' 1 "$BIN" report "$T/more.pb"
}

# bad STATUS NAME SED: a profile that is valid protobuf but inconsistent is
# refused in one line, or read with a note on what was repaired.
bad() {
    local status=$1
    shift
    made 12 1000000
    sed "$2" "$T/made.txt" |
        protoc -Iproto --encode=perftools.profiles.Profile profile.proto |
        gzip >"$T/bad.pb"
    cmp -s "$T/bad.pb" "$T/made.pb" && fail "$1" 'the edit changed nothing'
    LIMIT=30 check "$1" "$status" "$BIN" report "$T/bad.pb"
    if [ "$status" -eq 1 ]; then one_line "$1, one line" 'bad\.pb'
    else has "$1, is told" "$OUT" '[Rr]epaired|mended'; fi
}

senseless() {
    bad 0 'a location that is not there' 's/location_id: \[2/location_id: [77/'
    bad 0 'a string that is not there'   's/name: 8/name: 999/'
    bad 0 'a string before the first'    's/name: 8/name: -1/'
    bad 0 'a function that is not there' 's/function_id: 3/function_id: 9/'
    bad 1 'too few values'               's/value: \[6, [0-9]*\]/value: 6/'
    bad 0 'one id twice'                 's/location { id: 2/location { id: 1/'
    bad 1 'a first string with text'     's/table: ""/table: "x"/'
}

# Sums that overflow, and negative values, as in differences.
extremes() {
    made 12 1000000
    local edit f status
    for edit in 's/\(value: .[46],\) [0-9]*/\1 9223372036854775807/' \
        's/\(value: .4,\) /\1 -/' 's/\(value: .[246],\) /\1 -/'; do
        sed "$edit" "$T/made.txt" |
            protoc -Iproto --encode=perftools.profiles.Profile profile.proto |
            gzip >"$T/bad.pb"
        for f in text md json svg folded top; do
            status=0                    # no value is above 0: no picture
            [ "$f$edit" != 'svgs/\(value: .[246],\) /\1 -/' ] || status=1
            LIMIT=30 check "extreme values, $edit, -f $f" $status "$BIN" \
                report -f $f "$T/bad.pb"
            [ $status -eq 0 ] || one_line "extreme values, $edit, -f $f, one line"
        done
    done
}

if need 'hostile' protoc; then
    no_profiles
    floods
    pieces
    truncated
    senseless
    extremes
    ends_of_range
fi
