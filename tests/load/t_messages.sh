# Messages that differ: templates, CSV, JSON lines, several methods, and checks
# of replies, against a python3-grpcio server that logs what it gets.
# runs: plain asan

# sent NAME STATUS EXPR ARG...: does load with ARG exit with STATUS, and is EXPR
# true of the calls that the server got?  See messages.py.
sent() {
    local name=$1 status=$2 expr=$3
    shift 3
    : >"$T/log"
    check "$name" "$status" "$BIN" load -q -f json -o "$T/r.json" \
        --protoset "$T/rich.pb" "$@" "$TO"
    check "$name: what came" 0 "$PY" tests/load/messages.py judge "$T/log" \
        "$expr"
}

# refused NAME REGEX ARG...: does load with ARG say why not, and send nothing?
refused() {
    local name=$1 regex=$2
    shift 2
    : >"$T/log"
    check "$name" 2 "$BIN" load -n 1 --protoset "$T/rich.pb" "$@" "$TO"
    one_line "$name, said" "$regex"
    same "$name: nothing is sent" "$(cat "$T/log")" ''
}

templates() {
    local unary='test.Echo/Unary'
    sent 'numbers and text, unique over all clients' 0 \
        'sorted(int(x or 0) for x in v("i64")) == list(range(200)) and
         all(x["messages"][0]["text"] == "n%s" % (x["messages"][0].get("i64", 0))
             for x in c) and len({x["metadata"]["x-id"] for x in c}) == 200 and
         len({x["messages"][0]["item"]["name"] for x in c}) == 200 and
         {x["metadata"]["x-client"] for x in c} == {"0", "1", "2", "3"}' \
        -c 4 -n 50 --threads 2 --call $unary -H 'x-id: {{uuid}}' \
        -H 'x-client: {{client}}' \
        --data '{"i64":{{seq}},"text":"n{{seq}}","item":{"name":"{{uuid}}"}}'
    sent 'in an open loop, gzipped' 0 \
        'sorted(int(x or 0) for x in v("u64")) == list(range(60)) and
         all(x["messages"][0]["text"].startswith("{{a") for x in c)' \
        -r 600 -N 60 -c 2 --compression gzip --call $unary \
        --data '{"u64":"{{seq}}","text":"{\u007ba{{rand:9}}","words":["k"]}'
    printf 'id,name,colour,body\r\n7,"a ""b"",\nc",RED,YQ==\r\n-8,\303\251,BLUE,\r\n' \
        >"$T/rows.csv"
    printf 'one\n\ntwo\r\nthree' >"$T/lines"
    sent 'rows of CSV and lines of a file, in turn' 0 \
        'sorted(map(str, v("i32"))) == ["-8"] * 3 + ["7"] * 3 and
         {(x["messages"][0]["i32"], x["messages"][0]["text"],
           x["messages"][0]["colour"], x["messages"][0].get("data"),
           x["messages"][0]["object"]["n"], *x["messages"][0]["byName"])
          for x in c} == {(7, "a \"b\",\nc", "RED", "YQ==", 7.0, "a \"b\",\nc"),
                          (-8, "\u00e9", "BLUE", None, -8.0, "\u00e9")} and
         sorted(x["messages"][0]["one"] for x in c) ==
         ["one", "one", "three", "three", "two", "two"]' \
        -n 6 --call $unary --csv "$T/rows.csv" --data '{"i32": {{csv.id}},
            "text":"{{csv.name}}","colour":"{{csv.colour}}",
            "data":"{{csv.body}}","object":{"n":{{csv.id}}},
            "byName":{"{{csv.name}}":{{csv.id}}},"one":"{{file:'"$T/lines"'}}"}'
    printf 'name\n""\n" a b "\n=\n' >"$T/names.csv"
    sent 'values of headers, empty and with blanks around' 0 \
        'sorted(x["metadata"]["x-name"] for x in c) == ["", "=", "a b"]' \
        -n 3 --call $unary --csv "$T/names.csv" -H 'x-name: {{csv.name}}'
    sent 'every kind of field' 0 \
        'sorted(x or 0 for x in v("s32")) == [0, 1, 2] and
         all(x["messages"][0]["numbers"] == [1, x["messages"][0].get("s32", 0)]
             and x["messages"][0]["values"]["k"] == x["messages"][0].get("s32", 0)
             and x["messages"][0]["when"].startswith("20")
             and len(x["messages"][0]["sf64"]) == 13
             and x["messages"][0]["boxed"] == str(x["messages"][0].get("s32", 0))
             and x["messages"][0]["any"]["name"] ==
                 "%s" % x["messages"][0].get("s32", 0)
             and x["messages"][0]["items"][1].get("price", 0) ==
                 x["messages"][0].get("s32", 0)
             and x["messages"][0]["maybe"] == 0 for x in c)' \
        -n 3 --call $unary --data '{"s32":{{seq}},"sf64":{{now.ms}},
            "numbers":[1,{{seq}}],"values":{"k":{{seq}}},"when":"{{now}}",
            "boxed":{{seq}},"maybe":{{client}},
            "any":{"@type":"x/test.Item","name":"{{seq}}"},
            "items":[{"name":"a"},{"name":"b","price":{{seq}}}]}'
    sent 'a stream of messages, repeated' 0 \
        'sorted(tuple((m.get("i32", 0), m.get("text")) for m in x["messages"])
                for x in c) ==
         [((0, None), (0, "x0"), (0, None)), ((1, None), (0, "x1"), (1, None))]' \
        -n 2 --messages 3 --call test.Echo/Upload \
        --data '[{"i32":{{seq}}},{"text":"x{{seq}}"}]'
    printf '{"i32":1}\n\n {"i32":2,"text":"{{seq}}"}\n[{"i32":3},{"i32":4}]\n' \
        >"$T/calls.jsonl"
    sent 'JSON lines, a call each' 0 \
        '[[m["i32"] for m in x["messages"]] for x in c] ==
         [[1], [2], [3, 4], [1], [2]] and v("text")[1] == "1"' \
        -n 5 --call test.Echo/Upload --data "@$T/calls.jsonl"
}

