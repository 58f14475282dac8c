# What load writes: JSON by its schema, CSV, Prometheus, a page, HdrHistogram's
# formats, comparison, assertions, and results merged by report.
# runs: plain (asan)
# long

# What load writes after a run that did not go as planned.
unplanned() {
    local to=127.0.0.1:$PORT
    check 'an assertion that does not hold, JSON' 4 "$BIN" load -n 20 \
        --assert 'rps>1' --assert 'p50<1us' --assert 'p99<10s' \
        -o "$T/assert.json" "$to"
    bg "$BIN" load -q -c 2 -d 60s --interval 50ms -o "$T/cut.json" "$to"
    wait_for 20 grep -q '^Threads:.*[2-9]' "/proc/$PID/status"
    nap 0.5
    kill -INT "$PID"
    ended "$PID" 20
    same 'interrupted, JSON' "$ST" 130
    make -s .build/stall 2>"$ERR" && bg .build/stall -s 50000 &&
        wait_for 20 grep -q listening "$T/bg.out" ||
        fail 'a slow server' "$(tail_of "$ERR")"
    to=$(sed -n 's/^listening on //p' "$T/bg.out")
    check 'not sent' 3 "$BIN" load -q -r 200 -d 300ms --max-in-flight 5 "$to"
    check 'not sent, of few errors' 0 "$BIN" load -q -r 200 -d 300ms \
        --max-in-flight 5 --max-errors 99% "$to"
    check 'not sent, JSON' 0 "$BIN" load -r 200 -d 300ms --max-in-flight 5 \
        --allow-not-sent -c 2 -o "$T/unsent.json" "$to"
    check 'not sent, as allowed, in report' 0 "$BIN" report "$T/unsent.json"
    lacks 'not sent, as allowed: no failures' "$OUT" 'count as failures'
    check 'cut off, JSON' 0 "$BIN" load -r 100/s -d 400ms --drain 100ms \
        --arrival poisson -c 2 -o "$T/drained.json" "$to"
    check 'too late, JSON' 3 "$BIN" load -m 20 -N 40 --timeout 300ms \
        -o "$T/late.json" "$to"
    kill "$PID"
}

