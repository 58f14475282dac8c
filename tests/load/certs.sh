#!/bin/sh
# certs.sh DIR -- makes certificates and keys there, with OpenSSL's command:
#   ca                 an issuer; ca2, another one, of no certificate here
#   mid                an issuer below ca; via is server's like, and viaclient
#                      client's, issued by mid
#   server, other      for localhost and 127.0.0.1; for other.example
#   expired, future    for localhost, but not now
#   self               for localhost, self-signed
#   client             of a client
#   bare               server's certificate and key in one file
set -eu
cd "$1"
key='ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
local='subjectAltName=DNS:localhost,IP:127.0.0.1'
touch index
printf '%s\n' '[ca]' default_ca=d '[d]' database=index new_certs_dir=. \
    rand_serial=yes default_md=sha256 policy=p unique_subject=no \
    copy_extensions=copy '[p]' commonName=supplied >ca.conf

# root NAME EXTENSION: a certificate that signs itself
root()
{
    # shellcheck disable=SC2086 # a list of options
    openssl req -x509 -newkey $key -days 30 -subj "/CN=$1 of the tests" \
        -addext "$2" -keyout "$1.key" -out "$1.pem"
}

# issued ISSUER NAME EXTENSION [FROM TO]: one that ISSUER signs
issued()
{
    # shellcheck disable=SC2086 # a list of options
    openssl req -newkey $key -subj "/CN=$2" -addext "$3" -keyout "$2.key" \
        -out request
    openssl ca -batch -notext -config ca.conf -cert "$1.pem" \
        -keyfile "$1.key" -startdate "${4:-20200101000000Z}" \
        -enddate "${5:-20991231000000Z}" -in request -out "$2.pem"
}

{
    root ca subjectAltName=DNS:ca
    root ca2 subjectAltName=DNS:ca2
    root self "$local"
    issued ca server "$local"
    issued ca other subjectAltName=DNS:other.example
    issued ca expired "$local" 20200101000000Z 20210101000000Z
    issued ca future "$local" 20980101000000Z
    issued ca client subjectAltName=DNS:client
    issued ca mid basicConstraints=critical,CA:TRUE
    issued mid via "$local"
    issued mid viaclient subjectAltName=DNS:client
    cat server.pem server.key >bare.pem
} 2>certs.log || { cat certs.log >&2; exit 1; }
