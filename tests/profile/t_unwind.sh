# The unwinder's unit tests, which the group unit runs too, in other programs:
# one cross-built for arm64 and emulated, and one with gaps between its
# segments, of which the loader reports only the one with the code, as in node.
# runs: plain

arm64() {
    local root=/usr/aarch64-linux-gnu
    need 'unit tests on arm64' aarch64-linux-gnu-gcc qemu-aarch64 || return
    if [ ! -e $root/lib/libc.so.6 ]; then
        missing 'unit tests on arm64' "no libc for arm64 in $root"
        return
    fi
    check 'unit tests for arm64 compile' 0 make -s .build/unw-arm64 || return
    same 'unit tests for arm64 compile without a warning' \
        "$(head -c 300 "$ERR")" ''
    LIMIT=300 tally 'unit tests on arm64' qemu-aarch64 -L $root .build/unw-arm64
    check "run's agent for arm64 is built" 0 make -s .build/agent-arm64.so
    same "run's agent for arm64 is built without a warning" \
        "$(head -c 300 "$ERR")" ''
}

gaps() {
    check 'unit tests with gaps compile' 0 make -s .build/unw-gaps || return
    LIMIT=300 tally 'unit tests with gaps' .build/unw-gaps
}

arm64
gaps