results() {
    local to=127.0.0.1:$PORT f all
    all=$(echo "$T"/{closed,open,bidi,many,failed,meta,three}.json \
        "$T"/{assert,cut,unsent,drained,late}.json)
    check 'closed loop, JSON' 0 "$BIN" load -c 10 -n 500 -o "$T/closed.json" \
        --label run=1 --label 'odd=a"b<' --log-requests "$T/closed.log" "$to"
    check 'open loop, JSON' 0 "$BIN" load -r 2000 -d 1s -c 2 --interval 100ms \
        --label 'note=a,"b"' -o "$T/open.json" --log-requests "$T/open.log" "$to"
    check 'streams, JSON' 0 "$BIN" load -c 2 -n 100 --messages 3 \
        --call helloworld.Greeter/SayHelloBidiStream -o "$T/bidi.json" "$to"
    check 'replies in streams, JSON' 0 "$BIN" load -c 2 -n 100 \
        --call helloworld.Greeter.SayHelloStreamReply -o "$T/many.json" "$to"
    check 'three runs, JSON' 0 "$BIN" load -c 2 -n 100 --repeat 3 \
        -o "$T/three.json" "$to"
    check 'three runs' 0 "$BIN" load -c 2 -n 500 --repeat 3 "$to"
    has 'three runs: how they differ' "$OUT" '^  3 runs +median +minimum +maximum$'
    has 'three runs: by p99' "$OUT" '^  p99( +[0-9.]+ [mun]?s){3}$'
    check 'three runs, read back' 0 "$BIN" report "$T/three.json"
    has 'three runs, read back' "$OUT" '^  3 runs +median '
    check 'three short runs' 0 "$BIN" load -c 2 -n 100 --repeat 3 "$to"
    has 'three short runs, no p99 of 200 calls' "$OUT" '^  p99( +n/a){3}$'
    check 'failures, JSON' 3 "$BIN" load -c 2 -n 10 --call a.B/C -b /dev/null \
        -o "$T/failed.json" "$to"
    holds 'failures: the verdict is about them' "$T/failed.json" \
        'r["verdict"]["limit"] == "unknown" and
        "all 20 calls failed (UNIMPLEMENTED" in r["verdict"]["why"][0]'
    check 'failures, read back' 3 "$BIN" report "$T/failed.json"
    has 'failures, read back: the verdict' "$OUT" \
        '^  verdict +UNKNOWN +all 20 calls failed .UNIMPLEMENTED'
    has 'failures: what to try' "$OUT" '^  try +another method: --list '
    check 'metadata, gzip and sizes, JSON' 0 "$BIN" load -c 2 -n 50 \
        -H 'x-id: {{uuid}}-{{seq}}-{{client}}-{{rand}}' -H 'k-bin: AAEC' \
        --compression gzip --payload-size 5000 --authority me.example \
        --max-requests-per-connection 10 -o "$T/meta.json" "$to"
    unplanned
    if need 'JSON by its schema' py:jsonschema; then
        # shellcheck disable=SC2086 # a list of files
        tally 'schema' "$PY" tests/load/result.py schema $all
    fi
    for f in $all; do
        check "report prints ${f##*/}" '0 3' "$BIN" report "$f"
        tally "text, ${f##*/}" "$PY" tests/load/result.py text "$f" "$OUT"
    done
    for f in csv html prom hgrm; do
        check "report writes $f" 0 "$BIN" report -o "$T/open.$f" "$T/open.json"
    done
    tally 'hgrm' "$PY" tests/load/result.py hgrm "$T/open.json" "$T/open.hgrm"
    if need 'the page in Chromium' chromium py:prometheus_client; then
        LIMIT=60 check 'Chromium opens the page' 0 "$CHROMIUM" --headless \
            --no-sandbox --disable-gpu --user-data-dir="$T/chromium" \
            --dump-dom "file://$T/open.html"
        cp "$OUT" "$T/page.html"
        tally 'formats' "$PY" tests/load/result.py same "$T/open.json" \
            "$T/open.csv" "$T/open.prom" "$T/page.html"
    fi
    check 'report merges results' 0 "$BIN" report -f json -o "$T/all.json" \
        "$T/closed.json" "$T/meta.json"
    tally 'merge' "$PY" tests/load/result.py merged "$T/all.json" "$T/closed.json" \
        "$T/meta.json"
    check 'merged results in text' 0 "$BIN" report "$T/closed.json" "$T/meta.json"
    has 'merged results: how many' "$OUT" '^  of +2 results$'
    check 'report asserts of results' 4 "$BIN" report --assert 'p50<1us' \
        "$T/closed.json"
    check 'report asserts of results, to a file' 4 "$BIN" report -q \
        --assert 'p50<1us' -o "$T/asserted.html" "$T/closed.json"
    one_line 'report asserts of results, to a file, says so' \
        '--assert violated: p50<1us: it is '
    check 'a result is not overwritten' 2 "$BIN" report -o "$T/closed.json" \
        "$T/meta.json" "$T/closed.json"
    has 'a result is not overwritten, says so' "$ERR" 'would overwrite the result'
    check 'a base is not overwritten' 2 "$BIN" report -o "$T/meta.json" \
        --base "$T/meta.json" "$T/closed.json"
    check 'report --base compares results' 0 "$BIN" report --assert 'p50<1h' \
        --base "$T/closed.json" "$T/closed.json"
    has 'report --base compares results, and says so' "$OUT" '[Cc]ompare'
    printf '{' >"$T/brace"
    check 'what only begins like a result' 1 "$BIN" report --focus x "$T/brace"
    one_line 'what only begins like a result, said' 'brace: .*not JSON'
    check 'what is for profiles' 2 "$BIN" report --focus x "$T/closed.json"
    has 'what is for profiles, said' "$ERR" \
        '--focus is for profiles, and .*closed.json is a result of load'
    check 'a result from a pipe' 0 bash -c "cat '$T/closed.json' |
        '$BIN' report -"
    has 'a result from a pipe, is one' "$OUT" '^  of +1 result$'
    check 'a result on stdin' 0 bash -c "'$BIN' report - \
        <'$T/closed.json'"
    check 'a result from a process substitution' 0 bash -c "'$BIN' report \
        <(sleep 0.1; cat '$T/closed.json')"
    has 'and from a process, is one' "$OUT" '^  of +1 result$'
    if need 'HdrHistogram reads ours' hdrhistogram; then
        tally 'HdrHistogram' env PYTHONPATH="$HDRHISTOGRAM" "$PY" \
            tests/load/result.py hdr "$T"/{closed,open,all}.json
        for f in closed open; do
            tally "HdrHistogram, $f" env PYTHONPATH="$HDRHISTOGRAM" "$PY" \
                tests/load/result.py values "$T/$f.json" "$T/$f.log"
        done
    fi
    check 'five runs, later' 0 "$BIN" load -c 2 -n 500 --repeat 3 \
        --compare "$T/three.json" -o "$T/runs.json" \
        --assert 'delta(p50)<10s' --assert 'delta(rps)>-10000%' \
        --assert 'delta(p50)<100s' --assert 'delta(errors)<=0' "$to"
    check 'runs are compared by their means' 0 "$PY" -c 'import json, sys
a, b = (json.load(open(f)) for f in sys.argv[1:])
mean = lambda d, k: sum(r[k] for r in d["runs"]) / len(d["runs"])
for name, key in ("req/s", "rps_ok"), ("p50", "p50"):
    c = b["compare"][name]
    old, now = mean(a, key), mean(b, key)
    assert abs(c["old"] / old - 1) < 1e-4 > abs(c["now"] / now - 1), c
    assert c["change_low"] < c["change"] < c["change_high"], c
    assert abs(c["change"] - (now - old)) <= 1e-4 * old, c
for x in b["asserts"][:3]:
    high = x["high"] if x["high"] is not None else float("inf")
    assert x["pass"] and x["low"] < x["value"] < high, x' \
        "$T/three.json" "$T/runs.json"
    check 'runs against one run' 4 "$BIN" load -c 2 -n 200 \
        --compare "$T/three.json" --assert 'delta(p50)<-99.99%' "$to"
    has 'runs against one run: what is not known' "$OUT" \
        'independent|bootstrap'
    has 'runs against one run: the change' "$OUT" \
        'violated +delta.p50.<-99.99%: it is [+-][0-9.]+%'
    check 'another run' 0 "$BIN" load -c 2 -n 200 -o "$T/once.json" "$to"
    check 'two older results are runs' 0 "$BIN" load -q -c 2 -n 200 --repeat 2 \
        --compare "$T/three.json" --compare "$T/once.json" "$to"
    has 'two older results are runs, said' "$OUT" '(of|^) *4 and|of 4$'
    check 'two bases are runs' 0 "$BIN" report -q --base "$T/three.json" \
        --base "$T/once.json" "$T/runs.json"
    has 'two bases are runs, said' "$OUT" '(of|^) *4 and|of 4$'
    check 'results as runs, without a base' 0 "$BIN" report --runs \
        "$T/once.json" "$T/three.json"
    has 'results as runs, without a base, said' "$OUT" '^  4 runs +median '
    check 'a change without an older result' 2 "$BIN" load -n 1 \
        --assert 'delta(p50)<1%' "$to"
    has 'a change without an older result, said' "$ERR" 'needs an older result'
    check 'a change, report --base' 0 "$BIN" report --base "$T/three.json" \
        --assert 'delta(p50)<10s' "$T/runs.json"
    # ASan keeps freed memory.
    [ -n "$SUFFIX" ] || LIMIT=300 tally 'memory' "$PY" tests/load/result.py memory \
        "$BIN" "$to" "${MEMORY_CALLS:-300000}"
}

