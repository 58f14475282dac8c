#!/usr/bin/env bash
# What `make fuzz` runs: libFuzzer on four profiles, FUZZ_RUNS mutations in all,
# each reported on under ASan+UBSan, and each of the profiles cut after each of
# its bytes; on profiles of other tools, IMPORT_RUNS mutations; on what a server
# says to load's session, CLIENT_RUNS mutations in less than a minute; and on
# regular expressions, for RE_SECONDS.  What fails is kept in .build/fuzzed, and
# named.
set -u
cd "$(dirname "$0")/../.." || exit 1
runs=${FUZZ_RUNS:-100000} talks=${CLIENT_RUNS:-500000} dir=.build/fuzzed
imports=${IMPORT_RUNS:-50000} seconds=${RE_SECONDS:-60}
export ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1
export UBSAN_OPTIONS=print_stacktrace=1

# fuzzed WHAT PROGRAM OPTION...: a campaign, the same one in every run
fuzzed() {
    local what=$1
    shift
    "$@" -seed=1 -print_final_stats=1 -artifact_prefix=$dir/ >$dir/log 2>&1
    local status=$?
    grep -E '^(stat::|SUMMARY|==|status |fuzz_client.c:)' $dir/log
    if [ $status -ne 0 ]; then
        tail -n 40 $dir/log
        echo "FAIL fuzz: $what: status $status, input kept in $dir" >&2
        exit 1
    fi
    echo "ok   $what"
}

for f in corpus talks expressions imports; do
    mkdir -p $dir/$f && rm -f $dir/$f/* || exit 1
done

.build/fuzz-client seeds $dir/talks || exit 1
fuzzed "$talks mutations of what a server says" .build/fuzz-client \
    -runs="$talks" -timeout=10 -max_len=2000 $dir/talks

PYTHONPATH=tests/lib /usr/bin/python3 -c 'import sys, expressions
expressions.seeds(sys.argv[1], 300)' $dir/expressions || exit 1
fuzzed "$seconds s of mutations of expressions" .build/fuzz-re \
    -max_total_time="$seconds" -timeout=20 -max_len=2000 $dir/expressions

# One deep, one with every field, one in gperftools' format, and one that serve
# writes.
/usr/bin/python3 tests/report/profiles.py tree 1 $dir/corpus/tree &&
    /usr/bin/python3 tests/report/profiles.py small $dir/corpus/small &&
    /usr/bin/python3 tests/report/profiles.py legacy $dir/corpus/legacy || exit 1
(cd $dir && timeout 20 ../../grpcprof serve -l 127.0.0.1:0 --debug off \
    --profile 300ms --exit -o serve.pb --svg none >/dev/null) || exit 1
gzip -dc $dir/serve.pb >$dir/corpus/serve || exit 1

fuzzed "$runs mutations of four profiles" .build/fuzz -runs="$runs" \
    -timeout=30 -rss_limit_mb=3000 -max_len=40000 $dir/corpus

# Text of other tools, and of our own.
/usr/bin/python3 tests/fuzz/foreign.py $dir/imports || exit 1
for f in folded speedscope; do
    ./grpcprof report -q -f $f -o $dir/imports/$f $dir/corpus/small || exit 1
done
fuzzed "$imports mutations of other tools' profiles" .build/fuzz \
    -runs="$imports" -timeout=30 -rss_limit_mb=3000 -max_len=4000 \
    -dict=tests/fuzz/foreign.dict $dir/imports

cuts=0
for f in tree small legacy serve; do
    size=$(wc -c <"$dir/corpus/$f")
    mkdir -p $dir/cut && rm -f $dir/cut/*
    /usr/bin/python3 -c 'import sys
data = open(sys.argv[1], "rb").read()
for n in range(len(data)):
    open("%s/%d" % (sys.argv[2], n), "wb").write(data[:n])' \
        "$dir/corpus/$f" $dir/cut
    .build/fuzz -runs=0 -timeout=30 $dir/cut >$dir/log 2>&1 || {
        tail -n 40 $dir/log
        echo "FAIL fuzz: $f cut short" >&2
        exit 1
    }
    cuts=$((cuts + size))
done
rm -rf $dir/cut
echo "ok   the four profiles, cut short in $cuts places"
