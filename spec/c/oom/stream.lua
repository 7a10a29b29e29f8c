-- One message in pieces, others behind it, and one that is given up.
local counts = {}
wss.run(function()
  local ws = wss.connect(URL "/echo")
  local writer = must(ws:stream "text")
  for i = 1, 4 do
    local done, count = once()
    counts[i] = count
    must(writer:write(message(i, 1000), done))
  end
  must(ws:send("behind"))
  must(writer:finish("end"))
  local whole = message(1, 1000) .. message(2, 1000) .. message(3, 1000)
    .. message(4, 1000) .. "end"
  check(must(ws:receive()) == whole, "the stream")
  check(must(ws:receive()) == "behind", "what came behind it")
  do
    local lost <close> = must(ws:stream "binary")
    must(lost:write("never finished"))
  end
  must(ws:send("after"))
  local data, err = ws:receive()
  if data then check(data == "after", "after the stream given up") end
  if err.code == "memory" then error(err, 0) end
  ws:terminate()
end)
for i, count in ipairs(counts) do
  check(count() == 1, "piece " .. i .. " has no outcome")
end
