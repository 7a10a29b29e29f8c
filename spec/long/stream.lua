-- One message that is larger than memory should be, through a client and back
-- from a server, both of this process: in parts with ws:stream, out of
-- onfragment.
--
--   lua5.4 spec/long/stream.lua [--mib=1024] [--compress] [--limit=32]
--
-- Fails where it came back otherwise than it was sent, or where the process
-- grew by more than --limit MiB.

local wss = require "uvwss"

local options = { mib = "1024", limit = "32" }
for _, word in ipairs(arg) do
  local name, value = word:match "^%-%-(%l+)=?(.*)$"
  assert(name, "not an option: " .. word)
  options[name] = value ~= "" and value or true
end
local total, limit = math.tointeger(options.mib) << 20, tonumber(options.limit)
local compress = options.compress or false

local function resident()
  for line in io.lines "/proc/self/status" do
    local kib = line:match "^VmRSS:%s+(%d+)"
    if kib then return tonumber(kib) / 1024 end
  end
end

-- The bytes at an offset: neither all alike, nor worth remembering.
local period = {}
for i = 0, 255 do period[#period + 1] = ("%03d,"):format(i * 7 % 256) end
period = table.concat(period) -- 1,024 bytes
local piece = period:rep(64)
local doubled = piece .. piece

local server = assert(wss.listen("ws://127.0.0.1:0",
  { max_message = 1 << 40, compress = compress }))
function server:onfragment(ws, data, kind, last)
  ws.writer = ws.writer or assert(ws:stream(kind))
  assert(last and ws.writer:finish(data) or ws.writer:write(data))
  if last then ws.writer = nil end
  if ws.buffered > 1 << 20 then ws:pause() end
end
function server:ondrain(ws) ws:resume() end

local ws = wss.connect(server.url, { max_message = 1 << 40,
  compress = compress })
local writer
local sent, got, most, failure = 0, 0, 0, nil
local before = resident()

local function fill()
  while writer and ws.buffered <= 1 << 20 do
    if sent == total then
      assert(writer:finish())
      writer = nil
    else
      assert(writer:write(piece))
      sent = sent + #piece
    end
  end
end

function ws:onopen()
  writer = assert(self:stream "binary")
  fill()
end
function ws:ondrain() fill() end

function ws:onfragment(data, kind, last)
  local at = got % #period
  if kind ~= "binary" or #data > #piece
    or doubled:sub(at + 1, at + #data) ~= data then
    for i = 1, #data do -- a large part, compared in pieces
      local from = (got + i - 1) % #period + 1
      if data:byte(i) ~= period:byte(from) then
        failure = "a wrong byte at " .. got + i
        return self:terminate()
      end
    end
  end
  got = got + #data
  most = math.max(most, resident())
  if last then self:close() end
  fill()
end

function ws:onclose(_, _, err)
  failure = failure or err
  server:close()
end

wss.run()
collectgarbage()
for name, n in pairs(wss.stats()) do
  if n ~= 0 then failure = failure or name .. " is " .. n end
end
if got ~= total then failure = failure or got .. " bytes came back" end
print(("%d MiB through client and server%s: at most %.1f MiB more resident")
  :format(total >> 20, compress and ", compressed" or "", most - before))
if not failure and most - before > limit then
  failure = "more than " .. limit .. " MiB"
end
if failure then
  io.stderr:write(tostring(failure), "\n")
  os.exit(1)
end