wrong() {
    refused 'a template that is not known' 'no template; there are {{seq}}' \
        --call test.Echo/Unary --data '{"text":"{{nope}}"}'
    refused 'a template that is not known, in metadata' 'no template' \
        --call test.Echo/Unary -H 'a: {{nope}}'
    refused 'a template without end' 'without }}' \
        --call test.Echo/Unary --data '{"text":"{{seq"}'
    refused 'text for a number' 'i32: .*is not an integer' \
        --call test.Echo/Unary --data '{"i32":"a{{seq}}"}'
    refused 'a number for text' 'text: not a string' \
        --call test.Echo/Unary --data '{"text":{{seq}}}'
    refused 'CSV without --csv' 'needs --csv' \
        --call test.Echo/Unary --data '{"text":"{{csv.a}}"}'
    printf 'a,b\n1,2\nx,3\n' >"$T/bad.csv"
    printf 'a\nann\n2\n' >"$T/names.csv"
    printf 'a,b\n\0421\n\042\042\042,\0422\n\042\n3\n' >"$T/few.csv"
    printf '1\n\ntwo\n' >"$T/lines"
    refused 'a column that is not there' 'no such column, but a, b' \
        --csv "$T/bad.csv" --call test.Echo/Unary --data '{"i32":{{csv.c}}}'
    refused 'a row that is no JSON' "csv $T/bad.csv, line 3, a: 'x' is no JSON \
value; for text, write \"\{\{csv.a}}\" in quotes" \
        --csv "$T/bad.csv" --call test.Echo/Unary --data '{"i32":{{csv.a}}}'
    refused 'a first row that is no JSON' "line 2, a: 'ann' is no JSON" \
        --csv "$T/names.csv" --call test.Echo/Unary --data '{"text":{{csv.a}}}'
    refused 'a row that does not fit, quoted' \
        "csv $T/bad.csv, line 3, a: items.0..price: \"x\" is not a number" \
        --csv "$T/bad.csv" --call test.Echo/Unary \
        --data '{"items":[{"price":"{{csv.a}}"}]}'
    refused 'a first row that does not fit' \
        "line 2, a: colour: 'ann' is no value of .*BLUE" \
        --csv "$T/names.csv" --call test.Echo/Unary \
        --data '{"colour":"{{csv.a}}"}'
    refused 'a line that does not fit' "lines, line 3: i32: .two. is not an" \
        --call test.Echo/Unary --data '{"i32":"{{file:'"$T/lines"'}}"}'
    refused 'a line of CSV with too few' 'csv .*few.csv, line 5: 1 fields' \
        --csv "$T/few.csv" --call test.Echo/Unary --data '{"i32":{{csv.a}}}'
    refused 'a wrong field beside a row' 'data: item: no field "zip"' \
        --csv "$T/bad.csv" --call test.Echo/Unary \
        --data '{"item":{"zip":1,"name":"{{csv.a}}"}}'
    refused '{{rand:0}}' 'from 1 to 2.53' --call test.Echo/Unary \
        --data '{"i32":{{rand:0}}}'
    refused 'JSON lines with a wrong one' 'data, line 2: .*not JSON' \
        --call test.Echo/Unary --data "$(printf '{}\n{"a"')"
    printf '{"i32":1}\n\n{"nope":2}\n' >"$T/two.ndjson"
    refused 'JSON lines of a file with a wrong field' \
        "data @$T/two.ndjson, line 3: no field \"nope\"" \
        --call test.Echo/Unary --data "@$T/two.ndjson"
    refused 'an array with a wrong field' 'data, element .1.: no field "nope"' \
        --call test.Echo/Unary --data '[{},{"nope":2}]'
    refused 'a oneof as a field' \
        '"choice" of test.Rich is a oneof: write .*: one, other, third$' \
        --call test.Echo/Unary --data '{"choice":{"one":"x"}}'
    refused 'a file without @' "'$T/bad.csv' is a file; .*data @$T/bad.csv" \
        --call test.Echo/Unary --data "$T/bad.csv"
    refused 'no JSON' 'not JSON: .*such as .*or @FILE' \
        --call test.Echo/Unary --data 'name=x'
    check 'no such CSV' 1 "$BIN" load -n 1 --protoset "$T/rich.pb" --csv \
        "$T/none" --call test.Echo/Unary --data '{"i32":{{csv.a}}}' "$TO"
    one_line 'no such CSV, said' "^grpcprof: --csv $T/none: No such file"
    check 'no such file' 1 "$BIN" load -n 1 --protoset "$T/rich.pb" \
        --call test.Echo/Unary --data '{"text":"{{file:/none}}"}' "$TO"
    one_line 'no such file, said' 'data: {{file:PATH}}: /none: No such file'
    check 'CSV that nothing uses' 0 "$BIN" load -n 1 --protoset "$T/rich.pb" \
        --csv "$T/bad.csv" --call test.Echo/Unary -o "$T/r.json" "$TO"
    has 'CSV that nothing uses, said' "$ERR" 'csv .*bad.csv is not used'
    check '--call twice' 2 "$BIN" load --call a.B/C --call a.B/D "$TO"
    has '--call twice, said' "$ERR" 'several methods: --mix'
    check '--data twice' 2 "$BIN" load --data '{}' --data '{}' "$TO"
    has '--data twice, said' "$ERR" 'data is given twice'
}

