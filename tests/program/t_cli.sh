# The command line: help, and messages about mistyped words.
# runs: plain asan

# refuses NAME STATUS REGEX ARGS...: does it exit with STATUS, print REGEX on
# stderr, and nothing on stdout?
refuses() {
    local name=$1 status=$2 regex=$3
    shift 3
    LIMIT=20 check "$name" "$status" "$BIN" "$@"
    has "$name, says so" "$ERR" "$regex"
    same "$name, nothing on stdout" "$(head -c 200 "$OUT")" ''
}

# tells NAME REGEX ARGS...: does it exit with 0, print REGEX on stdout, and
# nothing on stderr?
tells() {
    local name=$1 regex=$2
    shift 2
    check "$name" 0 "$BIN" "$@"
    has "$name, on stdout" "$OUT" "$regex"
    same "$name, nothing on stderr" "$(head -c 200 "$ERR")" ''
}

helps() {
    tells '--version' '^grpcprof [0-9]+\.[0-9]+' --version
    tells '--help' 'serve' --help
    tells 'help' 'report' help
    for c in serve load report; do
        tells "help $c" "usage: grpcprof $c|Usage: grpcprof $c" help $c
        cp "$OUT" "$T/help"
        tells "$c --help" "$c" $c --help
        same "$c --help is help $c" "$(cksum <"$OUT")" "$(cksum <"$T/help")"
        lacks "help $c fits 80 columns" "$OUT" '.{81}'
        lacks "help $c has no blank at the end of a line" "$OUT" ' $'
        has "help $c has examples" "$OUT" '^Examples:'
        has "help $c has its exit statuses" "$OUT" '^Exit status:'
    done
    tells 'help load has --clients' '--clients' help load
    tells 'help load has the number of messages' "'#messages >= 1'" help load
    tells 'help load has the default of -m' '\(1; 100 with --rate\)' help load
    tells 'help serve has its default port' '50051' help serve
    tells 'help --man' '^\.TH ' help --man
    tells 'help --man explains Trust' '^\.B Timing' help --man
    has 'help --man explains rows in brackets' "$OUT" '^\.B \[context switch\]'
    tells 'help trust' 'effective number of samples' help trust
    for c in unsampled 'context switch' profiler 'lost samples' \
        'incomplete stack' truncated 'no stack'; do
        has "help trust explains [$c]" "$OUT" "^\\[$c\\]\$"
    done
    lacks 'help trust fits 80 columns' "$OUT" '.{81}'
    tells 'help --bash' 'complete ' help --bash
    # shellcheck disable=SC2016 # for bash
    same 'completion of run ends at --' "$(bash -c '. <("$1" help --bash)
        for COMP_CWORD in 2 4; do
            COMP_WORDS=(grpcprof run -- ls -q)
            COMP_WORDS[COMP_CWORD]=--pro
            _grpcprof
            echo "${COMPREPLY[*]}."
        done' sh "$BIN")" "--profile.
."
    check 'no arguments' '0 2' "$BIN"
    cat "$OUT" "$ERR" >"$T/both"
    for c in serve load report; do
        has "no arguments, names $c" "$T/both" "$c"
    done
    check 'help into a full disk' 1 sh -c "'$BIN' help load >/dev/full"
}

mistyped() {
    refuses 'command serv'     2 'serv.*serve'           serv
    refuses 'command sevre'    2 'sevre.*serve'          sevre
    refuses 'command laod'     2 'laod.*load'            laod
    refuses 'command reprot'   2 'reprot.*report'        reprot
    refuses 'command xyzzy'    2 'xyzzy'                 xyzzy
    refuses 'help of nothing'  2 'xyzzy'                 help xyzzy
    refuses 'option --cleints' 2 'cleints.*--clients'    load --cleints 3
    refuses 'option --profil'  2 'profil.*--profile'     serve --profil=3s
    refuses 'option --formt'   2 'formt.*--format'       report --formt text
    refuses 'option -Z'        2 '-Z|.Z.'                load -Z
    refuses 'option --zzz'     2 "option '--zzz'\$"       serve --zzz
    refuses 'option --bogus'   2 "option '--bogus'\$"     load --bogus
    refuses 'option --tls-crt' 2 'crt.*--tls-cert'       serve --tls-crt x
    refuses 'flag with value'  2 'exit'                  serve --exit=yes
    refuses 'missing value'    2 '-c|clients'               load -c
    refuses 'missing long value' 2 'clients'             load --clients
}

