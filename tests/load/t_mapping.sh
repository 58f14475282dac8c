# mapping: messages to and from JSON, compared with Python's protobuf; make json
# compares more of them.
# runs: plain asan

refused() { # NAME JSON REGEX
    check "$1" 2 "$BIN" load --protoset "$T/set.pb" -n 1 \
        --call old.Keeper/Do --data "$2" 127.0.0.1:1
    one_line "$1, said where" "$3"
}

if need 'JSON as protobuf maps it' protoc py:google.protobuf; then
    unit=.build/unit
    [[ $BIN == *asan* ]] && unit=.build/unit-asan
    check 'what answers is built' 0 make -s "$unit"
    protoc -Itests/load --include_imports -o "$T/set.pb" rich.proto old.proto
    tally 'JSON as protobuf maps it' "$PY" tests/load/mapping.py "$unit" \
        "$T/set.pb" 2500 1
    refused 'a required field is missing' '{"hit":{}}' \
        'required field "name" of old.Old is missing'
    refused 'a required field in a group is missing' \
        '{"name":"a","many":[{"id":1},{}]}' \
        'many\[1\]: required field "id" of old.Old.Many is missing'
    refused 'a required field is missing beside a template' \
        '{"old":{"name":"{{seq}}"}}' 'required field "name" of old.Old'
    refused 'a required field is missing inside, beside a template' \
        '{"name":"{{seq}}","old":{"one":"{{seq}}"}}' 'required field "name" of old.Old'
    refused 'an extension is not known' '{"name":"a","[old.trade]":1}' \
        'no extension "\[old.trade\]" of old.Old in the descriptors'
    refused 'a closed enum has no such value' '{"name":"a","shade":5}' \
        "shade: '5' is no value of old.Shade, which has DARK"
    refused 'a long path shows its end' \
        "$(printf '{"name":"","old":%.0s' {1..40}){$(printf '}%.0s' {1..41})" \
        '\.\.\.[^ ]*\.old: required field "name"'
    # A field with a template is present: only the connection fails.
    check 'a required field is a template' 1 "$BIN" load --protoset "$T/set.pb" \
        -n 1 --call old.Keeper/Do --data '{"name":"{{seq}}",
            "old":{"name":"{{rand}}"},"many":[{"id":"{{seq}}"}]}' 127.0.0.1:1
    has 'a required field is a template, it connects' "$ERR" 'connect 127'
fi