# figures EXPR: is EXPR true of r, the result of the last load?
figures() {
    holds "$1" "$T/r.json" "$2"
}

mixed() {
    printf '# weight, method, message\n3 test.Echo/Unary {"i32":{{seq}}}\n
  1\ttest.Echo.Upload [{"i32":1},{"i32":2}]\n2 test.Echo/Download\n' >"$T/mix"
    sent 'several methods by weight' 0 \
        '{m: sum(x["method"] == m for x in c)
          for m in ("Unary", "Upload", "Download")} ==
         {"Unary": 60, "Upload": 20, "Download": 40} and
         all(len(x["messages"]) == 2 for x in c if x["method"] == "Upload") and
         len({x["messages"][0].get("i32", 0) for x in c
              if x["method"] == "Unary"}) == 60' \
        -c 3 -n 40 --threads 2 --mix "$T/mix" --check 'i32 < 999' \
        --log-requests "$T/mix.log"
    same 'several methods, a log of which' "$(cut -f 6 "$T/mix.log" | sort |
        uniq -c | xargs)" '60 0 20 1 40 2'
    figures 'each has its own figures' '[(m["call"], m["weight"], m["sent"],
        m["ok"], m["failed"], m["response"]["count"]) for m in r["methods"]] ==
        [("test.Echo/Unary", 3, 60, 60, 0, 60),
         ("test.Echo.Upload", 1, 20, 20, 0, 20),
         ("test.Echo/Download", 2, 40, 40, 0, 40)] and
        r["counts"]["ok"] == 120 and r["throughput"]["messages_in"] == 200 and
        r["config"]["kind"] == "mixed"'
    check 'a mix in text' 0 "$BIN" report "$T/r.json"
    has 'a mix in text, a row for each' "$OUT" ' 40 .*test\.Echo/Download'
    check 'a mix in CSV' 0 "$BIN" report -f csv "$T/r.json"
    has 'a mix in CSV, a row for each figure' "$OUT" '^methods_2_ok,20'
    printf '\xef\xbb\xbf1 test.Echo/Unary {"i32":7}\r\n' >"$T/mix"
    sent 'a mix with a byte order mark' 0 'v("i32") == [7, 7]' -n 2 \
        --mix "$T/mix"
    printf '0 test.Echo/Unary\n' >"$T/mix"
    refused 'a weight of 0' 'mix, line 1: write WEIGHT' --mix "$T/mix"
    printf '1\n' >"$T/mix"
    refused 'a line without a method' 'mix, line 1: write WEIGHT' --mix "$T/mix"
    printf '1 test.Echo/Unary {\n' >"$T/mix"
    refused 'a line without a message' 'mix, line 1: .*not JSON' --mix "$T/mix"
    printf '# nothing\n' >"$T/mix"
    refused 'a mix without methods' 'no methods' --mix "$T/mix"
    printf '1 test.Echo/Unary\n2 test.Echo/Nope\n' >"$T/mix"
    refused 'a line with a wrong method' "mix $T/mix, line 2: .*no method 'Nope'" \
        --mix "$T/mix"
    check 'a mix and a method' 2 "$BIN" load --mix "$T/mix" --call a.B/C "$TO"
    has 'a mix and a method, said' "$ERR" 'only one of them'
    check 'a mix and a message' 2 "$BIN" load --mix "$T/mix" --data '{}' "$TO"
    has 'a mix and a message, said' "$ERR" 'only one of them'
}

