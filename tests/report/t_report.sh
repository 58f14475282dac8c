# report on valid profiles, its own and those of other tools.
# runs: plain (asan)
# long

. tests/report/made.sh

# ageless FILE: print its checksum, without the age of the profile.
ageless() {
    sed -E '/^[ *-]+Age\W/d; s/"age_ns": ?([0-9]+|null)//
        s/[0-9]+ (s|min|h|days) old//' "$1" | cksum
}

formats() {
    made 6000 1000000 || return
    local f
    for f in text md json svg folded top; do
        check "-f $f" 0 "$BIN" report -f $f "$T/made.pb"
        cp "$OUT" "$T/made.$f"
        has "-f $f names handle" "$OUT" handle
        lacks "-f $f has no escapes where nobody looks" "$OUT" $'\e'
        check "-f $f into a full disk" 1 sh -c \
            "'$BIN' report -f $f '$T/made.pb' >/dev/full"
    done
    for f in md json svg folded; do
        check "-o x.$f takes the format" 0 "$BIN" report -o "$T/x.$f" \
            "$T/made.pb"
        same "-o x.$f is -f $f" "$(ageless "$T/x.$f")" "$(ageless "$T/made.$f")"
    done
    check 'from stdin' 0 sh -c "'$BIN' report -f folded - <'$T/made.pb'"
    same 'from stdin, the same' "$(cksum <"$OUT")" "$(cksum <"$T/made.folded")"
    check 'not compressed' 0 "$BIN" report -f folded "$T/made.raw"
    same 'not compressed, the same' "$(cksum <"$OUT")" \
        "$(cksum <"$T/made.folded")"
    for f in 80 60; do
        tally 'terminal' "$PY" tests/load/term.py $f xterm fits "$BIN" report \
            --base "$T/made.pb" --explain "$T/made.pb"
    done
    check '-o in no directory' 1 "$BIN" report -o "$T/no/x.svg" "$T/made.pb"
    one_line '-o in no directory, one line' 'no/x\.svg'
}

# Known numbers, in each format.
right_numbers() {
    same 'folded stacks' "$(sort "$T/made.folded")" \
        "$(printf 'main;handle%s000000000\n' ' 3' \
            ';nghttp2_session_mem_recv 2' ';send 1' | sort)"
    tally 'arithmetic of the JSON' "$PY" tests/report/report.py "$T/made.json"
    check 'flat of handle is half' 0 "$PY" -c 'import json, sys
r = json.load(open(sys.argv[1]))
f = {x["name"]: x for x in r["functions"]}
h, m, s = f["handle"], f["main"], f["send"]
assert r["profile"]["samples"] == 6000, r["profile"]
assert r["profile"]["total"] == 6 * 10**9, r["profile"]
assert (h["flat"], h["flat_share"]) == (3 * 10**9, .5), h
assert (h["cum"], h["cum_share"], h["cum_samples"]) == (6 * 10**9, 1, 6000), h
assert (m["flat"], m["cum_share"]) == (0, 1), m
assert s["level"] == "system" and h["level"] == "application", (s, h)
assert abs(s["flat_share"] - 1 / 6) < 1e-6, s' "$T/made.json"
    need 'the SVG is XML' xmllint &&
        check 'the SVG is XML' 0 xmllint --noout --nonet "$T/made.svg"
    has 'the text gives samples' "$T/made.text" '6,000'
    grep -oiE '^(application functions|where their|verdict|trust|top)' \
        "$T/made.text" | uniq | tr '\n' , >"$T/order"
    same 'the text begins with the application' "$(cat "$T/order")" \
        'Application functions,Where their,Verdict,Trust,Top,'
}

# The same lines as pprof's, but for blanks.
like_pprof() {
    need 'top is pprof'\''s' pprof || return
    check 'pprof reads it' 0 "$PPROF" -symbolize=none -top "$T/made.pb"
    squeeze() { sed -n '/^Showing nodes/,$p' "$1" | sed 's/  */ /g; s/^ //'; }
    same 'top is pprof'\''s' "$(squeeze "$T/made.top")" "$(squeeze "$OUT")"
}

