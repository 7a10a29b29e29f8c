--- Many clients of one server, in a process of their own.
--
--   lua5.4 spec/support/peers/guests.lua URL --count N [--silent N] [--ca FILE]
--
-- Messages begin with their number (">I4"), counted from 1; one without is the
-- end, and the client closes. The silent ones say so, and read nothing once they are open,
-- and go when all others have.
-- Prints `ready 0` when all are open, and what came of them at the end:
--   readers N got MIN to MAX wrong N
--   closed CODE COUNT

local wss = require "uvwss"

local options = { count = 1, silent = 0, ca = false }
for i = 2, #arg, 2 do
  local name = arg[i]:match "^%-%-(%l+)$"
  assert(options[name] ~= nil, "unknown option " .. arg[i])
  options[name] = math.tointeger(tonumber(arg[i + 1])) or arg[i + 1]
end
local tls = options.ca and assert(wss.tls { ca = options.ca }) or nil

local begun, open, wrong, closed = 0, 0, 0, {}
local readers, silent_ones = options.count - options.silent, {}
local least, most = math.huge, 0
local dial

local function opened()
  open = open + 1
  if open == options.count then
    print "ready 0"
    io.stdout:flush()
  end
  dial()
end

local function guest(silent)
  local got = 0
  return {
    tls = tls, ping_interval = false, open_timeout = 120, close_timeout = 120,
    onopen = function(ws)
      if silent then
        ws:send "silent"
        ws:pause()
        silent_ones[#silent_ones + 1] = ws
      end
      opened()
    end,
    onmessage = function(ws, data)
      if #data < 4 then
        ws:close()
      elseif (">I4"):unpack(data) == got + 1 then
        got = got + 1
      else
        wrong = wrong + 1
      end
    end,
    onclose = function(_, code)
      closed[code] = (closed[code] or 0) + 1
      if silent then return end
      least, most = math.min(least, got), math.max(most, got)
      readers = readers - 1
      if readers > 0 then return end
      for _, other in ipairs(silent_ones) do other:terminate() end
    end,
  }
end

-- So many handshakes at a time, and not all of them at once.
function dial()
  if begun == options.count then return end
  begun = begun + 1
  wss.connect(arg[1], guest(begun <= options.silent))
end

for _ = 1, math.min(64, options.count) do dial() end
wss.run()
print(("readers %d got %d to %d wrong %d"):format(options.count
  - options.silent, least, most, wrong))
local codes = {}
for code in pairs(closed) do codes[#codes + 1] = code end
table.sort(codes)
for _, code in ipairs(codes) do print("closed " .. code, closed[code]) end
