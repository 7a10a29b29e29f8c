#!/usr/bin/env lua5.4
-- Sends frames to registered clients, and only to those that prove who they
-- are: mutual TLS.
--
--   lua5.4 server.lua URL CERTS [RATE]
--
-- CERTS is a folder that `uvwss certs` made: this server's certificate, and
-- the CA by which clients' certificates must be signed. RATE is in frames a
-- second; 0 sends as fast as they are taken. Try it:
--
--   uvwss certs /tmp/certs
--   lua5.4 examples/frames/server.lua wss://127.0.0.1:8443 /tmp/certs
--
-- and in another terminal
--
--   lua5.4 examples/frames/client.lua wss://127.0.0.1:8443/ \
--     /tmp/certs/ca.crt 20000 /tmp/certs/client.crt /tmp/certs/client.key
--
-- Whoever connects registers with the text `register NAME FROM`, is answered
-- `registered NAME FROM`, and is sent binary frames (frame.lua), one a
-- message, from number FROM on, until it goes. The server remembers nothing:
-- kill it at any time, and start it again.

package.path = (arg[0]:match "^(.*/)" or "./") .. "?.lua;" .. package.path
local frame = require "frame"
local wss = require "uvwss"

local url, certs = arg[1], arg[2]
local rate = tonumber(arg[3] or 1000)
if not (certs and rate and rate >= 0) then
  io.stderr:write "usage: server.lua URL CERTS [RATE]\n"
  os.exit(2)
end

local server = assert(wss.listen(url, {
  tls = { cert = certs .. "/server.crt", key = certs .. "/server.key",
    client_ca = certs .. "/ca.crt", verify_client = "require" },
  max_message = 1000, -- a registration is short
}))

local function say(format, ...)
  print(format:format(...))
  io.flush()
end

-- A coroutine for each client. Ten times a second and more it sends what is
-- due, but nothing to whom has a megabyte to read already.
local tick, enough = 0.01, 1 << 20

local function feed(ws, number)
  local due = 0
  while ws.state == "open" do
    due = rate > 0 and due + rate * tick or math.huge
    while due >= 1 and ws.buffered < enough do
      ws:send(frame.make(number), "binary")
      number, due = number + 1, due - 1
    end
    wss.sleep(tick)
  end
end

function server:onmessage(ws, data, kind)
  local name, first = data:match "^register (%S+) (%d+)$"
  first = math.tointeger(tonumber(first))
  if kind ~= "text" or not first or first >= 1 << 32 or ws.registered then
    ws:close(1008, "register NAME FROM is wanted first")
    return
  end
  ws.registered = true -- a field of our own
  -- Who it is says the certificate, which the handshake has verified.
  say("registered %s, from frame %d on: %s", name, first,
    ws.tls.chain[1].subject)
  ws:send(data:gsub("^register", "registered"), "text")
  wss.spawn(feed, ws, first)
end

-- Whoever has no certificate, or a wrong one, comes no further than this.
function server:onrefused(err)
  say("refused, %s/%s: %s", err.kind, err.code, err)
end

say("ready %d", server.port)
wss.run()