# 110 samples, as 100 x 50 calls give: too few for a verdict.
too_few() {
    made 110 1000000 'tool=grpcprof 0.1.0' engine=itimer clock=cpu \
        hz_asked=1000 hz_delivered=1000 samples=110 lost=0 truncated=0 \
        unwind_failed=0 cpu_ns=110000000 process_cpu_ns=110000000 \
        coverage=1.0 wall_ns=2000000000 cpus=2 threads=3 requests=5000 \
        work=50000 requests./helloworld.Greeter/SayHello=5000 || return
    check '110 samples, text' 0 "$BIN" report "$T/made.pb"
    lacks '110 samples, no I/O bound' "$OUT" '(I/O|CPU).bound'
    has '110 samples, the verdict is withheld' "$OUT" \
        '[Ww]ithheld|[Nn]o verdict'
    has '110 samples, the command that would give enough' "$OUT" \
        'grpcprof (serve|load) '
    check '110 samples, json' 0 "$BIN" report -f json "$T/made.pb"
    has '110 samples, json says withheld' "$OUT" '"kind": ?"withheld"'
    cp "$OUT" "$T/few.json"
    tally 'arithmetic of 110 samples' "$PY" tests/report/report.py "$T/few.json"
    has '110 samples, json names the command' "$OUT" \
        '"next_command": ?"[^"]*grpcprof (serve|load) '
}

# The case that this program was made for: 30 s, a timer of 100 Hz, 110 samples.
# It says what they show, and no more.
original() {
    made 110 10000000 && sed 's/duration_nanos: [0-9]*/duration_nanos: 30000000000/' \
        "$T/made.txt" | protoc -Iproto --encode=perftools.profiles.Profile \
        profile.proto >"$T/made.pb" || return
    check '110 samples in 30 s' 0 "$BIN" report "$T/made.pb"
    has '110 in 30 s, no verdict' "$OUT" '[Nn]o verdict'
    has '110 in 30 s, the least that would do' "$OUT" '110 samples are too few'
    has '110 in 30 s, the interval of 10%' "$OUT" '5\.7 to 17\.0%'
    has '110 in 30 s, a half is 40.8 to 59.2' "$OUT" '50.*40\.8 to 59\.2'
    has '110 in 30 s, CPU use' "$OUT" '3\.7% of one core'
    tr -s '\n ' ' ' <"$OUT" >"$T/flat"
    has '110 in 30 s, waiting is not in it' "$T/flat" 'cannot show what it waited for'
    lacks '110 in 30 s, not called I/O bound' "$OUT" 'I/O[- ]bound'
    sed -n '/^Recommendations/,/^$/p' "$OUT" >"$T/advice"
    has '110 in 30 s, no recommendations' "$T/advice" '^  None '
    lacks '110 in 30 s, nothing of handle' "$T/advice" handle
}

# 20,000 samples, all CPUs busy: a verdict, and its evidence.
saturated() {
    made 20000 1000000 || return
    check '20,000 samples' 0 "$BIN" report "$T/made.pb"
    tr -s '\n ' ' ' <"$OUT" >"$T/flat"
    has '20,000, its share, interval and samples' "$T/flat" \
        '50\.0%.{0,60}49\.3 to 50\.7'
    check '20,000 samples, json' 0 "$BIN" report -f json -o "$T/full.json" \
        "$T/made.pb"
    tally 'arithmetic of 20,000 samples' "$PY" tests/report/report.py "$T/full.json"
    has '20,000, a verdict' "$T/full.json" '"kind": ?"(mixed|application)"'
    has '20,000, with reasons' "$T/full.json" '"why": ?\["[^"]*[0-9]+\.[0-9]%'
}

