# flame: the pictures in a browser and under linters; names that need escaping,
# in every format.
# runs: plain (asan)
# long

hurt() {
    local f
    "$PY" tests/report/profiles.py hurt "$T/hurt.pb" || return
    for f in text md json html svg folded top tree traces raw tags callgrind \
        speedscope peek; do
        check "names that hurt, -f $f" 0 "$BIN" report --all -o "$T/hurt.$f" \
            -f $f $([ $f = peek ] && echo '--peek .') "$T/hurt.pb"
        tally "names that hurt, $f" "$PY" tests/report/profiles.py check $f \
            "$T/hurt.$f"
    done
}

drawn() {
    "$PY" tests/report/profiles.py tree 1 "$T/tree.pb" || return
    "$PY" tests/report/profiles.py tree 2 "$T/other.pb" || return
    check 'a picture' 0 "$BIN" report -o "$T/tree.svg" "$T/tree.pb"
    check 'of two profiles' 0 "$BIN" report -o "$T/differs.svg" \
        --base "$T/other.pb" "$T/tree.pb"
    check 'of two profiles, per call' 0 "$BIN" report -o "$T/calls.svg" \
        --per-call=900,1000 --base "$T/other.pb" "$T/tree.pb"
    check 'Markdown of two profiles' 0 "$BIN" report -o "$T/differs.md" \
        --base "$T/other.pb" "$T/tree.pb"
    check 'a blank line before each table' 0 awk '
        /^\| ---/ && before !~ /^\|/ || /^\|/ && before !~ /^(\||$)/ { bad = 1 }
        /^\| ---/ { n++ }
        { before = $0 }
        END { exit bad || n < 4 }' "$T/differs.md"
    check 'a picture by size' 0 "$BIN" report --sort size -o "$T/sized.svg" \
        "$T/tree.pb"
    check 'in tables there is nothing to sort so' 2 "$BIN" report -f top \
        --sort size "$T/tree.pb"
    has 'and the message says where' "$ERR" 'sort is for -f svg or html'
    check 'a page' 0 "$BIN" report -o "$T/tree.html" "$T/tree.pb"
    check 'folded' 0 "$BIN" report -o "$T/tree.folded" "$T/tree.pb"
    check 'speedscope' 0 "$BIN" report -f speedscope -o "$T/tree.json" \
        "$T/tree.pb"
}

# Names of several languages, in frames of several widths.
labelled() {
    local stack='google.golang.org/grpc/internal/transport.(*loopyWriter).run'
    stack="$stack;shop::Cart<int>::total(std::vector<int> const&) const"
    stack="$stack;<alloc::vec::Vec<T> as core::ops::Drop>::drop"
    stack="$stack;com.shop.Cart\$Item.total;std::ostream::operator<<(int)"
    stack="$stack;Größe::中中中中中中中中;[unknown]"
    local width
    for width in 13 20 31 55 96 200; do
        echo "main;of $width;$stack $width"
    done >"$T/labels.folded"
    check 'a picture of long names' 0 "$BIN" report -o "$T/labels.svg" \
        "$T/labels.folded"
    check 'a table of long names' 0 "$BIN" report --all "$T/labels.folded"
    has 'long names in text keep their end' "$OUT" \
        ' {2}transport\.\(\*loopyWriter\)\.run$'
    lacks 'lines of text have at most 110 columns' "$OUT" '^.{111}'
}

# The scripts and style sheets inside, by a linter of each language.
linted() {
    start_server || return
    check 'a page of load' 0 "$BIN" load -r 300 -d 1s --interval 100ms \
        -o "$T/load.html" "127.0.0.1:$PORT"
    stop_server 'the server of the page'
    tally 'linters' node tests/report/weblint.js "$NODE" "$T/tree.svg" \
        "$T/differs.svg" "$T/tree.html" "$T/load.html"
}

# Markdown, as GitHub's renderer shows it.
github() {
    check 'Markdown' 0 "$BIN" report -o "$T/tree.md" "$T/tree.pb"
    need 'Markdown as GitHub shows it' cmarkgfm || return
    "$PY" tests/report/profiles.py names "$T/names.json"
    tally 'Markdown as GitHub shows it' env \
        PYTHONPATH="$CMARKGFM:$PYTHONPATH" "$PY" tests/report/gfm.py \
        "$T/tree.md" "$T/differs.md" -- "$T/names.json" "$T/hurt.md"
}

if need 'names that hurt' protoc; then
    hurt
    drawn
    [ -n "$SUFFIX" ] || github
    labelled
    if [ -z "$SUFFIX" ] && need 'linters' node; then
        linted
    fi
    if [ -z "$SUFFIX" ] && need 'in a browser' node chromium; then
        mkdir -p "$T/shots"
        "$PY" tests/report/profiles.py names "$T/names.json"
        LIMIT=600 tally 'in a browser' node tests/report/flame.js "$NODE" \
            "$CHROMIUM" "$T/shots" use "$T/tree.svg" "$T/tree.folded" \
            -- differs "$T/differs.svg" -- calls "$T/calls.svg" \
            -- labels "$T/labels.svg" -- labels "$T/hurt.svg" \
            -- labels "$T/tree.svg" -- sized "$T/sized.svg" \
            -- names "$T/hurt.svg" "$T/hurt.html" "$T/names.json" \
            -- page "$T/tree.html" -- load "$T/load.html" \
            -- speedscope "$T/tree.json" "$T/tree.folded"
    fi
fi