bad_values() {
    refuses '-c 10x'           2 'clients.*10x'          load -c 10x
    refuses '-c 0'             2 'clients'               load -c 0
    refuses '-c -1'            2 'clients.*-1'           load -c -1
    refuses '-c empty'         2 'clients'               load -c ''
    refuses '-c 1e3'           2 'clients.*1e3'          load --clients=1e3
    refuses 'all rows, and so many' 2 'only one' report --all --top 2 x
    refuses '-n 2^70'          2 'requests' load -n 1180591620717411303424
    refuses '-n 1__0'          2 'requests.*1__0'        load -n 1__0
    refuses '-d 10'            2 'duration'              load -d 10q
    refuses '--timeout 5'      2 'seconds: --timeout 5s' load --timeout 5
    refuses '--timeout 0'      2 "'0': takes.*1us to 1h" load --timeout 0
    refuses '--timeout 3601'   2 'takes.*1us to 1h'      load --timeout 3601
    refuses '--max-errors'     2 'max-errors.*3%%'       load --max-errors 3%%
    refuses '--profile 30q'    2 'profile.*30q'          serve --profile 30q
    refuses '--profile 0s'     2 'profile'               serve --profile 0s
    refuses '--hz 0'           2 'hz'                    serve --hz 0
    refuses '--hz 10001'       2 'hz.*10001'             serve --hz 10001
    refuses '-w 5k5'           2 'work.*5k5'             serve -w 5k5
    refuses '-l port 70000'    2 '70000'             serve -l [::1]:70000
    refuses '-l no port'       2 'nonsense'          serve -l nonsense:x
    refuses 'serve --debug'    2 '99999.*not a port'     serve -l 0 --debug 99999
    refuses 'run --debug'      2 '99999.*not a port'     run --debug 99999 true
    refuses 'attach --debug'   2 '99999.*not a port'     attach --debug 99999 $$
    refuses '-f nope'          2 'nope'                  report -f nope
}

# Options of other tools: the message names ours.
other_tools() {
    refuses 'hey --qps'           2 '-r 1000'                load --qps 5
    refuses 'ghz --rps'           2 '-r 1000'                load --rps=5
    refuses 'ghz --concurrency'   2 '-c 100'                 load --concurrency 5
    refuses 'oha -z'              2 '-d 30s'                 load -z 30s
    refuses 'ghz --cname'         2 '--server-name NAME'     load --cname x
    refuses '--cacert, no --tls'  2 'add --tls'              load --cacert x
    refuses 'grpcurl --plaintext' 2 'leave it out'           load --plaintext
    refuses 'ghz -i'              2 '-I DIR'                 load -i x
    refuses 'grpcurl list, a file' 1 '^grpcprof: x: No such' \
        load --list --protoset x
    refuses 'ghz --data-file'     2 '--data @FILE'           load --data-file x
    refuses 'ghz -d is data'      2 "message is --data '\{"  load -d '{"a":1}'
    refuses 'no unit'             2 'no unit.*: -d 30s$'     load -d 30
    refuses 'no unit, long'       2 'no unit.*--timeout 5s$' load --timeout 5
    refuses '--tls and grpc://'   2 'leave out one'  load --tls grpc://h:1
    refuses '--key without --cert' 2 'give both'  load --tls --key x h:1
    refuses 'pprof -http'         2 '-f html'                report -http=:1 x
    refuses 'pprof -top'          2 '-f top'                 report -top x
    refuses 'pprof -svg'          2 '-f svg'                 report -svg x
    refuses 'pprof -base'         2 '--base'                 report -base x y
    refuses 'perf --stdio'        2 '-f top'                 report --stdio
    refuses '--port'              2 '-l PORT'                serve --port 80
    refuses 'a port alone'        2 '-l 80$'                 serve 80
    refuses 'command bench'       2 'grpcprof load HOST'     bench
    refuses 'command record'      2 'grpcprof run -- '        record
    refuses 'a file'              2 'grpcprof report FILE'   README
    refuses 'an option first'     2 'command comes first'    -c 5
    refuses '--protoset x.proto' '1 2' \
        '.proto source, .* --proto' \
        load --protoset proto/helloworld.proto
    refuses '--protoset README' '1 2' 'not a FileDescriptorSet' \
        load --protoset README
    refuses 'ghz -x'              2 'here it is -d 30s'      load -x 30s
    refuses 'hey -T'              2 'application/grpc'       load -T text/html
    refuses 'ghz --async'         2 'here it is -r 1000'     load --async
    refuses 'ghz --count-errors'  2 'always counted'         load --count-errors
    refuses 'ghz --skipFirst'     2 'here it is -w DUR'      load --skipFirst 5
    refuses 'hey --disable-compression' 2 'leave it out' \
        load --disable-compression
    refuses 'ghz --lb-strategy'   2 'several targets' \
        load --lb-strategy x
    refuses 'ghz --stream-call-count' 2 'here it is --messages N' \
        load --stream-call-count 3
    refuses 'ghz --reflect-metadata' 2 "-H 'key: value'" \
        load --reflect-metadata '{}'
    refuses 'ghz --concurrency-schedule' 2 'once for each -c' \
        load --concurrency-schedule line
    refuses 'ghz --config'        2 'no configuration files' load --config x
    refuses 'ghz -m is metadata'  2 "metadata is -H 'key: value'" \
        load -m '{"a":"b"}'
    refuses 'a header of a connection' 2 'HTTP/2 forbids this header' \
        load -H 'Connection: close'
    refuses 'a header that load sends' 2 'for host see --authority' \
        load -H 'Host: a'
    for i in 'te: s3cret' 'x-bin: s3cret_' 's3cret' '{s3cret' \
        'a: {{nope}} s3cret'; do
        refuses "a wrong header, $i" 2 metadata load -H "$i" 127.0.0.1:1
        lacks "a wrong header, $i: its value stays secret" "$ERR" s3cret
    done
    refuses "ghz --stream-call-duration" 2 'here it is --stream-for DUR' \
        load --stream-call-duration 5s
    refuses '--metadata is JSON'  2 "takes no JSON.*-H 'key: value'" \
        load --metadata '{"a":"b"}'
    refuses 'ghz -t is timeout'   2 'a timeout is --timeout 20s' load -t 20s
    refuses 'a method as target'  2 '--call a\.B/C HOST:PORT' load a.B/C
    refuses 'a path in a target'  2 'grpcprof load --call a.B/C h:1$' \
        load http://h:1/a.B/C
    refuses 'a path in a target, grpc' 2 'grpcprof load --call a.B/C h:1$' \
        load grpc://h:1/a.B/C
    refuses 'no --profile'        2 "cpu_per_call<8us' needs --profile" \
        load --assert 'cpu_per_call<8us'
    refuses '--profile ADDR'      2 'written with =: --profile=127.0.0.1:1' \
        load --profile 127.0.0.1:1 127.0.0.1:2
    refuses '--html'              2 'here it is -o report.html' report --html x
    refuses '-flame'              2 'here it is -o graph.svg' report -flame x
    refuses 'two in one --assert' 2 'several, repeat --assert' \
        load --assert 'p99<5ms && errors<1%'
    refuses 'a figure mistyped'   2 'did you mean errors' load --assert 'error<1%'
    refuses '--call without /'    2 "^grpcprof: call 'a:Quote': write [^ ]*$" \
        load --call 'a:Quote' --protoset README
    refuses 'an address without http://' 1 '127.0.0.1:1: Connection refused$' \
        report -q 127.0.0.1:1
    refuses 'report x.proto'      1 'proto: not a profile but text: .* Profiles are at http' \
        report proto/helloworld.proto
    refuses 'help --zsh'          2 'grpcprof help --bash'   help --zsh
    check 'an endpoint that refuses' 1 "$BIN" load -q --profile=127.0.0.1:1 \
        127.0.0.1:1
    one_line 'what --profile needs' 'grpcprof run --debug, or Go.s net/http/pprof'
    check 'a port that refuses' 1 "$BIN" load -q -n 1 127.0.0.1:1
    one_line 'a port that refuses, one line' 'refused. Is the server running'
}