# A recommendation says what its share is, which differs from the verdict's.
advised() {
    local of below
    while IFS='|' read -r of below; do
        # shellcheck disable=SC2086 # words
        printf 'main.main;main.handle%s\n' '~300' $below | tr '~' ' ' \
            >"$T/advice.folded"
        check "advice, $of" 0 "$BIN" report "$T/advice.folded"
        tr -s '\n ' ' ' <"$OUT" >"$T/flat"
        has "advice, the verdict has all" "$T/flat" \
            'main.handle takes 100.0% of the CPU time'
        has "advice, $of, said" "$T/flat" "\\[main.handle, $of \\(95%"
        check "advice, $of, JSON" 0 "$BIN" report -f json "$T/advice.folded"
        has "advice, $of, said in JSON" "$OUT" \
            "\"share_of\": ?\"${of%: *}\""
    done <<'LINES'
self: 75.0%|;main.audit~100
total: 100.0%|;runtime.mallocgc~200
total without other application functions: 83.3%|;runtime.mallocgc~200 ;main.audit~100
LINES
}

# Each mode that JSON has, by its schema.
modes() {
    made 6000 1000000 requests=300 wall_ns=6000000000 requests./a.B/C=300 ||
        return
    cp "$T/made.pb" "$T/base.pb"
    made 9000 1000000 requests=300 || return
    set -- "$T/made.pb"
    modes_of plain
    modes_of base --base "$T/base.pb"
    modes_of normalized --base "$T/base.pb" --normalize
    check 'shares do not need it' 2 "$BIN" report --base "$T/base.pb" \
        --normalize "$T/made.pb"
    modes_of 'per call' --base "$T/base.pb" --per-call
    modes_of 'calls given' --per-call=77 --top 1
    modes_of 'by file' --by file --focus handle
    modes_of asserts --base "$T/base.pb" --assert 'delta(handle)<90%' \
        --assert 'share(handle)>1%' --assert 'self(main)<1%' \
        --assert 'cpu_per_call<1s' --assert 'samples>10'
}
modes_of() {
    local name=$1
    shift
    check "json, $name" 0 "$BIN" report "$@" -o "$T/mode.json" "$T/made.pb"
    tally "json, $name" "$PY" tests/report/report.py "$T/mode.json"
}

# A profile with every field, and frames without names, by each --by.
grains() {
    local by f
    "$PY" tests/report/profiles.py small "$T/small.pb" || return
    for by in function file line address module category; do
        for f in text json tree svg callgrind; do
            [ $by$f = categorytext ] || [ $by$f = categoryjson ] ||
                check "every field by $by, -f $f" 0 "$BIN" report --by $by \
                    -f $f "$T/small.pb"
        done
    done
    check 'by category is a table already' 2 "$BIN" report --by category \
        "$T/small.pb"
    "$PY" tests/report/profiles.py legacy "$T/legacy.pb"
    check "gperftools' format" 0 "$BIN" report -f folded "$T/legacy.pb"
    has "gperftools' format, is read" "$OUT" '^server\+0x1fff;server\+0x1000 50000000$'
}

# Names of C++ and Rust are demangled if binutils are installed.
demangled() {
    made 12 1000000
    sed 's/"handle"/"_ZNSt6vectorIiSaIiEE9push_backEOi"/
        s/"send"/"_RNvCs1234_7mycrate3foo"/' "$T/made.txt" |
        protoc -Iproto --encode=perftools.profiles.Profile profile.proto \
            >"$T/names.pb"
    if need 'names of C++' c++filt; then
        check 'names of C++' 0 "$BIN" report -f folded "$T/names.pb"
        has 'names of C++, demangled' "$OUT" \
            ';std::vector<int, std::allocator<int> ?>::push_back\(int&&\)'
        has 'names of Rust, demangled' "$OUT" ';mycrate::foo 2'
        sed 's/"send"/"_ZN7mycrate3foo17h0123456789abcdefE"/' "$T/made.txt" |
            protoc -Iproto --encode=perftools.profiles.Profile profile.proto \
                >"$T/hash.pb"
        check "Rust's older names" 0 "$BIN" report -f folded "$T/hash.pb"
        has "Rust's older names, without their hash" "$OUT" ';mycrate::foo 2'
    fi
    check 'without c++filt' 0 env PATH=/nonexistent "$BIN" report -f folded \
        "$T/names.pb"
    has 'without c++filt, as they are' "$OUT" \
        ';_ZNSt6vectorIiSaIiEE9push_backEOi;_RNvCs1234_7mycrate3foo 2'
}

