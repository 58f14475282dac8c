#!/bin/sh
# tool.sh NAME -- prints the path of a foreign judge, built on demand.
#   Go    pprof, pprofs (tests/tools/pprofs, many pprofs in one process),
#         grpcurl, h2spec, interop (grpc-go's interop client), honest
#         (tests/tools/honest, callers on grpc-go), probe (grpc_health_probe),
#         webget (tests/tools/webget, on net/http), echo (tests/tools/echo, a
#         server with reflection and pprof), ghz
#   Rust  shop (tests/tools/shop, the server that README measures, on tonic)
#   npm   buf, and node: the folder with the modules (@grpc/grpc-js, eslint,
#         stylelint and others)
#   C++   cpp: tests/serve/client.cc, on grpc++
#   cargo inferno: inferno-flamegraph; collapse: inferno-collapse-perf
#   pip   hdrhistogram, kubernetes (kubernetes-validate), re2 (google-re2), spy
#         (py-spy) and cmarkgfm (GitHub's Markdown): folders with them
#   hot*  programs of tests/tools/hot, which tests profile: hotgo, hotrust, and
#         hotjava, a folder with its class and async-profiler
#   tonic, tonicmusl (linked statically with musl), grpccpp, grpcgo: the servers
#         of tests/bench, which tests profile
# tests/tools has their pins; what was built stays in .build/tools until those
# change.  Exits 1 and prints nothing where one cannot be built, and then does
# not try again for an hour: no network is not worth waiting for twice.
set -u
cd "$(dirname "$0")" || exit 1
name=${1:-} pins=go.sum
case $name in
pprof)   package=github.com/google/pprof ;;
grpcurl) package=github.com/fullstorydev/grpcurl/cmd/grpcurl ;;
h2spec)  package=github.com/summerwind/h2spec/cmd/h2spec ;;
interop) package=google.golang.org/grpc/interop/client ;;
honest)  package=./honest pins=honest/main.go ;;
echo)    package=./echo pins=echo/main.go ;;
shop)    pins=shop/main.rs ;;
ghz)     package=github.com/bojand/ghz/cmd/ghz pins=ghz/go.sum ;;
pprofs)  package=./pprofs pins=pprofs/main.go ;;
webget)  package=./webget pins=webget/main.go ;;
hotgo)   package=hot/hot.go pins=hot/hot.go ;;
hotrust) pins=hot/Cargo.toml ;;
hotjava) pins=hot/Hot.java ;;
probe)   package=github.com/grpc-ecosystem/grpc-health-probe
         pins=probe/go.sum ;;
buf|node) pins=package-lock.json ;;
hdrhistogram|kubernetes|re2|spy|cmarkgfm) pins=requirements.txt ;;
cpp)     pins=../serve/client.cc ;;
tonic*)  pins=../bench/tonic/src/main.rs ;;
grpccpp) pins=../bench/cpp/greeter.cc ;;
grpcgo)  pins=../bench/go/main.go ;;
inferno|collapse) pins=tool.sh ;;
*) sed -n '2,18s/^# //p' tool.sh >&2; exit 2 ;;
esac
mkdir -p ../../.build/tools || exit 1
dir=$(cd ../../.build/tools && pwd)
out=$dir/$name
failed=$out.failed
if [ -x "$out" ] && [ "$out" -nt "$pins" ]; then
    echo "$out"
    exit 0
fi
# One at a time; who waited looks again.
if [ -z "${TOOL_LOCKED:-}" ] && command -v flock >/dev/null; then
    cd "$dir/../.." && TOOL_LOCKED=1 exec flock "$dir/lock" \
        sh tests/tools/tool.sh "$name"
fi
[ -n "$(find "$failed" -mmin -60 2>/dev/null)" ] && [ "${CI:-}" != true ] &&
    exit 1
limit="timeout ${TOOL_TIMEOUT:-400}"

# Of the Go programs each finds compiled what the one before it shares with it.
go_program()
{
    go=$(command -v go || ls /usr/lib/go/bin/go 2>/dev/null) || return
    case $name in probe|ghz) cd "$name" || return ;; esac
    GOTOOLCHAIN=local GOFLAGS=-mod=readonly CGO_ENABLED=0 \
        $limit "$go" build -o "$out" "$package"
}

# Both from one installation, without running what packages want to run.
npm_packages()
{
    mkdir -p "$dir/npm" && cp package.json package-lock.json "$dir/npm" &&
        (cd "$dir/npm" && $limit npm ci --ignore-scripts --no-audit \
            --no-fund --cache "$dir/npm-cache" </dev/null) || return
    rm -rf "$dir/npm-cache"
    cd "$dir" && ln -sfn npm/node_modules node &&
        ln -sfn npm/node_modules/@bufbuild/buf-linux-*/bin/buf buf &&
        touch node buf
}

