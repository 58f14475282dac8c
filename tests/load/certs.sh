#!/bin/sh
# certs.sh DIR -- makes certificates and keys there, with OpenSSL's command:
#   ca                 an issuer; ca2, another one, of no certificate here
#   server, other      for localhost and 127.0.0.1; for other.example
#   expired, future    for localhost, but not now
#   self               for localhost, self-signed
#   client             of a client
#   bare               server's certificate and key in one file
set -eu
cd "$1"
key='ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
local='DNS:localhost,IP:127.0.0.1'
touch index
printf '%s\n' '[ca]' default_ca=d '[d]' database=index new_certs_dir=. \
    rand_serial=yes default_md=sha256 policy=p unique_subject=no \
    copy_extensions=copy '[p]' commonName=supplied >ca.conf

# root NAME SAN: a certificate that signs itself
root()
{
    # shellcheck disable=SC2086 # a list of options
    openssl req -x509 -newkey $key -days 30 -subj "/CN=$1 of the tests" \
        -addext "subjectAltName=$2" -keyout "$1.key" -out "$1.pem"
}

# leaf NAME SAN [FROM TO]: one that ca signs
leaf()
{
    # shellcheck disable=SC2086 # a list of options
    openssl req -newkey $key -subj "/CN=$1" -addext "subjectAltName=$2" \
        -keyout "$1.key" -out request
    openssl ca -batch -notext -config ca.conf -cert ca.pem -keyfile ca.key \
        -startdate "${3:-20200101000000Z}" -enddate "${4:-20991231000000Z}" \
        -in request -out "$1.pem"
}

{
    root ca DNS:ca
    root ca2 DNS:ca2
    root self "$local"
    leaf server "$local"
    leaf other DNS:other.example
    leaf expired "$local" 20200101000000Z 20210101000000Z
    leaf future "$local" 20980101000000Z
    leaf client DNS:client
    cat server.pem server.key >bare.pem
} 2>certs.log || { cat certs.log >&2; exit 1; }
