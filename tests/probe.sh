#!/bin/sh
# Prints a -DHAVE_... line for OpenSSL 3, and for each optional function of
# nghttp2, that compiles and links here.  Distributions backport, so version
# numbers do not tell.
# The output is a response file for the compiler; CC and FLAGS come from make.
set -u
cc=${CC:-gcc}
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT INT TERM

# links STATEMENT [HEADER LIBS]: does a program with this statement build?
links()
{
    cat >"$dir/p.c" <<EOF
${2:+#include <$2>}
#include <stdint.h>
#include <stddef.h>
#include <nghttp2/nghttp2.h>
#include <zlib.h>
int main(void)
{
    nghttp2_option *o = NULL;
    $1;
    return 0;
}
EOF
    # shellcheck disable=SC2086 # FLAGS is a list
    $cc -Werror=implicit-function-declaration ${FLAGS:-} -o "$dir/p" \
        "$dir/p.c" -lnghttp2 -lz -lpthread ${3:-} 2>"$dir/log"
}

links 'nghttp2_option_new(&o); (void)zlibVersion()' || {
    echo "a program that uses nghttp2 and zlib does not build:" >&2
    cat "$dir/log" >&2
    exit 1
}
links 'nghttp2_option_set_stream_reset_rate_limit(o, 1, 1)' &&
    echo -DHAVE_NGHTTP2_OPTION_SET_STREAM_RESET_RATE_LIMIT
links 'nghttp2_option_set_max_continuations(o, 8)' &&
    echo -DHAVE_NGHTTP2_OPTION_SET_MAX_CONTINUATIONS
links 'nghttp2_option_set_glitch_rate_limit(o, 1, 1)' &&
    echo -DHAVE_NGHTTP2_OPTION_SET_GLITCH_RATE_LIMIT
links 'return !SSL_CTX_load_verify_file(NULL, "")' openssl/ssl.h \
    '-lssl -lcrypto' && echo -DHAVE_OPENSSL
exit 0