# What cannot work is refused before the run, not after it.
too_late() {
    refuses '--out in no directory' '1 2' "$T/no/x.pb" \
        serve -l 127.0.0.1:0 --profile 3s --exit --out "$T/no/x.pb"
    one_line '--out in no directory, one line'
    refuses '--svg in no directory' '1 2' "$T/no/x.svg" serve -l 127.0.0.1:0 \
        --profile 3s --exit --out "$T/x.pb" --svg "$T/no/x.svg"
    mkdir -p "$T/dir.pb" "$T/empty"
    refuses '--out is a directory' '1 2' 'dir\.pb' \
        serve -l 127.0.0.1:0 --profile 3s --exit --out "$T/dir.pb"
    LIMIT=20 check 'report where there is no profile.pb' 1 \
        env -C "$T/empty" "$BIN" report
    one_line 'no profile.pb, one line' 'profile\.pb'
}

# Checks that need a running server: a port in use, a template in --data, -o.
with_a_server() {
    start_server || return
    LIMIT=20 check 'a port in use' 1 "$BIN" serve -l "127.0.0.1:$PORT" \
        "${SERVE_ALSO[@]}"
    one_line 'a port in use, one line' "$PORT.*in use"
    check 'a template in --data' 0 "$BIN" load -n 1 --data '{"name":"{{seq}}"}' \
        "127.0.0.1:$PORT"
    has 'a template in --data, filled in' "$OUT" '"Hello 0! '
    check 'a result in a file' 0 "$BIN" load -n 200 -o "$T/r.json" \
        --assert 'p50 < 9s' "127.0.0.1:$PORT"
    has 'a result in a file, summed up' "$ERR" \
        '^grpcprof: 200 ok, 0 failed, .*, p50 [0-9.]+ [mu]s'
    stop_server 'the first server ends'
}

helps
mistyped
bad_values
other_tools
too_late
with_a_server
