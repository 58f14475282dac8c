# The names of functions that `grpcprof run` writes: of C++, of several processes
# that share a file, and of code that a JIT made.
# runs: plain

# folded NAME FILE: write the stacks of a profile to $OUT
folded() { check "$1" 0 "$BIN" report -f folded "$2"; }

cxx() {
    need 'names of C++' g++ c++filt || return
    if ! g++ -O1 -fPIE -pie -o "$T/cart" tests/lib/cart.cc 2>"$T/cart.log"; then
        fail 'names of C++' "$(tail_of "$T/cart.log")"
        return
    fi
    check 'a program of C++' 7 "$BIN" run --svg none -o "$T/cart.pb" -- \
        "$T/cart" 0.25 7
    folded 'names of C++' "$T/cart.pb"
    has 'names of C++ are demangled' "$OUT" ';shop::Cart::total\(int\) [0-9]+$'
    lacks 'no name of C++ is mangled' "$OUT" '(^|;)_Z'

    check 'two processes' 0 "$BIN" run --svg none -o "$T/two.pb" -- \
        sh -c "'$T/cart' 0.25 0 & '$T/cart' 0.25 0 & wait"
    same 'samples are labelled with their process' "$(gzip -dcf "$T/two.pb" |
        grep -aoE '\<cart/[0-9]+' | sort -u | wc -l)" 2
    need 'code that processes share' pprof || return
    check 'the profile of two processes' 0 "$PPROF" -symbolize=none -raw \
        "$T/two.pb"
    same 'the program is mapped once' \
        "$(sed -n '/^Mappings/,$p' "$OUT" | grep -c "$T/cart ")" 1
    same 'its loop is one function' "$(grep -oE 's=[0-9]+\(_ZN4shop[^)]*\)' \
        "$OUT" | sort -u | wc -l)" 1
}

jit() {
    need 'names of JIT code' node || return
    cat >"$T/cart.js" <<'END'
function total(n) {
    let sum = 1;
    for (let i = 0; i < n; i++) sum = (sum * 31 + i) % 65521;
    return sum;
}
while (process.cpuUsage().user < 400000) total(100000);
END
    check 'node with a map' 0 "$BIN" run --svg none -o "$T/map.pb" -- \
        env -C "$T" node --perf-basic-prof --interpreted-frames-native-stack \
        "$T/cart.js"
    grep -lF "$T/cart.js" /tmp/perf-*.map 2>/dev/null | xargs -r rm -f
    folded 'names of JIT code' "$T/map.pb"
    has 'a function of JavaScript has its name' "$OUT" \
        '(^|;)total( [^;]*cart.js:1)? [0-9]+$'
    lacks 'names of JIT code have no prefix' "$OUT" '(^|;)(JS|LazyCompile|Eval):'
    check 'the report on node with a map' 0 "$BIN" report "$T/map.pb"
    lacks 'with a map there is no advice' "$OUT" 'Unnamed code'
    check 'node without a map' 0 "$BIN" run --svg none -o "$T/none.pb" -- \
        node "$T/cart.js"
    check 'the report on node without a map' 0 "$BIN" report "$T/none.pb"
    has 'without a map the report names the options of node' "$OUT" \
        'Unnamed code +no names; to get them, start node with'
}

cxx
jit
