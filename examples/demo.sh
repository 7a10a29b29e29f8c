#!/bin/sh
# What this library is for, in ten seconds: `make demo`.
#
# A private CA and a server with a certificate of it; a client that verifies
# it, registers and is sent frames; the server is killed and started again, and
# the client carries on; then somebody else sits on the server's port, with a
# certificate for the right name by another CA, and the client refuses him.
# That server is python3-websockets. Then one of our own, which in turn demands
# a certificate of its clients: who has one is served, who has none is refused.
# Last a page with a chat, for a browser. All of it is in examples/.
#
#   demo.sh [--stay]
#
# On a terminal, or with --stay, the chat's server runs until it is interrupted.
# Exit status 0 only if all of it happened as it says. PYTHON and LUA name
# other interpreters, CLIENT one for the client of frames alone.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-/usr/bin/python3}
lua=${LUA:-lua5.4}
client_lua=${CLIENT:-$lua}
stay=
if [ "${1:-}" = --stay ] || { [ -t 0 ] && [ -t 1 ]; }; then stay=yes; fi

dir=$(mktemp -d)
certs=$dir/certs
impostor=$dir/impostor
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

# The other side may know before this one does.
await() { # WHO PATTERN
  tries=300
  until grep -Eq "^$1 \| $2" "$script"; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || fail "this was never said: $1 | $2"
    sleep 0.1
  done
}

follow() { # WHO
  while IFS= read -r line; do say "$1" "$line"; done
}

start() { # WHO, then the command: a server that says "ready PORT" first
  who=$1
  shift
  rm -f "$dir/server"
  mkfifo "$dir/server"
  "$@" >"$dir/server" 2>>"$dir/errors" &
  server=$!
  exec 4<"$dir/server"
  first=''
  IFS= read -r first <&4 || :
  port=${first##*[ :]}
  case $first in
  'ready '* | 'listening on '*) ;;
  *) fail "no server" ;;
  esac
  follow "$who" <&4 &
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
  openssl x509 -noout -subject -issuer -nameopt RFC2253 -in "$1" |
    sed 's/^subject=//; s/^issuer=/, issued by /' | tr -d '\n'
}

start_theirs() { # WHO CERTS PORT
  start "$1" "$python" examples/frames/server.py --port "$3" --rate 1500 \
    --cert "$2/server.crt" --key "$2/server.key"
  say "$1" "listens on 127.0.0.1:$port as $(subject "$2/server.crt")"
}

# Its lines as they come, each of which may be a cue; its exit status.
run_client() { # FRAMES [CERTIFICATE KEY]
  rm -f "$dir/client"
  mkfifo "$dir/client"
  "$client_lua" examples/frames/client.lua "wss://127.0.0.1:$port/" "$certs/ca.crt" \
    "$@" >"$dir/client" 2>&1 3>&- 4>&- &
  client=$!
  exec 3<"$dir/client"
  while IFS= read -r line <&3; do
    say client "$line"
    case $1:$line in
    '6000:2000 frames') restart ;;
    esac
  done
  exec 3<&-
  status=0
  wait "$client" || status=$?
  client=
  return $status
}

# Says hello in the chat, and hangs up when the chat has said so too.
greet() { # URL
  rm -f "$dir/client" "$dir/keys"
  mkfifo "$dir/client" "$dir/keys"
  "$lua" bin/uvwss connect --quiet "$1" <"$dir/keys" >"$dir/client" \
    2>>"$dir/errors" 4>&- &
  client=$!
  exec 5>"$dir/keys" 3<"$dir/client"
  echo hello >&5
  heard=1
  while IFS= read -r line <&3; do
    case $line in
    *'demo: hello'*) heard=0 && exec 5>&- ;;
    esac
  done
  exec 3<&- 5>&-
  wait "$client" || heard=1
  client=
  return $heard
}

restart() {
  tell "now the server is killed, and started again"
  stop_server
  start_theirs server "$certs" "$port"
}

tell "a private CA (uvwss certs), and a server with a certificate of it"
for folder in "$certs" "$impostor"; do
  "$lua" bin/uvwss certs --quiet "$folder" 2>>"$dir/errors" ||
    fail "no certificates"
done
start_theirs server "$certs" 0

tell "a client that trusts this CA alone wants 6000 frames"
run_client 6000 || fail "the client was not content"
stop_server

tell "an impostor takes the server's port: another CA, with the same names"
start_theirs impostor "$impostor" "$port"
tell "the same client again"
if run_client 1; then fail "the client spoke to the impostor"; fi
stop_server

tell "our own server; it demands a certificate of every client"
start ours "$lua" examples/frames/server.lua wss://127.0.0.1:0 "$certs" 0
say ours "listens on 127.0.0.1:$port as $(subject "$certs/server.crt")"
tell "a client with a certificate of our CA"
run_client 3000 "$certs/client.crt" "$certs/client.key" ||
  fail "the client with a certificate was not served"
tell "a client without"
if run_client 1; then fail "the client without a certificate was served"; fi
await ours 'refused, tls/.*the client showed none'
stop_server

names='O=uvwss development'
chain="CN=localhost,$names <- CN=uvwss development CA,$names\$"
said client "connected to 127.0.0.1:[0-9]+ at dial 1: TLSv1.3, .*$chain" 2
said client "connected .*$chain" 3
said server 'registered demo, from frame 0 on'
said server 'registered demo, from frame [2-9][0-9]{3} on'
said client 'lost it: .*; attempt 1 in '
said client '6000 of 6000 frames, .*, 2 connections: every frame once'
said client 'refused, certificate/unknown_issuer: '
said client '0 of 1 frames, .*: not all came' 2
said impostor registered 0
said ours 'registered demo, from frame 0 on: CN=client,'
said client '3000 of 3000 frames, .*, 1 connection: every frame once'
said client 'refused, tls/.*certificate_required: '
said ours 'refused, tls/.*the client showed none'

tell "all as it should be: verified, carried on, refused"

start chat "$lua" examples/chat/server.lua ws://127.0.0.1:0
page=http://127.0.0.1:$port/
greet "ws://127.0.0.1:$port/?name=demo" || fail "the chat did not say: demo: hello"
if [ -n "$stay" ]; then
  trap 'exit 0' INT
  tell "a chat, for your browser: $page (Ctrl-C ends it)"
  wait "$server" || :
  fail "the chat has ended"
fi
tell "a chat, for your browser: $page (it stays when this is a terminal)"
