# TLS: load and serve with grpcio, grpc-go, grpc C++ and nginx as peers; servers
# that cannot be trusted or do not speak TLS; what every result says about it.

C=$T/certs                              # what certs.sh makes

# to NAME: the address of a server of tls_peers.py
to() { sed -n "s/^$1 //p" "$T/peers"; }

# calls NAME ADDRESS ARGS...: do 40 calls on 4 connections succeed?
calls() {
    local name=$1 to=$2
    shift 2
    check "$name" 0 "$BIN" load -q --tls --cacert "$C/ca.pem" -c 4 -n 10 \
        -o "$T/r.json" "$@" "$to"
    holds "$name, all" "$T/r.json" 'r["counts"]["ok"] == 40 and
        r["connect"]["tls_handshake"]["count"] == 4 and
        r["tls"]["verified"] and "localhost" in r["tls"]["peer"]'
}

# refused NAME REGEX ARGS...: does load end before its first call, and say why?
refused() {
    local name=$1 why=$2
    shift 2
    check "$name" 1 "$BIN" load -q -n 1 "$@"
    one_line "$name, said" "$why"
}

# without NAME REGEX SERVER...: the same, with --cacert of the right issuer
without() {
    refused "$1" "$2" --tls --cacert "$C/ca.pem" "${@:4}" "$(to "$3")"
}

untrusted() {
    local s
    s=$(to server)
    refused 'unknown issuer' "issued by ca of the tests, which is not in the \
system's list of issuers; to trust it: --cacert FILE" --tls "$s"
    refused 'another issuer' "not in $C/ca2.pem" --tls --cacert "$C/ca2.pem" "$s"
    without 'wrong host' \
        'is for other.example, not for 127.0.0.1;.*--server-name NAME' other
    without 'wrong name' 'is for localhost, 127.0.0.1, not for no.example' \
        server --server-name no.example
    without 'no name' "'' is no name .*--server-name NAME" server \
        --authority :443
    without 'a name that is too long' 'is no name .*--server-name NAME' server \
        --server-name "$(printf 'a%.0s' {1..256})"
    without 'expired' \
        'expired at 2021-01-01 00:00:00 UTC; the clock here says 20' expired
    without 'not yet valid' 'not valid before 2098-01-01 00:00:00 UTC' future
    without 'an issuer whose certificate is not sent' \
        "issued by mid, which is not in $C/ca.pem" via
    without 'self-signed' 'self-signed; to trust it: --cacert FILE' self
    without 'no ALPN' 'chose no HTTP/2 by ALPN' noalpn
    without 'ALPN without h2' 'chose no HTTP/2 by ALPN' http1
    without 'TLS 1.1' 'neither TLS 1.2 nor 1.3' tls11
    without 'no TLS' 'without TLS; leave out --tls' plain
    without 'HTTP, no TLS' 'without TLS; leave out --tls' junk
    without 'closed at once' \
        'closed the connection in the TLS handshake.*leave out --tls' shut
    without 'closed by an alert' 'closed the connection in the TLS handshake$' \
        bye
    without 'silence' 'within the connect timeout' mute --connect-timeout 300ms
    without 'a huge message' 'TLS: .*(too large|too long|excessive)' huge
    without 'no client certificate' \
        'requires a client certificate: --cert FILE --key FILE' client
    refused 'TLS where none is used' 'if it expects TLS, add --tls|add --tls$' \
        "$s"
    check 'no later connection was tried' 1 "$BIN" load -q -c 3 -n 1 --tls "$s"
    one_line 'no later connection was tried: one line'
}

