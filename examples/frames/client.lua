#!/usr/bin/env lua5.4
-- Registers with a server, receives binary frames, checks each of them, and
-- carries on when the server is killed and started again.
--
--   lua5.4 client.lua URL CA.crt [FRAMES]
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
-- and kill the server whenever you like. server.py says what is spoken, and
-- what a frame looks like. Exit status 0 when all frames came, each once, in
-- order and whole.

local wss = require "uvwss"

local url, ca = arg[1], arg[2]
local wanted = math.tointeger(tonumber(arg[3] or 5000))
if not (ca and wanted and wanted > 0) then
  io.stderr:write "usage: client.lua URL CA.crt [FRAMES]\n"
  os.exit(2)
end

local crc_of_byte = {}
for i = 0, 255 do
  local c = i
  for _ = 1, 8 do c = c & 1 == 1 and c >> 1 ~ 0xEDB88320 or c >> 1 end
  crc_of_byte[i] = c
end

local function crc32(s, last)
  local c = 0xFFFFFFFF
  for i = 1, last do c = c >> 8 ~ crc_of_byte[(c ~ s:byte(i)) & 0xFF] end
  return c ~ 0xFFFFFFFF
end

-- The number and the payload of a frame, or nil and what is wrong with it.
local function open(frame)
  if #frame < 12 then return nil, "shorter than an empty frame" end
  local length, number = (">I4I4"):unpack(frame)
  if #frame ~= length + 12 then return nil, "of another length than it says" end
  if (">I4"):unpack(frame, #frame - 3) ~= crc32(frame, #frame - 4) then
    return nil, "damaged: its checksum is wrong"
  end
  return number, frame:sub(9, -5)
end

local function say(format, ...)
  print(format:format(...))
  io.flush()
end

local function describe(tls)
  local names = {}
  for i, cert in ipairs(tls.chain) do names[i] = cert.subject end
  return ("%s, %s, chain: %s"):format(tls.version, tls.cipher,
    table.concat(names, " <- "))
end

local frames, bytes, damage, opens = 0, 0, nil, 0

local ws = wss.connect(url, {
  tls = { ca = ca },
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
  local number, payload = open(data)
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