# Every view and filter, beside pprof's own text.
same_as_pprof() {
    [ -z "$SUFFIX" ] || return             # once: the views are the same
    need 'every view is pprof'\''s' pprofs || return
    LIMIT=600 tally 'every view' "$PY" tests/same.py "$BIN" "$PPROFS" \
        "$T/made.pb" "$T/small.pb" "$T/legacy.pb"
}

# Several profiles together, a part of one, other options for one.
parts() {
    made 6000 1000000 'tool=grpcprof 9' engine=perf clock=cpu samples=6000 \
        hz_delivered=1000.0 weight_squares=6.6e15 lost=0 cpu_ns=6000000000 \
        process_cpu_ns=6000000000 coverage=1.0000 wall_ns=6000000000 \
        busy_wall_ns=6000000000 work=7 requests=600 requests./a.B/C=600 \
        note=mine || return
    mv "$T/made.pb" "$T/one.pb"
    made 6000 1000000 'tool=grpcprof 9' engine=thread clock=cpu samples=6000 \
        hz_delivered=999.0 weight_squares=6.6e15 lost=9 cpu_ns=6000000000 \
        process_cpu_ns=6000000000 coverage=1.0000 wall_ns=6000000000 \
        requests=200 requests./a.B/D=200 || return
    mv "$T/made.pb" "$T/two.pb"
    tally 'parts of profiles' "$PY" tests/report/parts.py "$BIN" "$T/one.pb" \
        "$T/two.pb" "$T"
    check 'what a call takes, in the tables' 0 "$BIN" report --per-call=1000 \
        "$T/one.pb"
    has 'a call of those given, not of those counted' "$OUT" \
        '^ +50\.0% .* 3,000 +3\.00 ms +100\.0%  handle'
    made 6000 1000000 || return
    check 'each of its own calls' 0 "$BIN" report --base "$T/one.pb" \
        --per-call=100 "$T/two.pb"
    has 'each of its own calls, those given are of now' "$OUT" \
        '^ +5\.00 ms +30\.0 ms +\+25\.0 ms .*handle'
    check 'a call of which nobody knows' 1 "$BIN" report \
        --assert 'cpu_per_call<8us' "$T/made.pb"
    has 'cpu_per_call without calls: not known' "$OUT" \
        'cannot be judged +cpu_per_call<8us: it is not known'
    check 'an assertion on what no filter left' 1 "$BIN" report -q \
        --focus typoo --assert 'share(handle)<5%' "$T/made.pb"
    has 'an assertion on what no filter left, says so' "$OUT" \
        'cannot be judged +share\(handle\)<5%: no function matches'
    check 'a base of unknown calls' 2 "$BIN" report --per-call \
        --base "$T/made.pb" "$T/one.pb"
    one_line 'a base of unknown calls' 'made.pb has no number of calls'
    check 'delta in us without calls' 2 "$BIN" report --base "$T/made.pb" \
        --assert 'delta(send)<2us' "$T/made.pb"
    one_line 'delta in us without calls' 'per-call=N'
}