# checked EXPR OK FAILED: does --check EXPR give these counts?
checked() {
    check "--check $1" "$(($3 ? 3 : 0))" "$BIN" load -q -n 10 -f json \
        -o "$T/r.json" --protoset "$T/rich.pb" --call test.Echo/Unary \
        --check "$1" --data '[{"i32":-1,"u64":"18446744073709551615","text":"a",
          "words":["k","l"],"numbers":[5,6],"byName":{"x":3},"byNumber":{"-2":
          "m"},"byFlag":{"true":{"name":"n"}},"items":[{},{"price":0.5}],
          "colour":"BLUE","real":0.1,"reals":[1.5,-2],"flag":true,
          "item":{"parts":[{"name":"p"}]},"when":"1970-01-01T00:00:09Z"},{}]' \
        "$TO"
    figures "--check $1: ok and failed" "(r['counts']['ok'],
        r['counts']['failed'], [(e['kind'], e['count'])
         for e in r['errors']]) == ($2, $3, [('check', $3)] if $3 else [])"
}

checks() {
    local e
    for e in i32 'i32 == -1' 'i32 < 0' 'u64 == 18446744073709551615' \
        'u64 > 18446744073709551614' 'text == "a"' 'text =~ ^a$' words \
        'words[1] == l' 'numbers[1] == 6' 'by_name["x"] == 3' 'byName[x] >= 3' \
        'by_number[-2] == m' 'by_flag[true].name == n' 'items[1].price == 0.5' \
        'colour == BLUE' 'colour == 5' 'real == 0.1' 'reals[1] <= -2' \
        'flag == true' 'item.parts[0].name != ""' 'when.seconds == 9' '!boxed'; do
        case $e in
        '!boxed' | 'item.parts[0].name != ""') checked "$e" 10 0 ;;
        *) checked "$e" 5 5 ;;
        esac
    done
    for e in 'colour == MINUS' 'colour == -3' 'colours[1] == MINUS' \
        'by_sign[5] == MINUS' 'colours[2] == -2147483648' \
        'colour != MINUS:n' 'colour == 4294967293:n' 'colours[1] == RED:n'; do
        check "a negative enum: --check ${e%:n}" "$([[ $e == *:n ]] && echo 3 ||
            echo 0)" "$BIN" load -n 1 --protoset "$T/rich.pb" --call \
            test.Echo/Unary --check "${e%:n}" --data '{"colour":"MINUS",
            "colours":["RED","MINUS",-2147483648],"bySign":{"5":-3}}' "$TO"
    done
    has 'a negative enum, said' "$OUT" 'colours\[1\] == RED: found MINUS'
    for e in maybe perhaps one '!other' 'numbers[0]' 'words[0]' 'by_name["x"]' \
        by_name '!by_name["y"]' '!words[1]' '!i32' '!text' '!data' '!flag' \
        '!colour' boxed '!boxed.value' item '!third' '!item.name' \
        '!numbers[1]'; do
        check "set to 0 or empty: --check $e" 0 "$BIN" load -n 1 \
            --protoset "$T/rich.pb" --call test.Echo/Unary --check "$e" --data \
            '{"maybe":0,"perhaps":"","one":"","numbers":[0],"words":[""],
            "byName":{"x":0},"i32":0,"text":"","flag":false,"boxed":"0",
            "item":{}}' "$TO"
    done
    for e in 'byName["a\"b"] == 1' 'byName[a"b] == 1' 'byName["\\]"] == 2' \
        'byName[""] == 3' 'byName[\u00e9] != 4' 'byName["\u00e9"] == 4' \
        'text =~ "order-\\d+"' 'text =~ order-\d+$' 'text == "order-\u0031"' \
        'byNumber["-1"] == "\\"' 'byNumber[-1] == \'; do
        check "a string in quotes: --check $e" 0 "$BIN" load -n 1 \
            --protoset "$T/rich.pb" --call test.Echo/Unary --check "$e" --data \
            '{"byName":{"a\"b":1,"\\]":2,"":3,"\u00e9":4},"text":"order-1",
            "byNumber":{"-1":"\\"}}' "$TO"
    done
    refused 'a regular expression in quotes' \
        'd." is no JSON string; inside .*; or leave out the outer quotes$' \
        --call test.Echo/Unary --check 'text =~ "order-\d+"'
    refused 'a value with more after it' ': "a" b is no JSON string' \
        --call test.Echo/Unary --check 'text == "a" b'
    refused 'a key with a quote in it' ': "a"b" is no JSON string' \
        --call test.Echo/Unary --check 'byName["a"b"] == 1'
    for e in 'text == r{{seq}}' 'text =~ ^{{uuid}}$' 'byName["{{seq}}"] == 1'; do
        refused "a template in --check $e" \
            ': a check is the same for each call .*; for the text \{\{ write "' \
            --call test.Echo/Unary --check "$e"
    done
    check 'braces in --check' 0 "$BIN" load -n 1 --protoset "$T/rich.pb" \
        --call test.Echo/Unary --data '{"text":"{\u007bseq}}"}' \
        --check 'text == "{\u007bseq}}"' "$TO"
    refused 'a key without end' '\[ without \]' \
        --call test.Echo/Unary --check 'byName["a"'
    check 'a failed check is said' 3 "$BIN" load -n 4 --protoset "$T/rich.pb" \
        --log-requests "$T/check.log" --call test.Echo/Unary \
        --check 'i32 == 2' --check text \
        --data '{"i32":{{seq}},"text":"x"}' "$TO"
    has 'a failed check is said, with what it found' "$OUT" \
        '^ +3 .* CHECK_FAILED: i32 == 2: found [013]'
    check 'a failed check of an element' 3 "$BIN" load -n 1 \
        --protoset "$T/rich.pb" --call test.Echo/Unary \
        --check 'words[1] == x' --data '{"words":["k","l"]}' "$TO"
    has 'a failed check of an element, said' "$OUT" \
        '^ +1 .* CHECK_FAILED: words\[1\] == x: found "l"'
    same 'a failed check is no OK in a log' \
        "$(cut -f 4 "$T/check.log" | sort | uniq -c | xargs)" '3 -1 1 0'
    check 'each message of a stream' 3 "$BIN" load -n 2 \
        --protoset "$T/rich.pb" --call test.Echo/Download --check 'i32 < 2' "$TO"
    has 'each message of a stream, said' "$OUT" \
        '^ +2 .* CHECK_FAILED: i32 < 2: found 2'
    for e in '#messages == 3:0' '!i32:2' '#messages < 3:2' 'item.name != x:0'; do
        check "a stream: --check ${e%:*}" 0 "$BIN" load -q -n 2 --max-errors 9 \
            -o "$T/r.json" --protoset "$T/rich.pb" --call test.Echo/Download \
            --check "${e%:*}" "$TO"
        figures "a stream: --check ${e%:*}, failed" \
            "r['counts']['failed'] == ${e#*:}"
    done
    for e in 'i32 == 0' text '#messages' '#messages >= 1'; do
        check "no message: --check $e" 3 "$BIN" load -n 2 \
            --protoset "$T/rich.pb" --call test.Echo/Download --check "$e" \
            --data '{"text":"none"}' "$TO"
        has "no message: --check $e, said" "$OUT" \
            "^ +2 .* CHECK_FAILED: $e: found (no message|0)"
    done
    for e in '!text' 'i32 != 3' '!#messages' '#messages == 0'; do
        check "no message: --check $e" 0 "$BIN" load -n 2 \
            --protoset "$T/rich.pb" --call test.Echo/Download --check "$e" \
            --data '{"text":"none"}' "$TO"
    done
    refused 'an enum without the value' "'GREEN' is no value of test.Colour, \
which has NONE, RED, BLUE, MINUS" --call test.Echo/Unary --check 'colour == GREEN'
    refused 'a oneof' "'choice' of test.Rich is a oneof: name one" \
        --call test.Echo/Unary --check choice
    refused 'a field that replies do not have' "no field 'nope' in test.Rich" \
        --call test.Echo/Unary --check 'nope == 1'
}

