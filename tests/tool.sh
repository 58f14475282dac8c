#!/bin/sh
# tool.sh NAME -- prints the path of a judge written in Go, built on demand.
#   NAME is pprof, grpcurl, h2spec or interop (grpc-go's interop client).
# tests/tools/go.mod pins each; the program stays in .build/tools until the
# pins change.  Exits 1 and prints nothing where it cannot be built, and then
# does not try again for an hour: no network is not worth waiting for twice.
set -u
cd "$(dirname "$0")/tools" || exit 1
case ${1:-} in
pprof)   package=github.com/google/pprof ;;
grpcurl) package=github.com/fullstorydev/grpcurl/cmd/grpcurl ;;
h2spec)  package=github.com/summerwind/h2spec/cmd/h2spec ;;
interop) package=google.golang.org/grpc/interop/client ;;
*) echo "usage: tool.sh pprof|grpcurl|h2spec|interop" >&2; exit 2 ;;
esac
mkdir -p ../../.build/tools || exit 1
out=$(cd ../../.build/tools && pwd)/$1
failed=$out.failed
if [ -x "$out" ] && [ "$out" -nt go.sum ]; then
    echo "$out"
    exit 0
fi
[ -n "$(find "$failed" -mmin -60 2>/dev/null)" ] && [ "${CI:-}" != true ] &&
    exit 1
go=$(command -v go || ls /usr/lib/go/bin/go 2>/dev/null) || exit 1
GOTOOLCHAIN=local GOFLAGS=-mod=readonly CGO_ENABLED=0 \
    timeout "${TOOL_TIMEOUT:-400}" \
    "$go" build -o "$out" "$package" >"$failed" 2>&1 || exit 1
touch "$out"
rm -f "$failed"
echo "$out"
