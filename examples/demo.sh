#!/bin/sh
# What this library is for, in ten seconds: `make demo`.
#
# A private CA and its server; a client that verifies it, registers and is
# sent frames; the server is killed and started again, and the client carries
# on; then somebody else sits on the server's port, with a certificate for the
# right name by another CA, and the client refuses him. The server is
# python3-websockets, in examples/frames; the client, beside it, is ours.
#
# Exit status 0 only if all of it happened as it says. PYTHON and LUA name
# other interpreters.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-/usr/bin/python3}
lua=${LUA:-lua5.4}

dir=$(mktemp -d)
certs=$dir/certs
script=$dir/script # all that was said
server='' client='' follower=''

cleanup() {
  status=$?
  trap - EXIT INT TERM HUP
  for pid in $server $client; do kill -9 "$pid" 2>/dev/null || :; done
  wait 2>/dev/null || :
  if [ $status -ne 0 ] && [ -s "$dir/errors" ]; then cat "$dir/errors" >&2; fi
  rm -rf "$dir"
  exit $status
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

say() { # WHO TEXT
  printf '%8s | %s\n' "$1" "$2"
  printf '%s | %s\n' "$1" "$2" >>"$script"
}

tell() {
  echo
  say demo "$1"
}

fail() {
  echo "demo.sh: $1" >&2
  exit 1
}

said() { # WHO PATTERN [TIMES]
  [ "$(grep -Ec "^$1 \| $2" "$script")" -eq "${3:-1}" ] ||
    fail "this was to be said ${3:-once}: $1 | $2"
}

follow() { # WHO
  while IFS= read -r line; do say "$1" "$line"; done
}

start_server() { # WHO CERTIFICATE PORT
  rm -f "$dir/server"
  mkfifo "$dir/server"
  "$python" examples/frames/server.py --port "$3" --rate 1500 \
    --cert "$certs/$2.crt" --key "$certs/$2.key" \
    >"$dir/server" 2>>"$dir/errors" &
  server=$!
  exec 4<"$dir/server"
  word=''
  read -r word port <&4 || :
  [ "$word" = ready ] || fail "no server"
  say "$1" "listens on 127.0.0.1:$port as $(subject "$2")"
  follow "$1" <&4 &
  follower=$!
  exec 4<&-
}

stop_server() {
  kill -9 "$server"
  wait "$server" 2>/dev/null || : # the shell would say that it was killed
  server=
  wait "$follower" || :
}

subject() { # CERTIFICATE
  openssl x509 -noout -subject -issuer -nameopt RFC2253 \
    -in "$certs/$1.crt" | sed 's/^subject=//; s/^issuer=/, issued by /' |
    tr -d '\n'
}

# Its lines as they come, each of which may be a cue; its exit status.
run_client() { # FRAMES
  rm -f "$dir/client"
  mkfifo "$dir/client"
  "$lua" examples/frames/client.lua "wss://127.0.0.1:$port/" "$certs/ca.crt" \
    "$1" >"$dir/client" 2>&1 3>&- 4>&- &
  client=$!
  exec 3<"$dir/client"
  while IFS= read -r line <&3; do
    say client "$line"
    case $line in
    '2000 frames') restart ;;
    esac
  done
  exec 3<&-
  status=0
  wait "$client" || status=$?
  client=
  return $status
}

restart() {
  tell "now the server is killed, and started again"
  stop_server
  start_server server server "$port"
}

tell "a private CA, and a server with a certificate of it"
sh spec/certs/make.sh "$certs"
start_server server server 0

tell "a client that trusts this CA alone wants 6000 frames"
run_client 6000 || fail "the client was not content"
stop_server

tell "an impostor takes the server's port: the same name, but another CA"
start_server impostor impostor "$port"
tell "the same client again"
if run_client 1; then fail "the client spoke to the impostor"; fi
stop_server

chain='CN=server.test <- CN=uvwss test intermediate <- CN=uvwss test CA$'
said client "connected to 127.0.0.1:$port at dial 1: TLSv1.3, .*$chain"
said client "connected .*$chain" 2
said server 'registered demo, from frame 0 on'
said server 'registered demo, from frame [2-9][0-9]{3} on'
said client 'lost it: .*; attempt 1 in '
said client '6000 of 6000 frames, .*, 2 connections: every frame once'
said client 'refused, certificate/unknown_issuer: .*another CA'
said client '0 of 1 frames, .*: not all came'
said impostor registered 0

tell "all as it should be: verified, carried on, refused"
