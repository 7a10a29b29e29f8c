-- The server breaks the connection after each message.
local opens, got, downs = 0, 0, 0
local counts = {}
local ws = wss.connect(URL "/once", {
  reconnect = { min = 0.001, max = 0.002 },
})
function ws:onopen(info)
  opens = opens + 1
  check(info.attempt >= opens, "the attempt's number")
  check(wss.stats().transports == 1, "two transports at once")
  local done, count = once()
  counts[#counts + 1] = count
  must(self:send(message(opens, 50), "text", done))
end
function ws:onmessage(data)
  got = got + 1
  local n = tonumber(data:match "^(%d+):")
  check(n and data == message(n, 50) and n <= opens, "message " .. got)
  if got == 3 then self:close() end
end
function ws:onreconnect(attempt, delay)
  downs = downs + 1
  check(attempt >= 1 and delay <= 0.002, "the delay")
end
local last
function ws:onclose(_, _, err) last = err end
wss.run()
if got < 3 then
  check(last, "it ended without a reason")
  error(last, 0)
end
for i, count in ipairs(counts) do
  check(count() == 1, "message " .. i .. " has no outcome")
end
ws = nil
check_ledger()