# A base of another sample type is refused; a profile that is a difference has
# negative rows, and the report says so.
bases() {
    made 6000 1000000 || return
    sed 's/"cpu"/"wall"/' "$T/made.txt" | protoc -Iproto \
        --encode=perftools.profiles.Profile profile.proto >"$T/other.pb"
    for f in text svg top pprof; do
        check "another kind of base, -f $f" 1 "$BIN" report -f $f \
            --base "$T/other.pb" "$T/made.pb"
        one_line "another kind of base, -f $f" 'other.pb: no sample type cpu/nano'
    done
    check 'another kind of base, by what both have' 1 "$BIN" report \
        --sample samples --base "$T/other.pb" "$T/made.pb"
    one_line 'by what both have' 'its period is in wall/nanoseconds, not in cpu'
    cp "$T/made.pb" "$T/long.pb"
    made 3000 1000000
    check 'a difference' 0 "$BIN" report -q -f pprof --base "$T/long.pb" \
        -o "$T/less.pb" "$T/made.pb"
    check 'a difference, text' 0 "$BIN" report "$T/less.pb"
    has 'a difference, its net' "$OUT" 'Net +-3\.00 s: 3 of 3 rows are negative'
    has 'a difference, its rows' "$OUT" '^ +-50\.0%.*handle'
    has 'a difference, no verdict' "$OUT" 'No verdict'
    check 'a difference, folded' 0 "$BIN" report -f folded "$T/less.pb"
    one_line 'a difference, folded' '3 of 3 rows are below 0'
    check 'less itself' 0 "$BIN" report -f raw --base "$T/made.pb" "$T/made.pb"
    lacks 'less itself, no rows' "$OUT" '^ +-?[0-9]+ +-?[0-9]+: '
}

# shaped NAME HEAD SAMPLE...: write to $T/NAME.pb a profile with two types of
# bytes, in which main calls a and b; HEAD has other fields of the profile.
shaped() {
    local name=$1 head=$2 s f
    shift 2
    {
        for s in '' alloc bytes inuse main a b /opt/app/prog; do
            echo "string_table: \"$s\""
        done
        echo "sample_type { type: 1 unit: 2 } sample_type { type: 3 unit: 2 }
            mapping { id: 1 filename: 7 } $head"
        for f in 1 2 3; do
            echo "location { id: $f mapping_id: 1 line { function_id: $f } }
                function { id: $f name: $((f + 3)) }"
        done
        for s in "$@"; do echo "sample { $s }"; done
    } | protoc -Iproto --encode=perftools.profiles.Profile profile.proto \
        >"$T/$name.pb"
}

# With --base: the sample type that both have, several bases, and calls that
# cancel out.
base_types() {
    shaped was 'default_sample_type: 1' \
        'location_id: [2, 1] value: [1000000, 10]' \
        'location_id: [3, 1] value: [1000000, 10]'
    shaped is '' 'location_id: [2, 1] value: [1500000, 20]' \
        'location_id: [3, 1] value: [1000000, 10]'
    check 'the type of the base' 0 "$BIN" report -f top --base "$T/was.pb" \
        "$T/is.pb"
    has 'the type of the base, its total' "$OUT" \
        'for 488.28kB, 25.00% of 1953.12kB total'
    check 'scaled to one total' 0 "$BIN" report -f folded --normalize \
        --base "$T/was.pb" "$T/is.pb"
    same 'scaled to one total, both rows' "$(cat "$OUT")" \
        "$(printf 'main;a 250000\nmain;b -250000')"
    check 'the type of the base, text' 0 "$BIN" report --base "$T/was.pb" \
        "$T/is.pb"
    has 'the type of the base, text too' "$OUT" 'alloc, 2.5 MB in total'
    check 'two bases' 0 "$BIN" report -f folded --base "$T/was.pb" \
        --base "$T/was.pb" "$T/is.pb"
    same 'two bases, both count' "$(cat "$OUT")" \
        "$(printf 'main;a -500000\nmain;b -1000000')"
    check 'two bases, text' 0 "$BIN" report --base "$T/was.pb" \
        --base "$T/was.pb" "$T/is.pb"
    has 'two bases, said' "$OUT" 'the 2 bases together'
    one_line 'two bases, one file' 'was.pb is given twice'
    shaped none '' 'location_id: [2, 1] value: [-50, -50]' \
        'location_id: [3, 1] value: [50, 50]'
    check 'a caller of nothing in all' 0 "$BIN" report -f tree "$T/none.pb"
    has 'a caller of nothing in all, is a caller' "$OUT" \
        '^ +-50B +100% \|   main$'
    check 'no bytes below zero as bytes' 0 "$BIN" report "$T/none.pb"
    shaped loss '' 'location_id: [2, 1] value: [-2208436, -2208436]'
    check 'bytes below 0' 0 "$BIN" report "$T/loss.pb"
    has 'bytes below 0, are bytes' "$OUT" '-2.2 MB +.* a'
}

