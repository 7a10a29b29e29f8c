#!/usr/bin/env lua5.4
-- Registers with a server, receives binary frames, checks each of them, and
-- carries on when the server is killed and started again.
--
--   lua5.4 client.lua URL CA.crt [FRAMES [client.crt client.key]]
--
-- Try it: `sh spec/certs/make.sh /tmp/certs`, then in one terminal
--
--   examples/frames/server.py --cert /tmp/certs/server.crt \
--     --key /tmp/certs/server.key
--
-- and in another, after `eval "$(make -s env)"`,
--
--   lua5.4 examples/frames/client.lua wss://127.0.0.1:8443/ \
--     /tmp/certs/ca.crt 20000
--
-- and kill the server whenever you like. server.lua is another server, our own,
-- which wants a certificate of its clients, and says what is spoken. Exit
-- status 0 when all frames came, each once, in order and whole.

package.path = (arg[0]:match "^(.*/)" or "./") .. "?.lua;" .. package.path
local frame = require "frame"
local wss = require "uvwss"

local url, ca, cert, key = arg[1], arg[2], arg[4], arg[5]
local wanted = math.tointeger(tonumber(arg[3] or 5000))
if not (ca and wanted and wanted > 0) then
  io.stderr:write("usage: client.lua URL CA.crt [FRAMES [client.crt ",
    "client.key]]\n")
  os.exit(2)
end

local function say(format, ...)
  print(format:format(...))
  io.flush()
end

local function describe(tls)
  local names = {}
  for i, link in ipairs(tls.chain) do names[i] = link.subject end
  return ("%s, %s, chain: %s"):format(tls.version, tls.cipher,
    table.concat(names, " <- "))
end

local frames, bytes, damage, opens = 0, 0, nil, 0

local ws = wss.connect(url, {
  tls = { ca = ca, cert = cert, key = key },
  -- What waits when a connection is lost is dropped: the only thing ever sent
  -- is the registration, and onopen says that anew.
  reconnect = { min = 0.1, max = 2, outbox = "drop" },
})

function ws:onopen(info)
  opens = opens + 1
  say("connected to %s:%d at dial %d: %s", self.peer.ip, self.peer.port,
    info.attempt, describe(self.tls))
  self:send(("register demo %d"):format(frames))
end

function ws:onmessage(data, kind)
  if kind == "text" then
    say("the server says: %s", data)
    return
  end
  local number, payload = frame.open(data)
  if number ~= frames then
    damage = ("frame %d was due, and came %s"):format(frames,
      number and "frame " .. number or "one that is " .. payload)
    self:close(1008, "not the frame that is due")
    return
  end
  frames = frames + 1
  bytes = bytes + #payload
  if frames % 1000 == 0 then say("%d frames", frames) end
  if frames == wanted then self:close(1000, "enough") end
end

function ws:onreconnect(attempt, delay, err) -- luacheck: ignore self
  -- It does not like our certificate, or that we have none: nor will it later.
  if err.alert then return false end
  say("lost it: %s; attempt %d in %.2f s", err, attempt, delay)
end

function ws:onclose(code, reason, err) -- luacheck: ignore self
  if err then
    say("refused, %s/%s: %s", err.kind, err.code, err)
  else
    say("closed: %d %s", code, reason)
  end
end

wss.run()

say("%d of %d frames, %d bytes of payload, %d connection%s: %s", frames, wanted,
  bytes, opens, opens == 1 and "" or "s", damage or frames == wanted
    and "every frame once, in order, each checksum right" or "not all came")
os.exit(frames == wanted and not damage, true)