# The same server, trusted another way, is called.
trusted() {
    calls 'grpcio' "$(to server)"
    holds 'grpcio: TLS 1.3' "$T/r.json" 'r["tls"]["version"] == "TLSv1.3" and
        r["tls"]["cipher"] == "TLS_AES_128_GCM_SHA256"'
    calls 'grpcs://' "grpcs://$(to server)"
    check 'SSL_CERT_FILE' 0 env "SSL_CERT_FILE=$C/ca.pem" "$BIN" load -q -n 1 \
        "https://$(to server)"
    check '--server-name' 0 "$BIN" load -q -n 1 --tls --cacert "$C/ca.pem" \
        --server-name other.example "$(to other)"
    check '--authority is a name, too' 0 "$BIN" load -q -n 1 --tls \
        --cacert "$C/ca.pem" --authority other.example:443 "$(to other)"
    calls 'a name with the dot at its end' "$(to server)" \
        --server-name localhost.
    check 'a self-signed one as its issuer' 0 "$BIN" load -q -n 1 --tls \
        --cacert "$C/self.pem" "$(to self)"
    calls 'an intermediate issuer is enough' "$(to via)" --cacert "$C/mid.pem"
    calls "the server's own certificate is enough" "$(to server)" \
        --cacert "$C/server.pem"
    refused 'another certificate of the same issuer is not' \
        "issued by ca of the tests, which is not in $C/other.pem" --tls \
        --cacert "$C/other.pem" "$(to server)"
    calls 'grpcio, with a client certificate' "$(to client)" \
        --cert "$C/client.pem" --key "$C/client.key"
    without "a client certificate of an unknown issuer" \
        'does it trust the issuer of the certificate given by --cert' client \
        --cert "$C/self.pem" --key "$C/self.key"
    check 'with and without TLS in one run' 0 "$BIN" load -q -c 2 -n 5 \
        --cacert "$C/ca.pem" "grpcs://$(to server)" "$(to plain)"
    rm -f "$T/keys"
    SSLKEYLOGFILE=$T/keys check 'SSLKEYLOGFILE' 0 "$BIN" load -q -n 1 --tls \
        --cacert "$C/ca.pem" "$(to server)"
    has 'SSLKEYLOGFILE has keys' "$T/keys" '^CLIENT_TRAFFIC_SECRET_0 '
    same 'SSLKEYLOGFILE is private' "$(stat -c %a "$T/keys")" 600
}

# --insecure is said in each format of a result.
insecure() {
    local f
    for f in text md json csv html prometheus hgrm; do
        check "--insecure, $f" 0 "$BIN" load -q --tls --insecure -n 20 -f $f \
            -o "$T/r.$f" "$(to expired)"
        has "--insecure is said: $f" "$T/r.$f" \
            'NOT VERIFIED|not verified|"verified": ?false|tls_verified(,|=")false'
    done
    lacks 'Prometheus: no label twice' "$T/r.prometheus" 'tls=".*[,{]tls="'
    check '--insecure: the result is read' 0 "$BIN" report -q "$T/r.json"
    has '--insecure: report says it' "$OUT" 'NOT VERIFIED'
    "$BIN" load -q --tls --cacert "$C/ca.pem" -n 1 -o "$T/v.json" \
        "$(to server)" 2>"$ERR"
    check 'a result with TLS is read' 0 "$BIN" report -q "$T/v.json"
    has 'a result with TLS says so' "$OUT" '^grpcprof load .* \(TLS\)$'
    check '--insecure: a sum with one that was verified' 0 "$BIN" report -q \
        "$T/v.json" "$T/r.json"
    has '--insecure: the sum says it' "$OUT" 'NOT VERIFIED'
}

# form FILE NAME OPTION...: is FILE, as the value of the last OPTION, refused as
# format NAME, and accepted after the conversion that the message names?
form() {
    local file=$1 name=$2 convert
    shift 2
    refused "$* in $name" "$file: is in $name format; to convert it to PEM: " \
        --tls "$@" "$file" 127.0.0.1:1
    convert=$(sed "s,.*PEM: ,,; s,FILE,$file,g" "$ERR")
    check "$* in $name, converted" 0 sh -c "$convert -passin pass:"
    refused "$* in $name, converted, is read" 'refused' \
        --tls "$@" "$file.pem" 127.0.0.1:1
}