# Samples without a stack are shown, except in pprof's views; repairs, and
# programs that were added up, are said.
placed() {
    local f
    shaped bare '' 'value: [500, 500]' 'location_id: [2, 1] value: [100, 100]'
    for f in folded speedscope callgrind svg text json; do
        check "no stack, -f $f" 0 "$BIN" report -f $f "$T/bare.pb"
        has "no stack, -f $f has it" "$OUT" '\[no stack\]'
    done
    for f in module file line function; do
        check "no stack, --by $f" 0 "$BIN" report -f folded --by $f "$T/bare.pb"
        has "no stack, --by $f has it" "$OUT" '^\[no stack\] 500$'
    done
    check 'no stack, its category' 0 "$BIN" report -f json "$T/bare.pb"
    has 'no stack, is unknown' "$OUT" '"name": ?"\[no stack\]".*"unknown"'
    check 'no stack, as pprof' 0 "$BIN" report -f top "$T/bare.pb"
    lacks 'no stack, as pprof: not at all' "$OUT" 'no stack'
    shaped twice 'location { id: 2 address: 9 }' \
        'location_id: [2, 1] value: [5, 5]'
    check 'repaired, -f top' 0 "$BIN" report -f top "$T/twice.pb"
    one_line 'repaired, -f top says so' 'repaired once: duplicate id'
    check 'repaired, text' 0 "$BIN" report "$T/twice.pb"
    has 'repaired, text says so' "$OUT" 'Repaired +once: duplicate id'
    shaped else 'comment: 7' 'location_id: [2, 1] value: [5, 5]'
    sed 's,/opt/app/prog,/opt/app/c\x1bon,' "$T/else.pb" >"$T/cron.pb"
    check 'two programs' 0 "$BIN" report -f folded "$T/else.pb" "$T/cron.pb"
    one_line 'two programs, said' 'is of prog and .* of c.on; they are added up'
    lacks 'two programs, no escapes' "$ERR" $'\x1b'
}

# Options that do nothing for a view are refused with it.
misplaced() {
    local line
    made 600 1000000 || return
    while IFS= read -r line; do
        # shellcheck disable=SC2086 # words
        check "$line" 2 "$BIN" report $line "$T/made.pb"
        has "$line, said" "$ERR" "${line%% *} is for"
    done <<'LINES'
--cum -f svg
--cum
--top 3 -f folded
--top 3 -f peek --peek main
--rules /dev/null -f top
--by file -f tags
LINES
    check 'no such type' 2 "$BIN" report --sample nosuch "$T/made.pb"
    one_line 'no such type, those that are' "no sample type 'nosuch'; there are"
    check '--all in the picture' 0 "$BIN" report -f svg --all "$T/made.pb"
    printf 'heap profile: 1: 100 [1: 100] @ heap\n' >"$T/heap.txt"
    printf 'PK\003\004 and more' >"$T/a.zip"
    check 'a heap profile of no records' 0 "$BIN" report "$T/heap.txt"
    has 'a heap profile of no records, has no samples' "$OUT" \
        '^  Samples +0$'
    check 'an archive' 1 "$BIN" report "$T/a.zip"
    one_line 'an archive, named' 'zip archive. Unpack it first'
    check 'a file too large' 1 bash -c "ulimit -f 1
        exec '$BIN' report --all -o '$T/large.svg' '$T/made.pb'"
    one_line 'a file too large, said' 'large.svg: .*File too large'
    same 'a file too large, nothing is left' \
        "$(find "$T" -name '.grpcprof-*' -o -name large.svg)" ''
    check 'a close assertion' 0 "$BIN" report \
        --assert 'share(send)<16.66667%' "$T/made.pb"
    has 'a close assertion, digits enough' "$OUT" 'it is 16\.66666'
}

