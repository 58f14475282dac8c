# mapping: messages to and from JSON, beside Python's protobuf; make json compares
# more of them.
# runs: plain asan

if need 'JSON as protobuf maps it' protoc py:google.protobuf; then
    unit=.build/unit
    [[ $BIN == *asan* ]] && unit=.build/unit-asan
    check 'what answers is built' 0 make -s "$unit"
    protoc -Itests/load --include_imports -o "$T/set.pb" rich.proto old.proto
    tally 'JSON as protobuf maps it' "$PY" tests/load/mapping.py "$unit" \
        "$T/set.pb" 2500 1
fi