wrong_files() {
    refused 'the key of another' "key $C/client.key does not belong to" --tls \
        --cert "$C/server.pem" --key "$C/client.key" 127.0.0.1:1
    refused 'no such file' "cacert $C/none: No such file" --tls \
        --cacert "$C/none" 127.0.0.1:1
    refused 'no certificate' 'cacert .*ca.key: has no certificate in PEM' \
        --tls --cacert "$C/ca.key" 127.0.0.1:1
    refused 'no key' 'cert .*client.pem: has no private key; give it by --key' \
        --tls --cert "$C/client.pem" 127.0.0.1:1
    openssl pkey -in "$C/client.key" -aes128 -passout pass:x -out "$C/x.key"
    refused 'an encrypted key' 'the key is encrypted; to decrypt it: openssl' \
        --tls --cert "$C/client.pem" --key "$C/x.key" 127.0.0.1:1
    refused 'an expired certificate of ours' \
        "cert $C/expired.pem: the certificate expired at 2021-01-01 .* clock" \
        --tls --cert "$C/expired.pem" --key "$C/expired.key" 127.0.0.1:1
    refused 'a certificate of ours that is not yet valid' \
        'the certificate is not valid before 2098-01-01' \
        --tls --cert "$C/future.pem" --key "$C/future.key" 127.0.0.1:1
    openssl x509 -in "$C/client.pem" -outform DER -out "$C/client.der"
    openssl pkey -in "$C/client.key" -outform DER -out "$C/key.der"
    openssl pkcs12 -export -in "$C/client.pem" -inkey "$C/client.key" \
        -passout pass: -out "$C/client.p12"
    # Files are converted by the commands in the messages.
    form "$C/client.der" 'DER' --cacert
    form "$C/client.der" 'DER' --key "$C/client.key" --cert
    form "$C/key.der" 'DER' --cert "$C/client.pem" --key
    form "$C/client.p12" 'PKCS#12' --cert
    check 'serve: the key of another' 1 "$BIN" serve -l 0 --debug off \
        --tls-cert "$C/server.pem" --tls-key "$C/client.key"
    one_line 'serve: the key of another, said' 'tls-key .* does not belong to'
}

# A profile by https://.
https() {
    local url mute
    url=https://$(to https)/p
    (timeout 60 "$BIN" report -q "https://$(to mute)/p" 2>"$T/mute.err") &
    mute=$!
    check 'report https://' 0 "$BIN" report -q -f raw --cacert "$C/ca.pem" "$url"
    check 'report https://, unknown issuer' 1 "$BIN" report "$url"
    one_line 'report https://, unknown issuer, said' 'trust it: --cacert FILE'
    check 'report https://, --insecure' 0 "$BIN" report -f raw --insecure "$url"
    has 'report https://, --insecure, said' "$ERR" 'not verified'
    check 'report https://, --server-name' 1 "$BIN" report --cacert \
        "$C/ca.pem" --server-name no.example "$url"
    one_line 'report https://, --server-name, said' \
        'not for no.example; to expect another: --server-name NAME'
    check '--profile=https://' 0 "$BIN" load -q -d 1s -c 1 --cacert "$C/ca.pem" \
        --profile="$url" --profile-out "$T/p.pb" "$(to plain)"
    check '--profile=https:// has a profile' 0 "$BIN" report -q -f raw "$T/p.pb"
    wait "$mute"
    has 'report https://, silence, said' "$T/mute.err" \
        'no TLS handshake within 5 s'
}

python() {
    check 'a profile for https://' 0 "$BIN" serve -q -l 0 --debug off --exit \
        --profile 50ms -o "$C/profile.pb" --svg none
    need 'python3-grpcio' py:grpc || return
    bg "$PY" tests/load/tls_peers.py "$C"
    wait_for 20 grep -q ready "$T/bg.out" ||
        { fail 'tls_peers.py starts' "$(tail_of "$T/bg.err")"; return; }
    cp "$T/bg.out" "$T/peers"
    trusted
    untrusted
    insecure
    https
    kill "$PID"
}

