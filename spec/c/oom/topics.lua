-- Topics that grow and shrink, up to their limit, while others leave.
local server
server = host {
  max_topics = 40,
  onopen = function(_, ws)
    for i = 1, 40 do
      local ok, err = ws:subscribe("topic " .. i)
      if not ok then error(err, 0) end
    end
    local ok, err = ws:subscribe "one too many"
    check(not ok and err, "no limit")
    if err.code ~= "topics" then error(err, 0) end
    for i = 1, 40, 2 do
      check(ws:unsubscribe("topic " .. i), "unsubscribe " .. i)
      check(not ws:unsubscribe("topic " .. i), "unsubscribed twice")
    end
    for i = 1, 40 do
      local n = must(server:publish("topic " .. i, tostring(i)))
      check(n == 0 or i % 2 == 0, "topic " .. i .. " went to " .. n)
    end
    ws:close()
  end,
}
local guests = {}
for i = 1, 3 do
  local got = 0
  guests[i] = guest(server, {
    onmessage = function(_, data)
      got = got + 1
      check(tonumber(data) % 2 == 0, "topic " .. data)
    end,
  })
end
see_through(server, guests)
local stats = server:stats()
check(stats.topics == 0 and stats.subscriptions == 0, "topics are left")
check_ledger()