# Into a folder of its own, for PYTHONPATH.
python_package()
{
    $limit /usr/bin/python3 -m pip install --quiet --disable-pip-version-check \
        --target "$out" "$(grep -E "^$name|-$name=" requirements.txt)" && touch "$out"
}

# Their dependencies are compiled once.
inferno_program()
{
    CARGO_TARGET_DIR=$dir/cargo-target $limit cargo install --quiet --locked \
        --version 0.12.8 --force --bin "inferno-$1" --root "$dir/cargo" \
        inferno && cp "$dir/cargo/bin/inferno-$1" "$out"
}

# In a folder of its own: cargo writes beside its sources.
rust_program()
{
    mkdir -p "$dir/hotrust.src" && cp hot/Cargo.toml hot/hot.rs \
        "$dir/hotrust.src" && CARGO_TARGET_DIR=$dir/cargo-target $limit \
        cargo build --quiet --release --manifest-path \
        "$dir/hotrust.src/Cargo.toml" && cp "$dir/cargo-target/release/hot" "$out"
}

# async-profiler's package has its library for each system.
java_program()
{
    mkdir -p "$out" && javac -d "$out" hot/Hot.java && $limit mvn -q -B \
        org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy \
        -Dartifact=tools.profiler:async-profiler:4.1 \
        -DoutputDirectory="$out" -Dmaven.repo.local="$dir/m2" </dev/null &&
        (cd "$out" && jar xf async-profiler-4.1.jar &&
            case $(uname -m) in
            aarch64) cp linux-arm64/libasyncProfiler.so . ;;
            *) cp linux-x64/libasyncProfiler.so . ;;
            esac) && rm -rf "$dir/m2"
}

# With the descriptors that its reflection sends.
shop_program()
{
    protoc -Ishop --descriptor_set_out="$dir/shop.desc" shop.proto &&
        SHOP_DESCRIPTORS=$dir/shop.desc CARGO_TARGET_DIR=$dir/cargo-target \
            $limit cargo build --quiet --release --locked --manifest-path \
            shop/Cargo.toml && cp "$dir/cargo-target/release/shop" "$out"
}

# Unstripped, without frame pointers; musl's target is added where rustup can.
tonic_program()
{
    host=$(rustc -vV | sed -n 's/^host: //p') target=
    [ "$name" = tonic ] || target=${host%%-*}-unknown-linux-musl
    [ -z "$target" ] || ! command -v rustup >/dev/null ||
        $limit rustup target add "$target" || return
    # shellcheck disable=SC2086 # one word or none
    CARGO_TARGET_DIR=$dir/cargo-target $limit cargo build --quiet --release \
        --locked --manifest-path ../bench/tonic/Cargo.toml \
        ${target:+--target=$target} &&
        cp "$dir/cargo-target/$target/release/greeter" "$out.new" &&
        mv "$out.new" "$out"            # the old one may be running
}

bench_go_program()
{
    go=$(command -v go || ls /usr/lib/go/bin/go 2>/dev/null) || return
    cd ../bench/go && GOTOOLCHAIN=local GOFLAGS=-mod=readonly CGO_ENABLED=0 \
        $limit "$go" build -o "$out" .
}

# cpp_program SOURCE LEVEL: of optimisation
cpp_program()
{
    mkdir -p "$dir/pb" && protoc -I../../proto --cpp_out="$dir/pb" \
        --grpc_out="$dir/pb" \
        --plugin=protoc-gen-grpc="$(command -v grpc_cpp_plugin)" \
        helloworld.proto &&
        $limit g++ -std=c++17 "$2" -I"$dir/pb" -o "$out" "$1" \
            "$dir/pb/helloworld.pb.cc" "$dir/pb/helloworld.grpc.pb.cc" \
            -Wl,--copy-dt-needed-entries -lgrpc++ -lgrpc -lgpr -lprotobuf
}

case $name in
buf|node) npm_packages ;;
cpp) cpp_program ../serve/client.cc -O1 ;;
grpccpp) cpp_program ../bench/cpp/greeter.cc -O2 ;;
grpcgo) bench_go_program ;;
tonic*) tonic_program ;;
shop) shop_program ;;
inferno) inferno_program flamegraph ;;
collapse) inferno_program collapse-perf ;;
hdrhistogram|kubernetes|re2|spy|cmarkgfm) python_package ;;
hotrust) rust_program ;;
hotjava) java_program ;;
*) go_program ;;
esac >"$failed" 2>&1 || exit 1
touch "$out"
rm -f "$failed"
echo "$out"
