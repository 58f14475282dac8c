# Sourced by the groups of report that make a profile by protoc.

# made SAMPLES NS [COMMENT...]: a profile of three stacks, by protoc, in
# $T/made.pb: half of the samples in the application, a third in nghttp2, the
# rest in libc, each sample NS long.
made() {
    local n=$1 ns=$2
    shift 2
    local a=$((n / 2)) b=$((n / 3)) c i
    c=$((n - a - b))
    {
        for s in '' samples count cpu nanoseconds /opt/app/server \
            /usr/lib/libnghttp2.so.14 /usr/lib/libc.so.6 main handle \
            nghttp2_session_mem_recv send server.c "$@"; do
            echo "string_table: \"$s\""
        done
        for ((i = 13; i < 13 + $#; i++)); do echo "comment: $i"; done
        echo 'sample_type { type: 1 unit: 2 } sample_type { type: 3 unit: 4 }
            period_type { type: 3 unit: 4 }'
        echo "period: $ns time_nanos: $(date +%s)000000000
            duration_nanos: $((n * ns))"
        echo "sample { location_id: [2, 1] value: [$a, $((a * ns))] }
            sample { location_id: [3, 2, 1] value: [$b, $((b * ns))] }
            sample { location_id: [4, 2, 1] value: [$c, $((c * ns))] }"
        for m in 1 2 3; do
            echo "mapping { id: $m memory_start: $((m * 4096))
                memory_limit: $((m * 4096 + 4096)) filename: $((m + 4))
                has_functions: true }"
        done
        for l in 1 2 3 4; do
            echo "location { id: $l mapping_id: $((l < 3 ? 1 : l - 1))
                address: $(((l < 3 ? 1 : l - 1) * 4096 + l * 16))
                line { function_id: $l } }
                function { id: $l name: $((l + 7)) system_name: $((l + 7)) }"
        done
    } >"$T/made.txt"
    protoc -Iproto --encode=perftools.profiles.Profile profile.proto \
        <"$T/made.txt" >"$T/made.raw" && gzip -nc "$T/made.raw" >"$T/made.pb" ||
        { fail 'made.sh: protoc makes the profile' "$n samples"; return 1; }
}