# kept EXPR STATUS [JSON]: does load --check EXPR exit with STATUS if the reply,
# a given.Given, is JSON?
kept() {
    check "$(tr '\n' ' ' <<<"--check $1, ${3-{\}}")" "$2" "$BIN" load -n 1 \
        --protoset "$T/given.pb" --call given.Keeper/Do --check "$1" \
        --data "${3-{\}}" "$TO"
}

# Fields that are left out have their declared defaults.
defaults() {
    local e
    "$PY" tests/load/messages.py given "$T/given.pb" >"$T/given"
    same 'a default of each kind of field' "$(wc -l <"$T/given")" 23
    while read -r e; do
        kept "$e" 0
        kept "inner.$e" 0 '{"inner":{}}'
    done <"$T/given"
    kept 'hit.n == 4' 0 '{"hit":{}}'
    kept 'hit.low == LOW' 0 '{"hit":{}}'
    kept 'hit.n != 4' 0
    kept 'hit.n == 4' 3
    kept 'i32 == 0' 0 '{"i32":0}'
    kept 'text == ""' 0 '{"text":""}'
    kept 'by_name["x"] == 0' 0 '{"byName":{"x":0}}'
    kept 'inner.i32 == 8' 0 '{"inner":{"i32":8}}'
    kept 'high == LOW' 3
    has 'a default, found' "$OUT" 'CHECK_FAILED: high == LOW: found NEXT'
    kept 'high' 3
    has 'a default is not set' "$OUT" 'CHECK_FAILED: high: found nothing'
    kept '!high' 0
    kept 'zero' 0 '{"zero":0}'
    kept '!zero' 0
}