# -o chooses the format by the file's extension; an unknown one is refused.
endings() {
    local f
    made 600 1000000 || return
    for f in x.JSON:json x.pb.gz:pprof x.prof:pprof callgrind.out.77:callgrind \
        x:text x.log:text x.speedscope.json:speedscope; do
        check "-o ${f%:*}" 0 "$BIN" report -o "$T/${f%:*}" "$T/made.pb"
        has "-o ${f%:*} is ${f#*:}" "$OUT" "\\(${f#*:}, "
    done
    check '-q -o x' 0 "$BIN" report -q -o "$T/x" "$T/made.pb"
    same '-q -o x says nothing' "$(cat "$OUT")" ''
    check '-o x.foo' 2 "$BIN" report -o "$T/x.foo" "$T/made.pb"
    check '-o x.foo, not written' 1 test -e "$T/x.foo"
    check '-o /dev/null' 0 "$BIN" report -o /dev/null "$T/made.pb"
    check '-o /dev/full' 1 "$BIN" report -o /dev/full "$T/made.pb"
    one_line '-o /dev/full' '/dev/full: No space'
    check '-o /dev/stdout' 0 sh -c "'$BIN' report -f folded -o /dev/stdout \
        '$T/made.pb' | grep -c '^main;handle'"
    check 'a profile and JSON' 1 "$BIN" report "$T/made.pb" "$T/x.JSON"
    one_line 'a profile and JSON' 'x.JSON: JSON, not a profile'
    check 'JSON of a report' 1 "$BIN" report "$T/x.JSON"
    one_line 'JSON of a report' "its schema is 'grpcprof.report/1'"
}

