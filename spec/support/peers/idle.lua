-- What an idle connection costs that has taken a message and sent one, both
-- ends of it: prints bytes. The argument is the option `compress`.

local wss = require "uvwss"

local crowd <const> = 200
local compress = assert(load("return " .. arg[1]))()

local function resident()
  for line in io.lines "/proc/self/status" do
    local kib = line:match "^VmRSS:%s*(%d+)"
    if kib then return kib * 1024 end
  end
end

local data = {}
for i = 1, 2500 do data[i] = ("%07d "):format(i * i % 1009) end
data = table.concat(data)

local s = assert(wss.listen("ws://127.0.0.1:0", { compress = compress,
  ping_interval = false,
  onmessage = function(_, ws, message) assert(ws:send(message)) end }))
local open = {}
local function more(count)
  for _ = 1, count do
    local ws = wss.connect(s.url, { compress = compress,
      ping_interval = false })
    assert(ws:send(data))
    assert(ws:receive(60) == data)
    open[#open + 1] = ws
  end
  collectgarbage()
  collectgarbage()
end
more(20) -- what is made once, and stays
local before = resident()
more(crowd)
print((resident() - before) / crowd)
os.exit(0)
