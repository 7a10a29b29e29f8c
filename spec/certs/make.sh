#!/bin/sh
# Makes certificates for tests and demonstrations: make.sh DIR
#
# Each is NAME.crt and NAME.key (P-256 unless said otherwise); a certificate
# that has an issuer below the root has that issuer behind it. Silent, unless
# something fails.
#
#   ca              the root, "uvwss test CA"; its sign below: intermediate
#   intermediate    below it
#   server          localhost, server.test, 127.0.0.1, ::1
#   server2         the same names, another key: the renewed one
#   client          a client's, with CN "client"
#   rootclient      another client's, by the root itself
#   expiredclient   a client's of three days ago  notyetclient  from 2090 on
#   otherclient     a client's by other-ca
#   formlessclient  a client's that strict does not take
#   revokedclient   one that is on intermediate.crl
#   aloneclient     the client's, without its issuer behind it
#   aserver         for a.example           bserver     for *.b.example
#   rsaserver       for rsa.example, with an RSA key
#   encrypted       the client's, its key encrypted with "secret"
#   expired         three days ago          notyet      valid from 2090 on
#   wronghost       for other.test          wildcard    for *.wild.test
#   ipserver        127.0.0.1 alone         many        for forty names
#   cnonly          no names but CN=server.test
#   partial         for f*.wild.test
#   signonly        by itself, with a key that may sign certificates only
#   selfsigned      by itself               weak        RSA with 1024 bits
#   nointermediate  without its issuer behind it
#   clientasserver  the right names, for clients only
#   weakhash        signed with SHA-1       hostile     with a nasty subject
#   nonform         lacks what strict asks for: an authority key identifier
#   nonca           issued with the server's certificate, which is no CA's
#   constrained     by a CA ("constrainedca") that may issue .allowed.test
#   deep            by a CA ("deepca") that its own issuer did not allow
#   other-ca        another root            impostor    the same names, by it
#   oldroot         a root that strict would not take if it were not the anchor
#   oldserver       by it
#
# ca.crl and intermediate.crl are their lists of revoked certificates, and
# server.ocsp is its issuer's answer that the server's is good, for ten years.
set -eu
[ $# -eq 1 ] || { echo "usage: $0 DIR" >&2; exit 2; }
mkdir -p "$1"
cd "$1"
trap 'status=$?; rm -f make.*; [ $status = 0 ] || cat make-log >&3
  rm -f make-log; exit $status' EXIT
: >make-log
: >make.db
exec 3>&2 2>make-log
umask 077
unset SSLKEYLOGFILE OPENSSL_CONF || true

names=DNS:localhost,DNS:server.test,IP:127.0.0.1,IP:::1
forty=DNS:a1.many.test
i=1
while [ $i -lt 40 ]; do i=$((i + 1)); forty=$forty,DNS:a$i.many.test; done

cat >make.cnf <<END
[req]
distinguished_name = dn
prompt = no
string_mask = utf8only
utf8 = yes
[dn]
CN = unused
[ca]
default_ca = dates
[dates]
database = make.db
new_certs_dir = .
policy = any
default_md = sha256
rand_serial = yes
unique_subject = no
email_in_dn = no
[any]
commonName = optional
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[issuer]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[limited]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
nameConstraints = critical, permitted;DNS:allowed.test
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = \$ENV::SAN
[client]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = \$ENV::SAN
[nameless]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[formless]
extendedKeyUsage = serverAuth
subjectAltName = \$ENV::SAN
authorityKeyIdentifier = none
subjectKeyIdentifier = none
[formlessclient]
extendedKeyUsage = clientAuth
authorityKeyIdentifier = none
subjectKeyIdentifier = none
[old]
basicConstraints = CA:TRUE
subjectKeyIdentifier = hash
authorityKeyIdentifier = none
[self]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
subjectAltName = \$ENV::SAN
[signonly]
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
subjectAltName = \$ENV::SAN
END
SAN=$names
export SAN

key() { # NAME
  openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"
}

# NAME SECTION SUBJECT [ISSUER]: a certificate of the key, for ten years
sign() {
  name=$1 section=$2 subject=$3 issuer=${4:-}
  [ -e "$name.key" ] || key "$name"
  set -- -x509 -new -config make.cnf -extensions "$section" -days 3650 \
    -utf8 -key "$name.key" -subj "$subject" -out "$name.crt" "${hash:--sha256}"
  [ -z "$issuer" ] || set -- "$@" -CA "$issuer.crt" -CAkey "$issuer.key"
  openssl req "$@"
}

# NAME SECTION SUBJECT: by the intermediate, which is put behind it
issue() {
  sign "$1" "$2" "$3" intermediate
  cat intermediate.crt >>"$1.crt"
}

# NAME FROM TO [SECTION SUBJECT]: by the intermediate, with dates
date_it() {
  key "$1"
  openssl req -new -config make.cnf -key "$1.key" \
    -subj "${5:-/CN=server.test}" -out make.csr
  openssl ca -batch -config make.cnf -extensions "${4:-server}" -notext \
    -in make.csr \
    -cert intermediate.crt -keyfile intermediate.key -startdate "$2" \
    -enddate "$3" -out "$1.crt"
  cat intermediate.crt >>"$1.crt"
}

sign ca root "/CN=uvwss test CA"
sign intermediate issuer "/CN=uvwss test intermediate" ca
issue server server "/CN=server.test"
issue server2 server "/CN=server.test"
issue clientasserver client "/CN=server.test"
sign nointermediate server "/CN=server.test" intermediate
sign selfsigned self "/CN=server.test"
sign signonly signonly "/CN=server.test"
sign other-ca root "/CN=another CA"
sign impostor server "/CN=server.test" other-ca
issue cnonly nameless "/CN=server.test"
issue nonform formless "/CN=server.test"
(hash=-sha1; issue weakhash server "/CN=server.test")
nasty=$(printf 'a\033[31m\342\200\256"b')
issue hostile server "/CN=$nasty/O=$(printf 'x\001y')"
openssl genrsa -out weak.key 1024
issue weak server "/CN=server.test"
sign nonca server "/CN=server.test" server
cat server.crt >>nonca.crt
sign constrainedca limited "/CN=constrained CA" ca
sign constrained server "/CN=server.test" constrainedca
cat constrainedca.crt >>constrained.crt
sign deepca root "/CN=too deep a CA" intermediate
sign deep server "/CN=server.test" deepca
cat deepca.crt intermediate.crt >>deep.crt
sign oldroot old "/CN=an old root"
sign oldserver server "/CN=server.test" oldroot
(SAN=DNS:other.test; issue wronghost server "/CN=other.test")
(SAN=DNS:*.wild.test; issue wildcard server "/CN=*.wild.test")
(SAN=DNS:f*.wild.test; issue partial server "/CN=f*.wild.test")
(SAN=IP:127.0.0.1; issue ipserver server "/CN=127.0.0.1")
(SAN=$forty; issue many server "/CN=a1.many.test")
(SAN=DNS:client.test; issue client client "/CN=client")
(SAN=DNS:client.test; sign rootclient client "/CN=root client" ca)
(SAN=DNS:client.test; sign otherclient client "/CN=other client" other-ca)
issue formlessclient formlessclient "/CN=formless client"
(SAN=DNS:a.example; issue aserver server "/CN=a.example")
(SAN=DNS:*.b.example; issue bserver server "/CN=b.example")
openssl genrsa -out rsaserver.key 2048
(SAN=DNS:rsa.example; issue rsaserver server "/CN=rsa.example")
from=$(date -u -d '40 days ago' +%Y%m%d%H%M%SZ)
to=$(date -u -d '3 days ago 1 minute ago' +%Y%m%d%H%M%SZ)
date_it expired "$from" "$to"
date_it notyet 20900101000000Z 20910101000000Z
(SAN=DNS:client.test
date_it expiredclient "$from" "$to" client "/CN=expired client"
date_it notyetclient 20900101000000Z 20910101000000Z client "/CN=early client"
date_it revokedclient "$from" 20500101000000Z client "/CN=revoked client")
for name in ca intermediate; do
  [ $name = ca ] || openssl ca -config make.cnf -revoke revokedclient.crt \
    -cert $name.crt -keyfile $name.key
  openssl ca -config make.cnf -gencrl -crldays 3650 -cert $name.crt \
    -keyfile $name.key -out $name.crl
done
cp client.crt encrypted.crt
openssl pkcs8 -topk8 -v2 aes-256-cbc -passout pass:secret -in client.key \
  -out encrypted.key
openssl x509 -in client.crt -out aloneclient.crt
cp client.key aloneclient.key
serial=$(openssl x509 -in server.crt -noout -serial)
printf 'V\t%s\t\t%s\tunknown\t/CN=server.test\n' 491231235959Z \
  "${serial#serial=}" >make.ocsp
openssl ocsp -index make.ocsp -CA intermediate.crt -rsigner intermediate.crt \
  -rkey intermediate.key -issuer intermediate.crt -cert server.crt \
  -no_nonce -ndays 3650 -respout server.ocsp >&2
rm -f ./[0-9A-F]*.pem