# Options of the picture, and formats that other tools read.
more_formats() {
    local f
    made 6000 1000000 || return
    for f in html pprof tree traces raw tags callgrind speedscope; do
        check "-f $f" 0 "$BIN" report -f $f "$T/made.pb"
        cp "$OUT" "$T/made.$f"
        [ $f = tags ] || check "-f $f says something" 0 test -s "$T/made.$f"
    done
    check 'its own pprof again' 0 "$BIN" report -f folded "$T/made.pprof"
    same 'its own pprof again, the same' "$(cksum <"$OUT")" \
        "$(cksum <"$T/made.folded")"
    if need 'callgrind is read' callgrind_annotate; then
        check 'callgrind is read' 0 callgrind_annotate "$T/made.callgrind"
        has 'callgrind, handle' "$OUT" '3,000,000,000 \(50\.00%\).*handle'
        check 'callgrind, with callers' 0 callgrind_annotate --inclusive=yes \
            --tree=both "$T/made.callgrind"
        has 'callgrind, main has all' "$OUT" '6,000,000,000 \(100\.0%\).*main'
    fi
    check 'twice the same profile' 0 "$BIN" report -f folded "$T/made.pb" \
        "$T/made.pb"
    has 'two equal profiles add up' "$OUT" '^main;handle 6000000000$'
    check 'a profile beside itself' 0 "$BIN" report --base "$T/made.pb" \
        --assert 'delta(handle)<1%' --assert 'share(^handle$)>=50%' "$T/made.pb"
    has 'a profile beside itself: no difference' "$OUT" '0 of [0-9]+ functions differ'
    check 'an assertion that is violated' 4 "$BIN" report \
        --assert 'share(handle)<10%' "$T/made.pb"
    check 'an assertion that is violated, to a file' 4 "$BIN" report -q \
        --assert 'share(handle)<10%' -o "$T/asserted.html" "$T/made.pb"
    one_line 'an assertion that is violated, to a file, says so' \
        '--assert violated: share.handle.<10%: it is [0-9.]+%'
    mkfifo "$T/fifo"
    LIMIT=10 check 'a profile from a pipe with a name' 0 bash -c \
        "cat '$T/made.pb' >'$T/fifo' & '$BIN' report -f top '$T/fifo'"
    check 'the picture of both' 0 "$BIN" report -f svg --base "$T/made.pb" \
        "$T/made.pb"
    has 'svg of equal profiles: no significant change' "$OUT" 'no significant change'
    lacks 'svg of equal profiles: nothing grew' "$OUT" 'larger share</text>'
    check 'by category' 0 "$BIN" report -f top --by category "$T/made.pb"
    has '--by category names categories' "$OUT" 'HTTP/2 and gRPC protocol$'
    echo 'memory handle  # ours' >"$T/rules"
    check 'own rules' 0 "$BIN" report --rules "$T/rules" --explain "$T/made.pb"
    has '--rules: own rules come first' "$OUT" 'memory management +handle +--rules:1 +handle'
    has 'the other rules are built-in' "$OUT" ' built-in '
    for f in '(' 'a**' '\1' '(?=x)' '\pL' 'x{2000}'; do
        check "--focus $f" 2 "$BIN" report --focus "$f" "$T/made.pb"
        one_line "--focus $f names it" '--focus'
    done
    for f in '' '-f md' '-f html'; do       # data and pprof's outputs: as pprof
        check "a filter that leaves nothing ${f:-in text}" 1 "$BIN" report -q \
            $f --focus typoo "$T/made.pb"
        one_line "a filter that leaves nothing ${f:-in text} says so" \
            'no samples are left after focus=typoo'
        check "a filter that hides a part ${f:-in text}" 0 "$BIN" report -q \
            $f --focus handle "$T/made.pb"
    done
    for f in json top folded pprof; do
        check "-f $f of nothing" 0 "$BIN" report -f $f --focus typoo "$T/made.pb"
        has "-f $f of nothing says so" "$ERR" "--focus 'typoo' matches nothing"
    done
    check '--prune-from of nothing' 0 "$BIN" report --prune-from typoo \
        "$T/made.pb"
    has '--prune-from of nothing says so' "$ERR" \
        "--prune-from 'typoo' matches nothing"
    check '--prune-from of something' 0 "$BIN" report --prune-from handle \
        "$T/made.pb"
    lacks '--prune-from of something says nothing' "$ERR" 'matches nothing'
}

# Profiles by HTTP, as pprof fetches them; one from a name with two addresses,
# in /etc/hosts of a mount namespace.
by_http() {
    local name='' own=()
    need 'profiles by HTTP' pprofs || return
    made 6000 1000000 || return
    printf '127.0.0.1 localhost\n::1 both\n127.0.0.1 both\n' >"$T/hosts"
    if unshare -rm mount --bind "$T/hosts" /etc/hosts 2>/dev/null; then
        name=both own=(unshare -rm sh -c
            "mount --bind '$T/hosts' /etc/hosts && exec \"\$@\"" -)
    fi
    LIMIT=120 tally 'profiles by HTTP' "${own[@]}" "$PY" tests/report/fetch.py \
        "$BIN" "$PPROFS" "$T/made.pb" $name
}

if need 'report' protoc; then
    formats
    by_http
    more_formats
    grains
    same_as_pprof
    right_numbers
    like_pprof
    too_few
    original
    saturated
    advised
    demangled
    if need 'json, every mode' py:jsonschema; then modes; fi
    parts
    bases
    base_types
    placed
    misplaced
    endings
fi