judged() {
    local to=127.0.0.1:$PORT kept
    check 'one call with a long reply' 0 "$BIN" load -n 1 \
        --data "{\"name\":\"$(printf 'word %.0s' {1..60})end\"}" "$to"
    tr -s '\n ' ' ' <"$OUT" >"$T/flat"
    has 'one call with a long reply, all of it' "$T/flat" \
        'word word end! \(request #[0-9]+\)"\} \(the first\)'
    check 'assertions that hold' 0 "$BIN" load -n 500 --assert 'p50<10s' \
        --assert 'errors<=0' --assert 'rps>1' --assert 'max<20s' "$to"
    has 'assertions that hold are printed' "$OUT" '^  assert +holds +p50<10s: it is '
    has 'a bound without %, printed' "$OUT" \
        '^  assert +holds +errors<=0: it is 0 \(a count, as the bound has no %\)$'
    check 'one that does not' 4 "$BIN" load -n 300 --assert 'rps>1000000000' "$to"
    check 'one that does not hold' 4 "$BIN" load -n 300 --assert 'p50<1us' "$to"
    check 'one of too few calls' 0 "$BIN" load -n 5 -p 50,98,99.9,100 \
        --assert 'p98<1h' --assert 'p100<1h' "$to"
    has 'one of too few calls, said' "$OUT" '^  assert +not resolved +p98<1h: it is .*95% interval .* to$'
    has 'the largest value is known' "$OUT" '^  assert +holds +p100<1h: it is [0-9.]+ [mun]?s$'
    has 'and shown' "$OUT" '^  p100 +[0-9.]+ [mun]?s$'
    has 'percentiles of too few calls are one line' "$OUT" \
        '^  p50, p98, p99.9: n/a, fewer than 10 values lie beyond$'
    check 'one of too few calls, strict' 4 "$BIN" load -n 5 -q --strict \
        --assert 'p98<1h' "$to"
    one_line 'one of too few calls, strict, said' \
        '^grpcprof: --strict: exit status 4, as an --assert is not resolved$'
    check 'one of no call' 4 "$BIN" load -n 3 -b /dev/null \
        --call helloworld.Greeter/None --max-errors 100% --assert 'p99<1s' "$to"
    has 'one of no call, said' "$OUT" 'p99<1s: it is n/a: no call succeeded$'
    check 'one of a figure that is not known' 4 "$BIN" load -n 1 -b /dev/null \
        --call helloworld.Greeter/None --max-errors 100% --assert 'p50<1s' "$to"
    check 'one that needs a profile' 2 "$BIN" load -n 1 \
        --assert 'cpu_per_call<1s' "$to"
    check 'one that is none' 2 "$BIN" load -n 1 --assert 'speed>1' "$to"
    check 'compared with an older one' 0 "$BIN" load -n 300 \
        --compare "$T/closed.json" "$to"
    has '--compare: the change of req/s' "$OUT" '^  req/s +[0-9,.]+ +[0-9,.]+ +[-+][0-9.]+% +[-+?][0-9.%]* to '
    check 'compared, JSON' 0 "$BIN" load -n 300 -f json \
        --compare "$T/closed.json" "$to"
    cp "$OUT" "$T/changed.json"
    need 'the comparison by its schema' py:jsonschema &&
        tally 'compare' "$PY" tests/load/result.py schema "$T/changed.json"
    has '--compare, JSON: old and now' "$T/changed.json" '"p50":\{"old":[0-9.e+]+, *"now":[0-9.e+]+'
    check 'compared, HTML' 0 "$BIN" load -n 300 -f html \
        --compare "$T/closed.json" "$to"
    has '--compare, HTML: the change' "$OUT" '<td class="l">req/s</td>.*% to '
    check 'no comparison in CSV' 2 "$BIN" load -n 1 -f csv \
        --compare "$T/closed.json" "$to"
    check 'a comparison in one of two files' 0 "$BIN" load -n 300 \
        -o "$T/c.csv" -o "$T/c.md" --compare "$T/closed.json" "$to"
    has 'a comparison in Markdown' "$T/c.md" '^\| req/s \|.* \|$'
    echo old >"$T/kept.log"
    check 'a log is written beside' 4 "$BIN" load -n 300 --assert 'cut_off>0' \
        --log-requests "$T/kept.log" "$to"
    lacks '--log-requests replaces an old log' "$T/kept.log" old
    kept=$(cksum <"$T/kept.log")
    check 'not where nothing was measured' 1 "$BIN" load -n 1 \
        --log-requests "$T/kept.log" 127.0.0.1:1
    same 'no run: the old log stays' "$(cksum <"$T/kept.log")" "$kept"
    check 'a log onto a full disk' 1 "$BIN" load -n 20 \
        --log-requests /dev/full "$to"
    one_line 'a log onto a full disk' \
        '^grpcprof: /dev/full: not written: No space'
    # shellcheck disable=SC2016 # for the inner shell
    check 'a log larger than allowed' 1 bash -c 'ulimit -f 100; trap "" XFSZ
        exec "$@"' - "$BIN" load -N 20000 --log-requests "$T/kept.log" "$to"
    has 'a log larger than allowed, said' "$ERR" 'kept.log: not written: File'
    same 'a log larger than allowed: the old one stays' \
        "$(cksum <"$T/kept.log") $(find "$T" -name '.kept*')" "$kept "
    check 'a log and a result in one file' 2 "$BIN" load -n 1 -o "$T/one" \
        --log-requests "$T/one" "$to"
    check 'rows of several threads into a pipe' 0 bash -c '"$1" load -q -t 4 \
        -c 40 -N 30000 --log-requests >(cat >"$2") "$3" >/dev/null; sleep 0.2' \
        - "$BIN" "$T/piped" "$to"
    same 'rows of several threads, whole' "$(grep -cvE \
        '^[0-9]+	[0-9]+	[0-9]+	0	[0-9]+$' "$T/piped")" 0
    check 'an open loop, repeated' 0 "$BIN" load -r 200 -d 300ms --repeat 3 \
        -t 2 -c 2 -o "$T/again.json" "$to"
    has 'repeated, on the same threads' "$T/again.json" '"threads":2,'
    lacks 'repeated, and none was late' "$T/again.json" \
        'longer than the schedule'
    check 'answers in time alone are good' 3 "$BIN" load -c 50 -n 40 \
        --timeout 20us -o "$T/late.json" "$to"
    check 'none of them took longer' 0 "$PY" -c 'import json, sys
l = json.load(open(sys.argv[1]))["latency"]["response"]
assert (l["max"] or 0) <= 20000, l["max"]' "$T/late.json"
    check 'a template in base64' 2 "$BIN" load -n 1 -H 'k-bin: {{seq}}' "$to"
    check 'a plan with everything' 0 "$BIN" load -c 2 --arrival poisson \
        --schedule 100:200ms,200-400:200ms --label a=b -o "$T/plan.json" "$to"
    check 'report says it again' 0 "$BIN" report -o "$T/plan2.json" \
        "$T/plan.json"
    check 'the same plan' 0 "$PY" -c 'import json, sys
a, b = (json.load(open(f)) for f in sys.argv[1:])
for k in "config", "window", "counts", "verdict":
    assert a[k] == b[k], (k, a[k], b[k])' "$T/plan.json" "$T/plan2.json"
    check 'messages in messages' 2 "$BIN" load -n 1 \
        --data '[[{"name":"a"}]]' "$to"
    check 'a start far off' 2 "$BIN" load -n 1 --start-at 2800-01-01T00:00:00Z \
        "$to"
    check 'a log into a pipe' 0 bash -c '"$1" load -q -n 3 -c 1 \
        --log-requests >(cat >"$2") "$3" >/dev/null' - "$BIN" "$T/piped" "$to"
    check 'compared with what is no result' 1 "$BIN" load -n 1 \
        --compare tests/load/load.schema.json "$to"
    one_line '--compare with no result: the message' 'load.schema.json: not a result of grpcprof load'
    sed 's/"ok":[0-9]*/"ok":7/' "$T/closed.json" >"$T/wrong.json"
    check 'a result that does not add up' 1 "$BIN" report "$T/wrong.json"
    one_line 'a result that does not add up: the message' 'planned is not the sum'
    head -c 5000 "$T/closed.json" >"$T/cut.json"
    check 'a result that is cut off' 1 "$BIN" report "$T/cut.json"
    one_line 'a truncated result: line and column' 'cut.json: line [0-9]+, column [0-9]+: not JSON'
}

