# All tests of h2spec, strict.  With H2SPEC_RUNS=5, which `make soak` sets, five
# runs in a row must pass.

# Cases that fail by nghttp2's version; all others must pass.  1.65 dropped the
# priorities of RFC 7540 and its checks on PRIORITY; later ones ignore frames on
# streams they have forgotten, and end the connection, not the stream, where a
# stream's window overflows.
library_fails() {
    local minor
    minor=$(sed -n 's/^#define NGHTTP2_VERSION "1\.\([0-9]*\)\..*/\1/p' \
        /usr/include/nghttp2/nghttp2ver.h)
    [ "${minor:-0}" -ge 65 ] || return
    echo http2/5.1/{8,9,11,12} http2/5.3.1/{1,2} http2/6.3/1 http2/6.9.1/3
}

# Print how many cases ran, and those that failed, by section and number.
h2spec_result() {
    "$PY" - "$1" <<'EOF'
import sys
import xml.etree.ElementTree
run, bad = 0, []
for suite in xml.etree.ElementTree.parse(sys.argv[1]).iter('testsuite'):
    for n, case in enumerate(suite.iter('testcase'), 1):
        run += case.find('skipped') is None
        if case.find('failure') is not None or case.find('error') is not None:
            bad.append('%s/%d' % (suite.get('package'), n))
print(run, *bad)
EOF
}

h2spec_run() {
    local name="run $1" run bad case ours=''
    rm -f "$T/h2spec.xml"
    limited "$H2SPEC" -h 127.0.0.1 -p "$PORT" --strict -j "$T/h2spec.xml" \
        >"$T/h2spec.out" 2>&1
    read -r run bad < <(h2spec_result "$T/h2spec.xml")
    same "$name: all cases ran" "${run:-none}" 146
    for case in $bad; do
        [[ " $(library_fails) " == *" $case "* ]] || ours="$ours $case"
    done
    same "$name: all cases pass" "failed:$ours" 'failed:'
}

if need 'h2spec' h2spec && start_server -w 100; then
    for ((i = 1; i <= ${H2SPEC_RUNS:-1}; i++)); do h2spec_run $i; done
    stop_server 'ends with status 0'
fi