# other NAME PROGRAM: start PROGRAM, a server on grpc-go or grpc C++
other() {
    local at
    bg "$2" -cert "$C/server.pem" -key "$C/server.key"
    wait_for 20 grep -q listening "$T/bg.out" ||
        { fail "$1 starts" "$(tail_of "$T/bg.err")"; return; }
    at=$(sed -n 's/^listening on //p' "$T/bg.out")
    calls "$1" "$at"
    kill "$PID"
    bg "$2" -cert "$C/server.pem" -key "$C/server.key" -ca "$C/ca.pem"
    wait_for 20 grep -q listening "$T/bg.out"
    at=$(sed -n 's/^listening on //p' "$T/bg.out")
    calls "$1, with a client certificate" "$at" --cert "$C/client.pem" \
        --key "$C/client.key"
    refused "$1, without a client certificate" 'requires a client certificate' \
        --tls --cacert "$C/ca.pem" "$at"
    kill "$PID"
}

# server VERSION SOCKET: print nginx's configuration of a server with this TLS
server() {
    printf '%s\n' "server { listen unix:$T/$2 ssl http2;" \
        "ssl_certificate $C/server.pem; ssl_certificate_key $C/server.key;" \
        "ssl_protocols $1; location / { grpc_pass grpc://127.0.0.1:$PORT; } }"
}

nginx() {
    local program
    PATH=$PATH:/usr/sbin need 'nginx' nginx || return
    program=$(PATH=$PATH:/usr/sbin command -v nginx)
    start_server -w 10
    {
        printf '%s\n' "worker_processes 1; daemon off; pid $T/nginx.pid;" \
            "error_log $T/nginx.err; events { worker_connections 64; }" \
            "http { access_log off; client_body_temp_path $T/n1;" \
            "proxy_temp_path $T/n2; fastcgi_temp_path $T/n3;" \
            "uwsgi_temp_path $T/n4; scgi_temp_path $T/n5;"
        server TLSv1.2 tls12
        server TLSv1.3 tls13
        echo '}'
    } >"$T/nginx.conf"
    bg "$program" -c "$T/nginx.conf"
    wait_for 20 [ -S "$T/tls13" ] ||
        { fail 'nginx starts' "$(tail_of "$T/bg.err")"; return; }
    calls 'nginx, TLS 1.2' "unix:$T/tls12"
    holds 'nginx, TLS 1.2: the version' "$T/r.json" \
        'r["tls"]["version"] == "TLSv1.2"'
    calls 'nginx, TLS 1.3' "unix:$T/tls13"
    kill "$PID"
    stop_server 'behind nginx'
}

# closed_by_tls N: did the server close N connections because TLS failed?
closed_by_tls() {
    curl -sS "$(sed -n 's/.*\(http:.*\)debug.*/\1/p' "$SDIR/serve.err")"metrics |
        grep -q "reason=\"tls\"} $1\$"
}