profiled() {
    local web
    start_server -w 50000 -t 1 --debug 127.0.0.1:0 || return
    web=$(sed -En 's|.*debug endpoint on http://([^/]*)/.*|\1|p' \
        "$SDIR/serve.err")
    check 'load --profile' 0 "$BIN" load -c 10 -d 3s --profile="$web" \
        --profile-out "$T/server.pb" -o "$T/profile.json" "127.0.0.1:$PORT"
    need 'JSON with a profile by its schema' py:jsonschema &&
        tally 'schema' "$PY" tests/load/result.py schema "$T/profile.json"
    check 'report reads that profile' 0 "$BIN" report -f json "$T/server.pb"
    "$PY" - "$T/profile.json" "$OUT" "${EXACT:-}" >"$T/said" <<'PYTHON'
import json, sys
p = json.load(open(sys.argv[1]))['profile']
c = json.load(open(sys.argv[2]))['profile']['comments']
path = './helloworld.Greeter/SayHello'
own = float(c['handler_cpu_ns' + path]) / float(c['handler_runs' + path])
f = {x['name']: x for x in p['functions']}['svc_work']
first = p['applications'][0]
print('first', first['name'] in ('svc_work', 'svc_hello') and
      first['cum_low_ns'] < first['cum_ns'] < first['cum_high_ns'] and
      first['cum_ns'] >= f['flat_ns'], first)
print('calls', p['calls'] == float(c['requests' + path]))
# Both measure the handler with what it calls.  With EXACT, which make soak
# sets, they may differ by 5% and three standard errors of the samples; without,
# by 20% more, because other programs may run.
hello = {x['name']: x for x in p['applications']}['svc_hello']
room = 0.05 * own + 1.5 * (hello['cum_high_ns'] - hello['cum_low_ns']) / 1.96
if not sys.argv[3]:
    room += 0.2 * own
print('handler', abs(hello['cum_ns'] - own) <= room, hello['cum_ns'], own)
PYTHON
    has 'its work is what the application does first' "$T/said" '^first True '
    has 'its calls are those that the server counted' "$T/said" '^calls True$'
    has 'its handler is what the server took itself' "$T/said" '^handler True '
    server_cpu "127.0.0.1:$PORT"
    check 'load --profile of the address that serve prints' 0 "$BIN" load \
        -n 500 -c 10 --profile="http://$web/debug/pprof/" \
        --profile-out "$T/short.pb" "127.0.0.1:$PORT"
    has 'load --profile of the address that serve prints, has it' "$OUT" \
        'svc_work'
    check 'load --profile --repeat' 0 "$BIN" load -N 400 -c 10 --repeat 3 \
        --profile="$web" --profile-out "$T/repeat.pb" -o "$T/repeat.json" \
        "127.0.0.1:$PORT"
    check 'load --profile --repeat, its profile' 0 "$BIN" report -f json \
        "$T/repeat.pb"
    cp "$OUT" "$T/repeat.report"
    check 'load --profile --repeat: each run, and all calls' 0 "$PY" -c '
import json, sys
d, p = (json.load(open(f)) for f in sys.argv[1:])
cpu = [r["cpu_ns_per_call"] for r in d["runs"]]
assert len(cpu) == 3 and all(c > 1000 for c in cpu), cpu
assert d["profile"]["calls"] == 1200 == d["counts"]["ok"], d["profile"]
assert min(cpu) <= d["profile"]["cpu_ns_per_call"] <= max(cpu), d["profile"]
assert sum(p["calls"]["by_method"].values()) == 1200, p["calls"]' \
        "$T/repeat.json" "$T/repeat.report"
    check 'load --profile of another server' 2 "$BIN" load -n 1 \
        --profile="$web" 127.0.0.1:1
    check 'load --profile of nothing' 1 "$BIN" load -n 1 \
        --profile=127.0.0.1:1 "127.0.0.1:$PORT"
    stop_server 'the profiled server ends with status 0'
}

