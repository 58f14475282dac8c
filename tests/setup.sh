#!/bin/sh
# setup.sh build|test|fuzz -- install missing packages, after naming them.
#   build   what `make` needs: a compiler, libc, nghttp2, zlib and protoc; and
#           OpenSSL, without which the program has no TLS
#   test    that, and the programs of others that the tests compare with
#   fuzz    that of build, and clang with libFuzzer
# If nothing is missing, it installs nothing and takes no time.
# Packages that only TLS or a few checks need are optional: it is no error if
# they cannot be installed.
# If a required package cannot be installed, because apt-get or the right to use
# it is missing, setup.sh names the packages and exits 1.  GRPCPROF_SETUP=no
# makes it never install.
set -u
cc=${CC:-gcc}
want=${1:-build}
debian='' fedora='' arch='' extra=''

# lack DEBIAN FEDORA ARCH: note a missing package, by its name in each of these
lack()
{
    debian="$debian $1" fedora="$fedora $2" arch="$arch $3"
}

# have COMMAND: is it in PATH?
have()
{
    command -v "$1" >/dev/null 2>&1
}

# header FILE: does the compiler find it?
header()
{
    echo "#include <$1>" | $cc -E -x c - >/dev/null 2>&1
}

# True if a chromium starts; in a container, one that points to a snap does not.
chromium_starts()
{
    for c in chromium chromium-browser google-chrome; do
        have $c && timeout 20 $c --version >/dev/null 2>&1 && return 0
    done
    return 1
}

# True unless this is Ubuntu, whose chromium package only points to a snap.
chromium_packaged()
{
    ! grep -qs '^ID=ubuntu' /etc/os-release
}

look_build()
{
    have protoc || lack protobuf-compiler protobuf-compiler protobuf
    header openssl/ssl.h || extra="$extra libssl-dev"
    if have "${cc%% *}"; then :; else
        lack "${cc%% *}" "${cc%% *}" "${cc%% *}"
        cc=cpp
    fi
    if have "${cc%% *}" &&
        printf '#include <stdio.h>\n#include <zlib.h>\n%s\n' \
            '#include <nghttp2/nghttp2.h>' |
        $cc -E -x c - >/dev/null 2>&1; then
        return
    fi
    header stdio.h           || lack libc6-dev glibc-devel glibc
    header nghttp2/nghttp2.h || lack libnghttp2-dev libnghttp2-devel libnghttp2
    header zlib.h            || lack zlib1g-dev zlib-devel zlib
}

look_test()
{
    have clang   || lack clang clang clang
    have curl    || lack curl curl curl
    have xmllint || lack libxml2-utils libxml2 libxml2
    have objdump || lack binutils binutils binutils
    have h2load  || lack nghttp2-client nghttp2 nghttp2
    have groff   || lack groff-base groff-base groff
    have g++     || lack g++ gcc-c++ gcc
    have grpc_cpp_plugin || lack protobuf-compiler-grpc grpc-plugins grpc
    [ -e /usr/include/google/protobuf/message.h ] ||
        lack libprotobuf-dev protobuf-devel protobuf
    [ -e /usr/include/grpcpp/grpcpp.h ] || lack libgrpc++-dev grpc-devel grpc
    if have node && have npm; then :; else
        lack 'nodejs npm' nodejs-npm 'nodejs npm'
    fi
    have go || [ -x /usr/lib/go/bin/go ] || lack golang-go golang go
    have runc    || extra="$extra runc"
    have slurmd  || extra="$extra slurm-wlm"
    have munged  || extra="$extra munge"
    have callgrind_annotate || extra="$extra valgrind"
    have perf || extra="$extra linux-perf"
    have jeprof || extra="$extra libjemalloc-dev"
    have redis-server || extra="$extra redis-server"
    have nginx || [ -x /usr/sbin/nginx ] || extra="$extra nginx-light"
    have cargo || extra="$extra cargo"
    [ -e /usr/share/i18n/locales/de_DE ] || extra="$extra locales"
    have qemu-aarch64 || extra="$extra qemu-user"
    have aarch64-linux-gnu-gcc ||
        extra="$extra gcc-aarch64-linux-gnu libc6-dev-arm64-cross"
    have javac || extra="$extra default-jdk-headless"
    have mvn || extra="$extra maven"
    [ -e /usr/include/gperftools/malloc_extension.h ] ||
        extra="$extra libgoogle-perftools-dev"
    chromium_starts || ! chromium_packaged || lack chromium chromium chromium
    # One start of Python for all its modules; an import of grpc would be slow.
    mods=$(/usr/bin/python3 -c 'from importlib.util import find_spec as f
for m in ("grpc", "google.protobuf", "h2", "hpack", "prometheus_client",
          "jsonschema", "pip"):
    try: found = f(m)
    except ModuleNotFoundError: found = None
    if not found: print(m)' 2>/dev/null) || mods='grpc google.protobuf h2 hpack'
    [ -x /usr/bin/python3 ] || lack python3 python3 python
    for m in $mods; do
        case $m in
        grpc) lack python3-grpcio python3-grpcio python-grpcio ;;
        prometheus_client) extra="$extra python3-prometheus-client" ;;
        jsonschema|pip) extra="$extra python3-$m" ;;
        h2) lack python3-h2 python3-h2 python-h2 ;;
        hpack) lack python3-hpack python3-hpack python-hpack ;;
        *) lack python3-protobuf python3-protobuf python-protobuf ;;
        esac
    done
}

look_fuzz()
{
    have clang || lack clang clang clang
    ls "$(clang -print-resource-dir 2>/dev/null)"/lib/*/libclang_rt.fuzzer* \
        >/dev/null 2>&1 || lack libclang-rt-dev compiler-rt compiler-rt
}

# look: fill the lists of missing packages; true if no required one is missing
look()
{
    debian='' fedora='' arch='' extra='' cc=${CC:-gcc}
    look_build
    [ "$want" = build ] || "look_$want"
    [ -z "$debian" ]
}

# root COMMAND...: run COMMAND as root, directly or by sudo without a password
root()
{
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi
}

# can_install: may we install packages, and can we?
can_install()
{
    [ "${GRPCPROF_SETUP:-yes}" != no ] && have apt-get && root true 2>/dev/null
}

# apt ARGUMENTS...: run apt-get; print the end of its output only if it fails
apt()
{
    root env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
        -o DPkg::Lock::Timeout=120 -o Acquire::http::Timeout=30 \
        "$@" </dev/null >"$log" 2>&1 && return
    tail -n 5 "$log" >&2
    return 1
}

# give_up: the one line that names what to install, for three distributions
give_up()
{
    echo "missing:$debian (Debian, Ubuntu) |$fedora (Fedora) |$arch (Arch):" \
        "please install them" >&2
    exit 1
}

case $want in
build|test|fuzz) ;;
*) echo "usage: setup.sh build|test|fuzz" >&2; exit 2 ;;
esac
look && [ -z "$extra" ] && exit 0
can_install || { [ -z "$debian" ] && exit 0; give_up; }

echo "installing with apt-get:$debian$extra" >&2
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT INT TERM
apt update
# shellcheck disable=SC2086 # a list of packages
if ! apt install --no-install-recommends $debian $extra; then
    for p in $debian $extra; do     # one that is unavailable must not stop all
        apt install --no-install-recommends "$p" || echo "no $p" >&2
    done
fi
look || give_up