# serve with TLS, and other clients.
serves() {
    local at
    start_server -w 10 --interop --tls-cert "$C/bare.pem"
    at=127.0.0.1:$PORT
    calls 'serve' "$at"
    printf '{"responseSize":300000,"payload":{"body":"%s"}}' \
        "$(head -c 225000 /dev/zero | base64 -w 0)" >"$T/large"
    check 'serve: large messages' 0 "$BIN" load -q --tls --cacert "$C/ca.pem" \
        -c 2 -m 3 -n 30 --call grpc.testing.TestService/UnaryCall \
        --data "@$T/large" -o "$T/r.json" "$at"
    holds 'serve: large messages, all' "$T/r.json" 'r["counts"]["ok"] == 60 and
        min(r["throughput"]["bytes_in"], 4 / 3 * r["throughput"]["bytes_out"]) >
        60 * 300000'
    check 'serve: reflection' 0 "$BIN" load -q --reflection -n 1 --tls \
        --cacert "$C/ca.pem" "$at"
    refused 'serve: a client without TLS' 'if it expects TLS, add --tls' "$at"
    check 'serve: grpcio' 0 "$PY" tests/load/tls_peers.py call "$C" "$at"
    has 'serve: grpcio, answered' "$OUT" '^reply .*Hello you'
    if need 'serve: grpcurl' grpcurl; then
        check 'serve: grpcurl' 0 "$GRPCURL" -cacert "$C/ca.pem" -d \
            '{"name":"x"}' "$at" helloworld.Greeter/SayHello
        has 'serve: grpcurl, answered' "$OUT" 'Hello x'
    fi
    if need 'serve: ghz' ghz; then
        check 'serve: ghz' 0 "$GHZ" --cacert "$C/ca.pem" -n 20 -c 2 -d \
            '{"name":"x"}' --call helloworld.Greeter/SayHello "$at"
        has 'serve: ghz, all' "$OUT" 'OK\] +20 responses'
    fi
    check 'serve: HTTP/1.1 by ALPN' '35 56' curl -sS --cacert "$C/ca.pem" \
        --http1.1 "https://$at/"
    stop_server 'serve with TLS'
    start_server -w 10 --tls-cert "$C/server.pem" --tls-key "$C/server.key" \
        --tls-client-ca "$C/ca.pem" --debug 127.0.0.1:0
    at=127.0.0.1:$PORT
    check 'serve: clients that leave in the handshake' 0 "$PY" \
        tests/load/tls_peers.py drop "$at"
    check 'serve: those are closed at once, not by a timer' 0 wait_for 20 \
        closed_by_tls 5
    calls 'serve, with a client certificate' "$at" --cert "$C/client.pem" \
        --key "$C/client.key"
    refused 'serve, without a client certificate' \
        'requires a client certificate' --tls --cacert "$C/ca.pem" "$at"
    check 'serve: grpcio with a certificate' 0 "$PY" tests/load/tls_peers.py \
        call "$C" "$at" client
    has 'serve: grpcio with a certificate, answered' "$OUT" '^reply'
    "$PY" tests/load/tls_peers.py call "$C" "$at" >"$OUT" 2>"$ERR"
    has 'serve: grpcio without a certificate' "$OUT" '^status UNAVAILABLE'
    stop_server 'serve with clients of known issuers'
    start_server -w 10 --tls-cert "$C/bare.pem" --tls-client-ca "$C/mid.pem"
    at=127.0.0.1:$PORT
    calls 'serve, with an intermediate issuer' "$at" --cert \
        "$C/viaclient.pem" --key "$C/viaclient.key"
    refused 'serve, an issuer above the one that is known' \
        'does not trust the issuer of the certificate given by --cert' --tls \
        --cacert "$C/ca.pem" --cert "$C/client.pem" --key "$C/client.key" "$at"
    stop_server 'serve with clients of an intermediate issuer'
}

# A build without OpenSSL.
without_openssl() {
    local bin=.build/without-tls
    check 'built without TLS' 0 make -s "$bin"
    has 'built without TLS: --version' <("$bin" --version) \
        '^built without TLS; install libssl-dev '
    check 'built without TLS: --tls' 1 "$bin" load --tls 127.0.0.1:1
    one_line 'built without TLS: --tls, said' 'without TLS; install libssl-dev '
    check 'built without TLS: --tls-cert' 1 "$bin" serve --tls-cert "$C/bare.pem"
    one_line 'built without TLS: --tls-cert, said' 'without TLS; install libssl'
    start_server -w 10
    check 'built without TLS: load' 0 "$bin" load -q -n 10 "127.0.0.1:$PORT"
    stop_server 'built without TLS: the server'
}

if ! "$BIN" --version | grep -q OpenSSL; then
    missing 'TLS' 'built without OpenSSL 3'
elif need 'TLS' openssl; then
    mkdir "$C"
    check 'certificates are made' 0 sh tests/load/certs.sh "$C"
    has 'the library' <("$BIN" --version) '^TLS by OpenSSL 3'
    wrong_files
    python
    need 'grpc-go' grpcgo && other 'grpc-go' "$GRPCGO"
    need 'grpc C++' grpc_cpp_plugin grpccpp && other 'grpc C++' "$GRPCCPP"
    nginx
    serves
    without_openssl
fi
