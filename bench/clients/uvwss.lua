--- Our client: uvwss.lua URL CA SIZE WINDOW SECONDS. bench/README.md says
-- what the clients do and print.

local wss = require "uvwss"

local url, ca = arg[1], arg[2]
local size, window, seconds =
  tonumber(arg[3]), tonumber(arg[4]), tonumber(arg[5])
local WARM, KINDS, EVERY = 0.3, 16, 17

-- Lua alone has no clock on the wall that is finer than this one.
local function now()
  local file <close> = assert(io.open "/proc/uptime")
  return file:read "n"
end

local payloads = {}
for i = 0, KINDS - 1 do
  payloads[i] = string.char(65 + i):rep(size - 1) .. "\n"
end

local sent, received, ending = 0, 0, false
local ws = wss.connect(url, { tls = { ca = ca } })

local function send()
  assert(ws:send(payloads[sent % KINDS], "binary"))
  sent = sent + 1
end

function ws:onmessage(data)
  assert(#data == size, "another length")
  if received % EVERY == 0 then
    assert(data == payloads[received % KINDS], "another payload")
  end
  received = received + 1
  if not ending then
    send()
  elseif received == sent then
    ws:close()
  end
end

function ws:onopen()
  for _ = 1, window do send() end
  wss.timer(WARM, function()
    io.write "begin\n"
    io.flush()
    local messages, wall, cpu = received, now(), os.clock()
    wss.timer(seconds, function()
      print(('{"messages":%d,"seconds":%.6f,"cpu":%.6f}'):format(
        received - messages, now() - wall, os.clock() - cpu))
      io.flush()
      ending = true
    end)
  end)
end

wss.run()
assert(received == sent and not ws.error, "messages are missing")
