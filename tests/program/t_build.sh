# The build, its products and the layout of the source.
# runs: plain

warnings_clean() {
    same "${CC:-gcc} has no warning" "$(head -c 300 .build/warnings)" ''
    need 'clang has no warning' clang &&
        check 'clang has no warning' 0 make -s .build/clang.ok
}

# The library has the symbols that grpcprof.h declares, and no other global one.
library() {
    check 'the library compiles' 0 make -s .build/lib.o || return
    need 'the library shows only gp_ names' nm || return
    # The wrappers of exec* are weak.
    nm -g --defined-only .build/lib.o | grep -Ev ' W f?exec' >"$T/nm"
    has 'the library defines gp_ functions' "$T/nm" ' T gp_'
    lacks 'the library shows only gp_ names' "$T/nm" ' [A-Z] ([^g]|g[^p])'
}

layout() {
    check 'grpcprof.c keeps the layout' 0 awk -f tests/lint/layout.awk grpcprof.c
    [ "$ST" -eq 0 ] || head -n 20 "$OUT"
    tally 'the layout checker finds what it should' sh tests/lint/layout_test.sh
}

make_itself() {
    check 'make help' 0 make -s help
    has 'make help lists test' "$OUT" '^test  '
    has 'make help lists demo' "$OUT" '^demo  '
    check 'make, nothing changed' 0 make grpcprof
    lacks 'make, nothing changed, compiles nothing' "$OUT" 'grpcprof\.c'
}

# Print the files and links under $T/root in one line.
placed() { (cd "$T/root" && find . -type f -o -type l | sort | tr '\n' ' '); }

installs() {
    local d="DESTDIR=$T/root"
    check 'make install' 0 make -s install "$d" prefix=/opt/gp
    same 'install places four files' "$(placed)" "./opt/gp/bin/grpcprof \
./opt/gp/lib/grpcprof/agent.so ./opt/gp/share/bash-completion/completions/grpcprof \
./opt/gp/share/man/man1/grpcprof.1 "
    check 'the installed program runs' 0 "$T/root/opt/gp/bin/grpcprof" --version
    check 'the completion is bash' 0 bash -n \
        "$T/root/opt/gp/share/bash-completion/completions/grpcprof"
    has 'the man page is a man page' \
        "$T/root/opt/gp/share/man/man1/grpcprof.1" '^\.TH '
    for o in --clients --profile --format; do
        has "the man page has $o" "$T/root/opt/gp/share/man/man1/grpcprof.1" \
            "${o//-/\\\\?-}"
    done
    if need 'groff finds nothing wrong in the man page' groff; then
        check 'groff reads the man page' 0 groff -man -Tascii -ww -z \
            "$T/root/opt/gp/share/man/man1/grpcprof.1"
        same 'groff finds nothing wrong in the man page' \
            "$(head -n 3 "$ERR")" ''
    fi
    check 'make uninstall' 0 make -s uninstall "$d" prefix=/opt/gp
    same 'uninstall leaves nothing' "$(placed)" ''
}

completes() {
    check 'bash completes the commands' 0 bash -c '
        . .build/grpcprof.bash
        COMP_WORDS=(grpcprof l) COMP_CWORD=1
        COMP_LINE="grpcprof l" COMP_POINT=10
        f=$(complete -p grpcprof | sed "s/.*-F \([^ ]*\).*/\1/")
        "$f" grpcprof l grpcprof; echo "${COMPREPLY[*]}"'
    has 'bash completes load' "$OUT" 'load'
}

# The work of a call is a loop that the compiler kept: a multiplication and a
# jump back, all between two addresses of one 64-byte line.
work_loop() {
    need 'svc_work is a loop' objdump || return
    objdump -d --no-show-raw-insn grpcprof |
        awk '/^[0-9a-f]+ <svc_work(\.[a-z0-9.]+)?>:/ { on = 1 } /^$/ { on = 0 }
             on' >"$T/work"
    has 'svc_work is in the program' "$T/work" '<svc_work'
    case $(uname -m) in
    x86_64) awk -f - "$T/work" >"$T/loop" <<'EOF'
        function hex(s,    n, i) {
            for (i = 1; i <= length(s); i++)
                n = n * 16 + index("0123456789abcdef", substr(s, i, 1)) - 1
            return n
        }
        $1 ~ /^[0-9a-f]+:$/ { at = hex(substr($1, 1, length($1) - 1)) }
        $2 == "imul" { mul[++n] = at }
        $2 ~ /^j[a-z]+$/ && $3 ~ /^[0-9a-f]+$/ && hex($3) < at {
            for (i = 1; i <= n; i++)
                if (mul[i] >= hex($3) && mul[i] < at)
                    print "loop", hex($3), at, (int(hex($3) / 64) == \
                        int((at + 1) / 64)) ? "one line" : "two lines"
        }
EOF
        has 'svc_work is a loop' "$T/loop" '^loop'
        has 'the loop lies in one 64-byte line' "$T/loop" 'one line'
        ;;
    *) has 'svc_work is a loop' "$T/work" '\bmadd?\b|\bmul\b' ;;
    esac
}

# CPU time of process PID so far, in ticks.
ticks() { awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/$1/stat"; }

# cpu_for WORK: ticks that serve uses for 2,000 calls of this much work each
cpu_for() {
    local before
    start_server -w "$1" || return
    before=$(ticks "$SPID")
    check "2,000 calls of work $1" 0 "$BIN" load -c 4 -n 500 \
        "127.0.0.1:$PORT"
    CPU=$(($(ticks "$SPID") - before))
    stop_server "serve -w $1 ends"
}

work_costs() {
    local none lots
    cpu_for 0; none=$CPU
    cpu_for 1000000; lots=$CPU
    if [ "$lots" -gt $((3 * (none + 1))) ]; then pass 'work costs CPU time'
    else fail 'work costs CPU time' "$none ticks without, $lots with"; fi
}

warnings_clean
library
layout
make_itself
installs
completes
work_loop
work_costs