# An endpoint that was given no server: the kernel says where the program
# listens, and load counts the calls.
unknown() {
    local to web
    make -s .build/alone 2>"$ERR" && bg .build/alone &&
        wait_for 20 grep -q listening "$T/bg.out" || {
        fail 'a server that its endpoint does not know' "$(tail_of "$ERR")"
        return
    }
    to=$(sed -n 's/^listening on //p' "$T/bg.out")
    web=$(sed -n 's/^endpoint on //p' "$T/bg.out")
    check 'load --profile of another program' 2 "$BIN" load -n 1 \
        --profile="$web" 127.0.0.1:1
    one_line 'load --profile of another program: where that listens' \
        "listens on ${to//./\\.}, not on 127\.0\.0\.1:1: give"
    check 'load --profile of the endpoint itself' 2 "$BIN" load -n 1 \
        --profile="$web" "$web"
    check 'load --profile without a gp_server' 0 "$BIN" load -c 4 -d 2s \
        --profile="$web" --profile-out "$T/unknown.pb" \
        -o "$T/unknown.json" "$to"
    lacks 'load --profile without a gp_server: nothing to check' "$ERR" 'check'
    check 'report reads that profile, too' 0 "$BIN" report -f json \
        "$T/unknown.pb"
    kill "$PID"
    ended "$PID" 20
    "$PY" - "$T/unknown.json" "$OUT" "$T/bg.out" "${EXACT:-}" >"$T/said" \
        <<'PYTHON'
import json, sys
d = json.load(open(sys.argv[1]))
p, calls = d['profile'], json.load(open(sys.argv[2]))['calls']
done = [x.split() for x in open(sys.argv[3]) if x.startswith('calls ')][0]
own = int(done[3]) / int(done[1])
f = p['functions'][0]
print('first', f['name'] == 'alone_work', f)
print('calls', calls['counted_by'] == 'load' and calls['by_method'] ==
      {'/helloworld.Greeter/SayHello': p['calls']} and
      p['calls'] == d['counts']['ok'] == int(done[1]), calls, done)
room = 0.05 * own + 1.5 * (f['flat_high_ns'] - f['flat_low_ns']) / 1.96
if not sys.argv[4]:
    room += 0.2 * own
print('work', abs(f['flat_ns'] - own) <= room, f['flat_ns'], own)
PYTHON
    has 'its work is what a call of an unknown server does first' "$T/said" \
        '^first True '
    has 'its calls are those that load counted' "$T/said" '^calls True '
    has 'its work is what the unknown server took itself' "$T/said" \
        '^work True '
}

# The server's CPU of the result in $T/profile.json, in every format, under one
# name, with interval and samples.
server_cpu() {
    local f
    check 'a result with a profile, text' 0 "$BIN" report "$T/profile.json"
    has 'a result with a profile, text, its CPU' "$OUT" \
        '^  server CPU  [0-9.]+ [mu]s a call'
    has 'a result with a profile, text, the file' "$OUT" \
        'server\.pb$'
    for f in json prometheus csv html; do
        check "a result with a profile, -f $f" 0 "$BIN" report -f $f \
            -o "$T/cpu.$f" "$T/profile.json"
    done
    check 'a result with a profile, compared' 0 "$BIN" report -f json \
        --base "$T/profile.json" -o "$T/cpu.base" "$T/profile.json"
    "$PY" - "$T/profile.json" "$T/cpu" >"$T/said" <<'PYTHON'
import json, re, sys
p = json.load(open(sys.argv[1]))['profile']
read = {k: open('%s.%s' % (sys.argv[2], k), newline='').read()
        for k in ('json', 'prometheus', 'csv', 'html', 'base')}
q = json.loads(read['json'])['profile']
print('json', p == q)
for key in ('seconds', 'samples', 'calls', 'cpu_ns_per_call',
            'cpu_low_ns_per_call', 'cpu_high_ns_per_call',
            'profiler_ns_per_call'):
    name = 'profile_' + key
    for f, r, unit in (('prometheus', r'^grpcprof_load_%s\{[^}]*\} (.*)$', 1e9),
                       ('csv', r'^%s,(.*)$', 1),
                       ('html', r'data-key="%s" data-value="([^"]*)"', 1)):
        of = name.replace('_ns', '_seconds') if unit > 1 else name
        found = re.findall(r % of, read[f], re.M)
        print(f, name, len(found) == 1 and abs(float(found[0]) * (
            unit if of != name else 1) - p[key]) <= 1e-6 * p[key],
              found, p[key])
c = json.loads(read['base'])['compare']['cpu_per_call']
print('base', all(c[k + b] == p['cpu%s_ns_per_call' % b] for k in ('old', 'now')
                  for b in ('', '_low', '_high')) and c['change'] == 0 and
      not c['significant'] and (c['change_low'] is None if
          p['cpu_low_ns_per_call'] == p['cpu_high_ns_per_call'] else
          c['change_low'] <= 0 <= c['change_high']),
      c['change_low'], c['change_high'])
PYTHON
    same 'its CPU is the same in all formats' "$(grep -c ' True' "$T/said")" 23
    lacks 'its CPU is the same in all formats, none differs' "$T/said" ' False'
    check 'a result with a profile, asserted' 4 "$BIN" report \
        --assert 'cpu_per_call<1ns' "$T/profile.json"
    has 'a result with a profile, asserted, its value' "$OUT" \
        'violated  cpu_per_call<1ns: it is [0-9.]+ [mu]s'
    check 'a later run compared with it' 0 "$BIN" load -n 50 \
        --compare "$T/profile.json" "$1"
    has 'a later run compared with it, its CPU' "$OUT" \
        '^  cpu_per_call +[0-9.]+ [mu]s +n/a'
    "$PY" - "$T/profile.json" "$T/foreign.json" <<'PYTHON'
import json, sys
r = json.load(open(sys.argv[1]))
r['profile']['counted_by'] = 'load'
json.dump(r, open(sys.argv[2], 'w'))
PYTHON
    check 'merged with a result without a profile' 0 "$BIN" report \
        "$T/profile.json" "$T/closed.json"
    has 'merged, calls that the server counted' "$OUT" '^  server CPU '
    check 'merged, calls that load counted' 0 "$BIN" report \
        "$T/foreign.json" "$T/closed.json"
    lacks 'merged, calls that load counted, no CPU' "$OUT" 'server CPU'
    has 'merged, calls that load counted, said' "$ERR" \
        "server's CPU is left out: not every result has a profile"
}

