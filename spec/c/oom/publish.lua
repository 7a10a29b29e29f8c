-- One message for two subscribers, and one for all. Who cannot be given it
-- hears of an end, and never goes on without it.
local server, given = nil, 0
local function publish()
  for i = 1, 3 do
    given = given + must(server:publish("news", message(i, 10 ^ i // 1 | 0)))
  end
  given = given + must(server:broadcast(message(4, 70000), "binary"))
end
server = host {
  slow_consumer = "wait",
  onopen = function(_, ws)
    check(must(ws:subscribe "news"), "subscribe")
    if server:stats().subscriptions == 2 then wss.spawn(publish) end
  end,
}
server.need_all = true
local guests, sizes = {}, { 10, 100, 1000, 70000 }
for i = 1, 2 do
  local n = 0
  guests[i] = guest(server, {
    onmessage = function(ws, data)
      n = n + 1
      check(data == message(n, sizes[n]), "message " .. n)
      if n == #sizes then ws:close() end
    end,
  })
end
-- With one of them lost, the other one waits in vain.
local lost
function server:onclose(_, _, _, err)
  lost = err or lost
  self:close(20)
end
function server:onrefused(err)
  lost = err
  self:close(20)
end
see_through(server, guests)
for _, g in ipairs(guests) do
  check(g.code == 1000 or g.code == 1001, "the code is " .. g.code)
  if g.code == 1001 and lost then error(lost, 0) end
end
check(given == 8, "given to " .. given)
check_ledger()
