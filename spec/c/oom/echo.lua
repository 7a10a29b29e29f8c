-- A coroutine that sends and receives, with outcomes.
local counts = {}
wss.run(function()
  local ws <close> = wss.connect(URL "/echo", {
    subprotocols = { "chat" }, headers = { ["x-one"] = "1" },
    origin = "http://localhost",
  })
  local sizes = { 0, 5, 125, 126, 70000 }
  for i, size in ipairs(sizes) do
    local done, count = once()
    must(ws:send(message(i, size), i % 2 == 0 and "text" or "binary", done))
    counts[i] = count
  end
  for i, size in ipairs(sizes) do
    local data, kind = must(ws:receive(20))
    check(data == message(i, size), "message " .. i .. " came otherwise")
    check(kind == (i % 2 == 0 and "text" or "binary"), "kind of " .. i)
  end
  check(ws.subprotocol == "chat", "the subprotocol")
  ws:close(1000, "bye")
  local data, err = ws:receive()
  check(data == nil, "a message after the close")
  check(err ~= nil, "no reason for the end")
end)
for i, count in ipairs(counts) do
  check(count() == 1, "message " .. i .. " has no outcome")
end
check_ledger()