# Results that cannot be merged; options that need another option.
unlike() {
    local to=127.0.0.1:$PORT line
    check 'merged, of one label' 0 "$BIN" load -n 20 --label run=1 \
        --label odd=2 -o "$T/first.json" "$to"
    check 'merged, of other labels' 0 "$BIN" load -r 50 -N 20 --label run=1 \
        -p 50,90,50 -o "$T/second.json" "$to"
    check 'merged, unlike' 1 "$BIN" report -f json "$T/first.json" \
        "$T/second.json"
    one_line 'merged, unlike, said' 'second.json has another kind of loop'
    check 'merged, of other labels, closed' 0 "$BIN" load -n 30 --label run=1 \
        -o "$T/third.json" "$to"
    check 'merged, like' 0 "$BIN" report -f json "$T/first.json" \
        "$T/third.json"
    has 'merged, the label of both' "$OUT" '"labels": ?\{"run": ?"1"\}'
    has 'merged, the reply of the first' "$OUT" '"reply": ?\{.*Hello'
    check 'compared, unlike' 0 "$BIN" load -n 20 \
        --compare "$T/second.json" "$to"
    has 'compared, unlike, said' "$ERR" \
        'second.json has another kind of loop.* what it is compared with'
    check 'a comparison where there is no room' 2 "$BIN" report -f csv \
        --base "$T/first.json" "$T/first.json"
    has 'a comparison where there is no room, said' "$ERR" '--base is for -f text'
    check 'more than can be in flight' 3 "$BIN" load -r 100000 -N 2000 -c 1 \
        --max-in-flight 1 "$to"
    has 'more than can be in flight, said' "$OUT" \
        'note +[0-9,]+ calls due but not sent: --max-in-flight'
    has 'more than can be in flight, what to do' "$OUT" \
        'unless( |$)|^ +--allow-not-sent'
    check 'merged with itself' 0 "$BIN" report "$T/first.json" "$T/first.json"
    has 'merged with itself, said' "$ERR" 'first.json is given twice'
    check 'merged, an hour apart' 0 "$PY" -c 'import json, sys
r = json.load(open(sys.argv[1]))
r["window"]["start_unix_ns"] += 3600 * 10**9
json.dump(r, open(sys.argv[2], "w"))' "$T/first.json" "$T/later.json"
    check 'merged, later' 0 "$BIN" report "$T/first.json" "$T/later.json"
    one_line 'merged, later, said' 'later.json ran at another time'
    has 'merged, later, no verdict' "$OUT" \
        'verdict +UNKNOWN +the merged runs took place'
    # 20 calls, 20 ms apart: 50 a second, not 20 in the 19 times between them
    check 'the rate of few calls' 0 "$PY" -c 'import json, sys
r = json.load(open(sys.argv[1]))
assert 0 < r["throughput"]["rps_ok"] <= 50, r["throughput"]
assert list(r["latency"]["response"]["percentiles"]) == ["50", "90"]' \
        "$T/second.json"
    check 'a series, read and written' 0 "$BIN" report -f json \
        -o "$T/again.json" "$T/open.json"
    check 'a series, the same' 0 "$PY" -c 'import json, sys
a, b = (json.load(open(n)) for n in sys.argv[1:])
assert len(a["intervals"]) > 5 and a["intervals"] == b["intervals"]
json.dump(a["intervals"], open(sys.argv[1] + ".series", "w"))
next(i["buckets"] for i in a["intervals"] if i["buckets"])[0][1] += 1
json.dump(a, open(sys.argv[1] + ".bent", "w"))' "$T/open.json" "$T/again.json"
    check 'a series, its picture' 0 "$BIN" report -f html "$T/open.json"
    has 'a series, its picture' "$OUT" '<h2>Every 0.1 s</h2>'
    check 'a series that does not add up' 1 "$BIN" report "$T/open.json.bent"
    one_line 'a series that does not add up, said' \
        'intervals.[0-9]+..buckets: their sum'
    check 'two series at one time' 0 "$BIN" report -q -f json \
        -o "$T/again.json" "$T/open.json" "$T/open.json"
    check 'two series at one time, together' 0 "$PY" -c 'import json, sys
a, b = (json.load(open(n)) for n in sys.argv[1:])
assert [2 * i["ok"] for i in a] == [i["ok"] for i in b["intervals"]]' \
        "$T/open.json.series" "$T/again.json"
    check 'the count is not reached' 0 "$BIN" load -r 100 -N 1000 -d 1s \
        -f json "$to"
    cp "$OUT" "$T/early.json"
    check 'the count is not reached, its rate' 0 "$PY" -c 'import json, sys
r = json.load(open(sys.argv[1]))
assert 80 < r["throughput"]["rps_ok"] <= 101, r["throughput"]
assert r["window"]["elapsed_ns"] < 1.5e9, r["window"]' "$T/early.json"
    check 'odd labels' 0 "$BIN" load -n 1 --label 'a,"b=x' --label a-b=1 \
        --label a_b=2 -f csv "$to"
    has 'odd labels, quoted' "$OUT" '^"label_a,""b",x'
    check 'odd labels, Prometheus' 0 "$BIN" load -n 1 --label a-b=1 \
        --label a_b=2 -f prometheus "$to"
    has 'odd labels, told apart' "$OUT" 'label_a_b="1",label_a_b_2="2"'
    check 'CSV' 0 "$BIN" report -f csv "$T/first.json"
    has 'CSV, the label' "$OUT" '^label_odd,2'
    has 'CSV, the verdict' "$OUT" '^verdict,unknown'
    check 'Prometheus' 0 "$BIN" report -f prometheus "$T/first.json"
    has 'Prometheus, both' "$OUT" \
        '^grpcprof_load_info\{verdict="unknown",call="[^"]*",label_run="1",'
    check 'text' 0 "$BIN" report "$T/first.json"
    has 'text, labels' "$OUT" '^  label +run=1, odd=2$'
    has 'text, the reply' "$OUT" '^  reply +.*Hello'
    while IFS= read -r line; do
        # shellcheck disable=SC2086 # words
        check "$line" 2 "$BIN" load -n 1 $line "$to"
        has "$line, said" "$ERR" "--.*(needs|twice|takes|no call|has a call|no template|without)"
    done <<'LINES'
--arrival poisson
--max-in-flight 5
--profile-hz 9
--profile-out x.pb
--message-interval 1s
--label a=1 --label a=2
--label =1
-H k:{{x}}
-H k:{{seq}}{{seq
--log-requests -
--messages 2 --call helloworld.Greeter/SayHelloBidiStream --data [{},{},{}]
LINES
    check 'late for --start-at' 0 "$BIN" load -n 1 --start-at 1000000000 "$to"
    has 'late for --start-at, said' "$OUT" 'note +started .* after --start-at'
    check 'the first of many messages' 0 "$BIN" load -n 1 \
        --call helloworld.Greeter/SayHelloStreamReply "$to"
    has 'the first of many messages, shown' "$OUT" '^  reply .*Hello'
    has 'one call is no plural' "$OUT" 'too short: 1 call in '
    check 'no such service' 2 "$BIN" load -n 1 --call no.Such/Thing "$to"
    one_line 'no such service, named' 'no service no.Such. It has .*helloworld.Greeter'
    check 'a histogram that does not fit' 0 "$PY" -c 'import json, sys
r = json.load(open(sys.argv[1]))
r["latency"]["response"]["max"] *= 2
json.dump(r, open(sys.argv[2], "w"))' "$T/first.json" "$T/bent.json"
    check 'a histogram that does not fit, read' 1 "$BIN" report "$T/bent.json"
    one_line 'a histogram that does not fit, said' \
        'latency.response: min and max differ from its'
}

# Several output files of one run; the summary after the text; Markdown; -q.
several() {
    local to=127.0.0.1:$PORT f
    check 'several files of one run' 0 "$BIN" load -c 2 -n 50 -o "$T/s.html" \
        -o "$T/s.json" -o "$T/s.md" -o "$T/s.txt" -o "$T/s.csv" "$to"
    for f in html json md txt csv; do
        has "several files: $f" "$OUT" "^wrote .*/s\\.$f "
        [ -s "$T/s.$f" ] || fail "several files: $f" 'is missing'
    done
    has 'several files: the summary' "$ERR" \
        '^grpcprof: 100 ok, 0 failed, [0-9.,]+ req/s, p50 .*, [A-Z-]+$'
    same 'several files: the summary is last' \
        "$(tail -n 1 "$ERR" | cut -c1-14)" 'grpcprof: 100 '
    has 'several files: text has the plan' "$T/s.txt" '2 clients x 50 calls'
    has 'Markdown: a title' "$T/s.md" '^# grpcprof load .*SayHello'
    has 'Markdown: a table of latency' "$T/s.md" '^\| latency \| response \|$'
    has 'Markdown: the figures' "$T/s.md" '\| 0 \| not\\_sent \|$'
    has 'JSON: the command' "$T/s.json" '"command": ?"[^"]*load -c 2 -n 50 -o '
    lacks 'without -H no secret' "$T/s.json" 'Bearer'
    check 'secrets in headers' 0 "$BIN" load -n 1 -H 'authorization: Bearer s3cret' \
        --metadata='x-key: s3cret' -H'y-key: s3cret' -qH'z-key: s3cret' \
        -qH 'a-key: s3cret' -o "$T/h.json" "$to"
    lacks 'secrets in headers stay out of the result' "$T/h.json" 's3cret'
    has 'secrets in headers: the names are in' "$T/h.json" \
        "'authorization: ...' --metadata='x-key: ...' -H'y-key: ...' -qH'z-key: ...' -qH 'a-key: ...'"
    check 'text in a file called .json' 0 "$BIN" load -n 1 -f text \
        -o "$T/text.json" "$to"
    has 'text in a file called .json, said' "$ERR" \
        '/text.json will not be JSON, .*leave out -f, which is text$'
    check 'text in a file called .json, read' 1 "$BIN" report \
        --base "$T/text.json" "$T/s.json"
    one_line 'text in a file called .json, read: said' \
        "/text.json: load's text, not JSON"
    check 'a file and standard output' 0 "$BIN" load -c 2 -n 50 -f md \
        -o "$T/s.html" -o - "$to"
    has 'a file and standard output: as -f says' "$OUT" '^# grpcprof load'
    has 'a file and standard output: as its name says' "$T/s.html" '^<!DOCTYPE'
    check 'a format for several files' 2 "$BIN" load -n 1 -f json \
        -o "$T/s.html" -o "$T/s.json" "$to"
    check 'a file twice' 2 "$BIN" load -n 1 -o "$T/s.html" -o "$T/s.html" "$to"
    has 'a file twice, said' "$ERR" 'is given for two output files'
    cp "$T/s.json" "$T/old.json"
    check 'over --compare' 2 "$BIN" load -n 1 --compare "$T/old.json" \
        -o "$T/old.json" "$to"
    has 'over --compare, said' "$ERR" 'overwritten, and --compare reads it'
    check '--compare with no result' 1 "$BIN" load -n 1 --compare "$T/s.md" \
        "$to"
    one_line '--compare with no result, said' 's\.md: .*not JSON'
    check '--messages that fill the memory' 2 "$BIN" load -n 1 \
        --call helloworld.Greeter/SayHelloBidiStream --messages 1000000 \
        --payload-size 10000 "$to"
    one_line '--messages that fill the memory, said' \
        'MiB of memory, more than 256; .*--stream-for DUR'
    echo '{"name":"a"}' >"$T/in.txt"
    check 'over --data' 2 "$BIN" load -n 1 --data "@$T/in.txt" \
        -o "$T/in.txt" "$to"
    has 'over --data, said' "$ERR" 'overwritten, and --data reads it'
    check 'over --csv, by a log' 2 "$BIN" load -n 1 --csv "$T/in.txt" \
        --log-requests "$T/in.txt" "$to"
    has 'what would be overwritten is whole' "$T/in.txt" '"name":"a"'
    check 'notes' 0 "$BIN" load -n 1 "$to"
    has 'notes, without -q' "$OUT" '^  note '
    check 'no notes' 0 "$BIN" load -q -n 1 "$to"
    lacks 'no notes with -q' "$OUT" '^  note '
    check 'streams that are all cut off' 0 "$BIN" load -c 2 -n 1 -d 500ms \
        --messages 100 --message-interval 50ms --drain 10ms \
        --call helloworld.Greeter/SayHelloBidiStream -o "$T/off.txt" \
        -o "$T/off.json" "$to"
    has 'streams that are all cut off: columns of their latencies' \
        "$T/off.txt" '^  latency +first_byte +message$'
    has 'streams that are all cut off: messages' "$T/off.txt" \
        '^  messages +[0-9]+ in, '
    has 'streams that are all cut off: the time of the run' "$T/off.txt" \
        '^  elapsed +500 ms '
}

# On terminals: nothing is wider, progress moves in place where it can.
terminals() {
    local to=127.0.0.1:$PORT
    tally 'terminal' "$PY" tests/load/term.py 80 xterm redrawn "$BIN" load \
        -c 2 -d 1s "$to"
    tally 'terminal' "$PY" tests/load/term.py 120 xterm redrawn "$BIN" load \
        -r 500 -c 2 -d 1s --call helloworld.Greeter/SayHelloBidiStream "$to"
    tally 'terminal' "$PY" tests/load/term.py 30 xterm narrow "$BIN" load \
        -c 2 -d 1s "$to"
    tally 'terminal' "$PY" tests/load/term.py 80 dumb lines "$BIN" load \
        -c 2 -d 3s "$to"
    tally 'terminal' "$PY" tests/load/term.py 80 xterm none "$BIN" load -q \
        -c 2 -d 1s "$to"
}

# A profile that takes minutes does not delay the end of load.
let_go() {
    local to=127.0.0.1:$PORT web slow
    bg "$PY" -c 'import socket, sys, time
s = socket.create_server(("127.0.0.1", 0))
print(s.getsockname()[1], flush=True)
c = s.accept()[0]
c.recv(9999)
c.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
c.close()
c = s.accept()[0]
time.sleep(60)'
    slow=$PID
    wait_for 10 grep -q . "$T/bg.out" || {
        fail 'a slow endpoint starts' "$(tail_of "$T/bg.err")"
        return
    }
    web=127.0.0.1:$(cat "$T/bg.out")
    bg "$BIN" load -q -d 50s --profile="$web" "$to"
    sleep 1
    kill -INT "$PID"
    if ended "$PID" 20; then pass 'ends by SIGINT without its profile'
    else fail 'ends by SIGINT without its profile' 'it did not'; fi
    has 'ends by SIGINT, says what it lacks' "$T/bg.err" \
        'no profile of the server: .*stopped before it answered'
    kill "$slow"
    ended "$slow" 5
    bg "$BIN" load -q -d 50s "$to"
    wait_for 20 grep -q '^  plan' "$T/bg.out"
    nap 0.5
    kill -HUP "$PID"
    ended "$PID" 20
    same 'ends by SIGHUP' "$ST" 129
    has 'ends by SIGHUP, with its result' "$T/bg.out" '^  done +[0-9,]+ ok'
}

if start_server -w 100; then
    results
    judged
    unlike
    several
    [ -n "$SUFFIX" ] || terminals
    let_go
    stop_server 'ends with status 0'
fi
profiled
unknown
