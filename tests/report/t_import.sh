# import: files of other tools, by their content; names from the mapped files.
# runs: plain asan

# Each of them: status 1, and one line with the file's name and what to do.
named() {
    local want
    printf 'PERFILE2\150\0\0\0' >"$T/perf.data"
    printf 'FLR\0\0\002' >"$T/x.jfr"
    printf '{"traceEvents":[{"ph":"X"}]}' >"$T/trace.json"
    printf '{"snapshot":{"meta":{}}}' >"$T/x.heapsnapshot"
    printf '<html><title>502 Bad Gateway</title>' >"$T/page.html"
    printf 'cpu profiling \033[1malready in use\n' >"$T/error.txt"
    gzip -c "$T/perf.data" >"$T/perf.gz"
    tar cf "$T/x.tar" -C "$T" x.jfr
    mkdir -p "$T/run.trace"
    cp "$(type -P true)" "$T/program"
    : >"$T/nothing"
    while IFS='|' read -r f want; do
        check "$f" 1 "$BIN" report "$T/$f"
        one_line "$f, one line" "$f: $want"
        lacks "$f, no escapes" "$ERR" $'\e'
    done <<'LINES'
perf.data|.*perf script -i FILE . grpcprof report -
perf.gz|.*perf script -i FILE . grpcprof report -
x.jfr|.*jfrconv -o collapsed FILE
trace.json|.*a trace of Chrome
x.heapsnapshot|.*a heap snapshot of V8
page.html|.*HTML page: "502 Bad Gateway"
error.txt|.*text: "cpu profiling .*already in use".*/debug/pprof/profile
x.tar|.*a tar archive
run.trace|.*a directory.*xctrace export
program|.*\(ELF\)
nothing|the file is empty
LINES
}

# A file, gzip'd or not, a pipe and standard input give the same.
ways() {
    local i
    for i in 1 2 3; do
        seq -f 'main;f%.0f (app.py:7);g 3' 1 30000
    done >"$T/x.folded"
    check 'folded, a file' 0 "$BIN" report -f folded "$T/x.folded"
    cp "$OUT" "$T/want"
    same 'folded, a file, all of it' "$(wc -l <"$OUT") $(tail -n 1 "$OUT")" \
        '30000 main;f9999;g 9'
    gzip -kf "$T/x.folded"
    check 'folded, gzip' 0 "$BIN" report -f folded "$T/x.folded.gz"
    same 'folded, gzip, the same' "$(cksum <"$OUT")" "$(cksum <"$T/want")"
    check 'folded, a pipe' 0 bash -c \
        "cat '$T/x.folded' | '$BIN' report -f folded -"
    same 'folded, a pipe, the same' "$(cksum <"$OUT")" "$(cksum <"$T/want")"
    check 'folded, standard input' 0 bash -c \
        "'$BIN' report -f folded - <'$T/x.folded'"
    same 'folded, standard input, the same' "$(cksum <"$OUT")" \
        "$(cksum <"$T/want")"
}

# lacking FILE ID: write to $T/lacks.pb a profile of FILE's function hot, but no
# names.
lacking() {
    local at
    at=$(nm "$1" | awk '$3 == "hot" { print "0x" $1 }')
    echo "string_table: '' string_table: 'cpu' string_table: 'nanoseconds'
        string_table: '$1' string_table: '$2'
        sample_type { type: 1 unit: 2 } sample { location_id: 1 value: 7 }
        mapping { id: 1 memory_start: 0x10000 memory_limit: 0x7fffffff
            filename: 3 build_id: 4 }
        location { id: 1 mapping_id: 1 address: $((at + 0x10000)) }" |
        protoc -Iproto --encode=perftools.profiles.Profile profile.proto \
            >"$T/lacks.pb"
}

# Names come only from a file with the same build id.
names() {
    local id
    echo 'int hot(int x) { return x * 3; } int main(void) { return hot(0); }' \
        >"$T/hot.c"
    ${CC:-gcc} -O0 -g -Wl,--build-id -o "$T/hot" "$T/hot.c" || return
    id=$(readelf -n "$T/hot" | awk '/Build ID/ { print $3 }')
    lacking "$T/hot" "$id" || return
    check 'names, equal build id' 0 "$BIN" report -f top --by line "$T/lacks.pb"
    has 'names, equal build id: function and line' "$OUT" ' hot .*hot\.c:1$'
    one_line 'names, equal build id: says from where' 'names from .*/hot$'
    if need 'names, as pprof' pprof; then
        tail -n 1 "$OUT" >"$T/want"
        check 'names, pprof' 0 "$PPROF" -top -lines "$T/lacks.pb"
        same 'names, as pprof' "$(tail -n 1 "$OUT")" "$(cat "$T/want")"
    fi
    cp "$T/lacks.pb" "$T/lacks2.pb"
    check 'names of two profiles' 0 "$BIN" report -f top "$T/lacks.pb" \
        "$T/lacks2.pb"
    one_line 'names of two profiles: says from where once' \
        '^grpcprof: names from [^ ]*/hot$'
    check 'names, none wanted' 0 "$BIN" report -f top --symbolize=none \
        "$T/lacks.pb"
    lacks 'names, none wanted, none given' "$OUT" '% +hot$'
    lacking "$T/hot" 1234567890
    check 'names, another build id' 0 "$BIN" report -f top "$T/lacks.pb"
    lacks 'names, another build id: none' "$OUT" '% +hot$'
    one_line 'names, another build id: says why' 'no names .*another build id'
    lacking "$T/hot" ''
    check 'names, no build id' 0 "$BIN" report -f top "$T/lacks.pb"
    has 'names, no build id: of an older file' "$OUT" '% +hot$'
    one_line 'names, no build id: says so' '/hot \(the profile has no build id'
    touch -d 2015-01-01 "$T/lacks.pb"
    check 'names, a newer file' 0 "$BIN" report -f top "$T/lacks.pb"
    lacks 'names, a newer file: none' "$OUT" '% +hot$'
    one_line 'names, a newer file: says why' 'no names .* newer than the profile'
}

# If the path of a mapping is no ELF file, is endless, or blocks, there are no
# names, and report does not hang.
no_files() {
    local f
    echo 'int hot(int x) { return x; } int main(void) { return hot(0); }' \
        >"$T/hot.c"
    ${CC:-gcc} -O0 -Wl,--build-id=none -o "$T/hot" "$T/hot.c" || return
    mkfifo "$T/fifo" || return
    head -c 5000 "$T/hot" >"$T/short"
    lacking "$T/hot" '' || return
    for f in /dev/zero /proc/kcore "$T/fifo" "$T/short" "$T" "$T/none"; do
        protoc -Iproto --decode=perftools.profiles.Profile profile.proto \
            <"$T/lacks.pb" | sed "s,\"$T/hot\",\"$f\"," |
            protoc -Iproto --encode=perftools.profiles.Profile profile.proto \
                >"$T/other.pb"
        LIMIT=30 check "names from ${f##*/}" 0 "$BIN" report -f top \
            "$T/other.pb"
        lacks "names from ${f##*/}, none" "$OUT" '% +hot$'
    done
}

named
ways
names
no_files
