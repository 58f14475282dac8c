# Where descriptors come from: .proto files, descriptor sets and reflection, each
# alone and together; what a server has, listed and described.
# runs: plain asan

SHOP=tests/load/shop CALL=shop.v1.Orders/Place
JSON='{"id":"x","lines":[{"item":{"name":"a","size":"LARGE"}}]}'

# wire: what protoc makes of the text on stdin, an Order, in hex
wire() {
    protoc -I"$SHOP" --encode=shop.v1.Order shop.proto | od -An -v -tx1 |
        tr -d ' \n'
}

# sends NAME OPTION...: does the server get JSON as protoc encodes it?
sends() {
    local name=$1
    shift
    : >"$T/log"
    check "$name" 0 "$BIN" load -n 1 --call "$CALL" --data "$JSON" "$@" "$TO"
    same "$name, as protoc encodes it" "$(cat "$T/log")" "/$CALL $WIRE"
}

# refused NAME STATUS REGEX OPTION...: does load exit with STATUS, and one line
# that says why?
refused() {
    local name=$1 status=$2 said=$3
    shift 3
    check "$name" "$status" "$BIN" load -n 1 --call "$CALL" --data "$JSON" \
        "$@" "$TO"
    one_line "$name, said" "$said"
}

by_proto() {
    sends '--proto, its directory' --proto "$SHOP/shop.proto"
    sends '--proto, an absolute path' --proto "$PWD/$SHOP/shop.proto"
    sends '--proto -I' --proto shop.proto -I "$SHOP"
    sends '--proto, -I twice' --proto shop.proto -I "$T" -I "$SHOP"
    echo 'syntax = "proto3"; message A { B b = 1; }' >"$T/bad.proto"
    check 'a .proto file with an error' 1 "$BIN" load --proto "$T/bad.proto" \
        --call "$CALL" "$TO"
    has "a .proto file with an error, protoc's words" "$ERR" \
        '^bad.proto:1:32: "B" is not defined'
    # The imported file is found by its path from a directory above.
    mkdir -p "$T/root/sub/b"
    cp "$SHOP"/*.proto "$T/root"
    mv "$T/root/shop.proto" "$T/root/sub/b"
    check 'an import from another directory' 1 "$BIN" load \
        --proto "$T/root/sub/b/shop.proto" --call "$CALL" "$TO"
    has 'an import from another directory, said' "$ERR" \
        "shop.proto imports opts.proto. To say .*: -I $(realpath "$T/root")\$"
    sends 'an import from another directory, -I' -I "$T/root" \
        --proto "$T/root/sub/b/shop.proto"
    cp "$T/root/sub/b/shop.proto" "$T/alone.proto"
    check 'an import that is nowhere' 1 "$BIN" load --call "$CALL" \
        --proto "$T/alone.proto" "$TO"
    has 'an import that is nowhere, said' "$ERR" 'opts.proto. To say .*-I DIR,'
    sends '-I of another directory than the file' -I "$SHOP" \
        --proto "$T/alone.proto"
    check "no protoc" 1 env PATH=/nowhere "$BIN" load --call "$CALL" \
        --proto "$SHOP/shop.proto" "$TO"
    one_line "no protoc, said" "install it: apt install protobuf-compiler"
    refused 'source for --protoset' 1 'source.*--proto' \
        --protoset "$SHOP/shop.proto"
    sends '--protoset' --protoset "$T/shop.pb"
    sends '--protoset twice' --protoset "$T/part.pb" --protoset "$T/rest.pb"
    sends 'names relative to their scope' --protoset "$T/relative.pb"
}

by_reflection() {
    local mode
    for mode in all alone nodep abort types deflate; do
        sends "reflection, $mode" -H "mode: $mode"
    done
    check 'a target that is down' 0 "$BIN" load --list 127.0.0.1:1 "$TO"
    one_line 'a target that is down: the next one is asked' \
        "connect 127.0.0.1:1: refused.*; asked $TO instead"
    refused 'reflection, no token' 1 'no token; give .* -H' -H 'mode: auth'
    sends 'reflection, a token' -H 'mode: auth' -H 'Authorization: Bearer t'
    printf 'tok\n"t "\nother\n' >"$T/tok.csv"
    sends 'reflection, a token by a template' -H 'mode: auth' \
        --csv "$T/tok.csv" -H 'authorization: Bearer {{csv.tok}}' \
        -H 'x-id: {{uuid}}{{rand:9}}'
    check 'a list by reflection, a token by a template' 0 "$BIN" load --list \
        -H 'mode: auth' --csv "$T/tok.csv" \
        -H 'authorization: Bearer {{csv.tok}}' "$TO"
    same 'a list by reflection, a token by a template, said' "$(cat "$ERR")" ''
    refused 'reflection, another host' 1 'not at 127' -H 'mode: host'
    sends 'reflection, :authority' -H 'mode: host' --authority shop.example
    refused 'a set without imports' 2 'item: its type is not in' \
        --protoset "$T/part.pb"
    sends 'a set without imports, and reflection' --protoset "$T/part.pb" \
        --reflection
    JSON='{"extra":{"@type":"x/shop.v1.Note","text":"hey"}}'
    WIRE=$(wire <<<'extra { type_url: "x/shop.v1.Note" value: "\012\003hey" }')
    sends 'an Any of a type that the server knows' --protoset "$T/part.pb" \
        --reflection
    JSON='{"extra":{"@type":"x/opts.Nope"}}' \
        refused 'an Any of a type that it does not know' 2 "type 'opts.Nope'"
    "$PY" -c 'import sys; sys.stdout.buffer.write(bytes.fromhex(sys.argv[1]))' \
        "$WIRE" >"$T/any.bin"
    check 'an Any in a reply' 0 "$BIN" load -n 1 --call "$CALL" --reflection \
        --protoset "$T/part.pb" -b "$T/any.bin" "$TO"
    has 'an Any in a reply, its fields' "$OUT" '"text":"hey"'
    CALL=shop.v1.Ordres/Place refused 'a service that is not there' 2 \
        'no service shop.v1.Ordres. It has shop.v1.Orders, shop.v1.Notes:'
    CALL=shop.v1.Orders/wacth refused 'a method that is not there' 2 \
        "no method 'wacth' in shop.v1.Orders, which has Watch, Place"
}

# The end of a method's name is enough if no other name ends so.
short() {
    local call=$CALL
    for CALL in Place Orders/Place v1.Orders.Place; do
        : >"$T/log"
        check "--call $CALL" 0 "$BIN" load -n 1 --call "$CALL" --data "$JSON" "$@" \
            "$TO"
        same "--call $CALL is called" "$(cat "$T/log")" "/$call $WIRE"
    done
    CALL=$call
    CALL=Plcae refused '--call of a method that is not there' 2 \
        'no method Plcae; there are shop.v1.Orders/Place, ' "$@"
    check '--describe of a short name' 0 "$BIN" load --describe Place "$@" "$TO"
    has '--describe of a short name, all' "$OUT" '^// shop.v1.Orders, in'
    check '--describe of a short type' 0 "$BIN" load --describe Line "$@" "$TO"
    has '--describe of a short type, all' "$OUT" '^// shop.v1.*Line, in'
}

listed() {
    cat >"$T/want" <<'TEXT'
shop.v1.Notes/Keep    unary          Note -> Note
shop.v1.Orders/Place  unary          Order -> Order
shop.v1.Orders/Watch  server_stream  Item -> Order
TEXT
    check '--list of files' 0 "$BIN" load --list --protoset "$T/shop.pb"
    same '--list of files, all' "$(cat "$OUT")" "$(cat "$T/want")"
    check '--list of a server' 0 "$BIN" load --list -H 'mode: alone' "$TO"
    same '--list of a server, the same' "$(cat "$OUT")" "$(cat "$T/want")"
    check '--list -f json' 0 "$BIN" load --list -f json "$TO"
    holds '--list -f json, all' "$OUT" '[(s["name"], [(m["name"], m["kind"],
        m["input"]) for m in s["methods"]]) for s in r["services"]] == [
        ("shop.v1.Notes", [("Keep", "unary", "shop.v1.Note")]),
        ("shop.v1.Orders", [("Place", "unary", "shop.v1.Order"),
                            ("Watch", "server_stream", "shop.v1.Item")])]'
    check '--list of a server that lists twice' 0 "$BIN" load --list \
        -H 'mode: twice' "$TO"
    same '--list of a server that lists twice, once' "$(cat "$OUT")" \
        "$(cat "$T/want")"
    check '--list of a server that does not list' 1 "$BIN" load --list \
        -H 'mode: nolist' "$TO"
    one_line '--list of a server that does not list, what it says' \
        "$TO: reflection of \*: no list here; --proto FILE or"
    check '--list of a server that lists nothing' 1 "$BIN" load --list \
        -H 'mode: empty' "$TO"
    one_line '--list of a server that lists nothing, said' "$TO: no services\$"
    CALL=shop.v1.Orders/Place refused 'a service that it lists alone' 1 \
        'no service shop.v1.Orders' -H 'mode: empty'
    check '--list where there is nobody' 1 "$BIN" load --list 127.0.0.1:1
    check '--describe nothing' 2 "$BIN" load --describe shop.v1.Oder "$TO"
    one_line '--describe nothing, what is near' 'there are shop.v1.Order, '
    check '--describe a method that is not there' 2 "$BIN" load \
        --describe shop.v1.Notes/Kep "$TO"
    one_line '--describe a method that is not there, near' 'which has Keep$'
}

# described SET FILE PACKAGE NAME...: is what --describe prints the source of the
# message?  FILE has the lines before it.
described() {
    local set=$1 file=$2 package=$3 name
    shift 3
    cp "$file" "$T/again.proto"
    for name; do
        check "--describe $name" 0 "$BIN" load --protoset "$set" \
            --describe "$package.$name"
        sed '/^\/\/ to fill in/,$d' "$OUT" >>"$T/again.proto"
    done
    check "--describe $package is source" 0 protoc -I"$T" -I"$SHOP" \
        --include_imports -o "$T/again.pb" again.proto
    check "--describe $package is the source" 0 "$PY" tests/load/reflect.py \
        differ "$set" "$T/again.pb" "${@/#/$package.}"
    same "--describe $package, no difference" "$(cat "$OUT")" ''
}

# load accepts each message that --describe prints to fill in, unchanged.
filled() {
    local call
    for call in shop.v1.Orders/Place shop.v1.Orders/Watch shop.v1.Notes/Keep; do
        check "--describe $call -f json" 0 "$BIN" load --describe "$call" \
            -f json -o "$T/fill.json" "$TO"
        check "--describe $call, sent" 0 "$BIN" load -n 1 --call "$call" \
            --data "@$T/fill.json" "$TO"
    done
    has '--describe, fields of fields' "$T/fill.json" '"text": ""'
    check '--describe of all kinds of fields' 0 "$BIN" load -f json \
        --protoset "$T/rich.pb" --describe test.Echo/Unary -o "$T/rich.json"
    check '--describe of all kinds of fields, sent' 0 "$BIN" load -n 1 \
        --protoset "$T/rich.pb" --call test.Echo/Unary --data "@$T/rich.json" \
        "$TO"
}

# grpc-go's own reflection, and what grpcurl makes of it.
beside_grpcurl() {
    local to
    need 'grpc-go beside grpcurl' echo grpcurl || return
    bg "$ECHO" -set "$T/rich.pb" -log "$T/go.log" -reflection v1
    wait_for 20 grep -q pprof "$T/bg.out" || {
        fail 'grpc-go starts' "$(tail_of "$T/bg.err")"
        return
    }
    to=$(sed -n 's/^listening on //p' "$T/bg.out")
    check '--list of grpc-go' 0 "$BIN" load --list "$to"
    cut -d' ' -f1 "$OUT" | tr / . >"$T/ours"
    "$GRPCURL" -plaintext "$to" list >"$T/services"
    while read -r call; do "$GRPCURL" -plaintext "$to" list "$call"
    done <"$T/services" >"$T/theirs"
    same '--list of grpc-go, as grpcurl has it' "$(sort "$T/ours")" \
        "$(sort "$T/theirs")"
    check '--describe of grpc-go' 0 "$BIN" load --describe test.Echo.Unary "$to"
    has '--describe of grpc-go, its rpc' "$OUT" \
        '^  rpc Unary \(test.Rich\) returns \(test.Rich\);$'
    kill "$PID"
}

if need 'descriptors' protoc py:google.protobuf py:grpc od; then
    protoc -I"$SHOP" --include_imports -o "$T/shop.pb" shop.proto
    protoc -I"$SHOP" -o "$T/part.pb" shop.proto
    protoc -I"$SHOP" --include_imports -o "$T/rest.pb" kinds.proto opts.proto \
        google/protobuf/any.proto
    protoc -Itests/load --include_imports -o "$T/rich.pb" rich.proto
    protoc -I"$SHOP" -o "$T/old.pb" old.proto
    "$PY" tests/load/reflect.py relative "$T/shop.pb" >"$T/relative.pb"
    WIRE=$(wire 2>"$ERR" <<<'id: "x" lines { item { name: "a" size: LARGE } }')
    bg "$PY" tests/load/reflect.py serve "$T/shop.pb" "$T/log"
    if wait_for 20 grep -q listening "$T/bg.out"; then
        TO=$(sed -n 's/^listening on //p' "$T/bg.out")
        server=$PID
        by_proto
        by_reflection
        short --protoset "$T/shop.pb"
        short
        listed
        cat >"$T/shop.head" <<'TEXT'
syntax = "proto3";
package shop.v1;
import "kinds.proto";
import "google/protobuf/any.proto";
TEXT
        described "$T/shop.pb" "$T/shop.head" shop.v1 Order Note
        printf 'syntax = "proto2";\npackage old;\n' >"$T/old.head"
        described "$T/old.pb" "$T/old.head" old Thing Kind
        filled
        kill "$server"
    else
        fail 'a python3-grpcio server starts' "$(tail_of "$T/bg.err")"
    fi
    beside_grpcurl
    LIMIT=120 tally 'hostile reflection' "$PY" tests/load/reflect.py hostile \
        "$T/shop.pb" "$BIN" ${SUFFIX:+"lenient"}
fi