# Our own server, whose descriptors are the program's.
builtin() {
    start_server || return
    check 'a reply of a built-in service' 3 "$BIN" load -n 4 --data \
        '{"name":"{{seq}}"}' --check 'message =~ "^Hello [0-2]!"' "127.0.0.1:$PORT"
    has 'a reply of a built-in service, said' "$OUT" \
        '^ +1 .* CHECK_FAILED: message =~ '
    has 'a reply of a built-in service, the one that failed' "$OUT" \
        '^  reply +.*Hello 3.*the first that'
    printf '1 helloworld.Greeter/SayHello\n1 grpc.health.v1.Health/Check\n' \
        >"$T/mix"
    check 'checks in a mix, for those that have the field' 0 "$BIN" load -n 4 \
        --mix "$T/mix" --check 'status == SERVING' --check message "127.0.0.1:$PORT"
    check 'a check in a mix, for none' 2 "$BIN" load -n 4 --mix "$T/mix" \
        --check nope "127.0.0.1:$PORT"
    one_line 'a check in a mix, for none, said' "no field 'nope'"
    check 'a check in a mix, for none, before one for some' 2 "$BIN" load -n 4 \
        --mix "$T/mix" --check nope --check message "127.0.0.1:$PORT"
    one_line 'a check in a mix, for none, before one for some, said' \
        "no field 'nope'"
    stop_server 'a built-in service, ends with status 0'
}

if need 'messages' protoc py:google.protobuf py:grpc; then
    protoc -Itests/load --include_imports -o "$T/rich.pb" rich.proto
    protoc -Itests/load -o "$T/given.pb" given.proto
    bg "$PY" tests/load/messages.py serve "$T/rich.pb" "$T/log"
    if wait_for 20 grep -q listening "$T/bg.out"; then
        TO=$(sed -n 's/^listening on //p' "$T/bg.out")
        templates
        wrong
        mixed
        checks
        defaults
    else
        fail 'a python3-grpcio server starts' "$(tail_of "$T/bg.err")"
    fi
    kill "$PID"
fi
builtin
