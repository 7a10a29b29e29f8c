-- A compressed echo, whole and in pieces, and a message that is published; of a
-- guest that goes on with what was before, and one that does not. What could not
-- be compressed or inflated ends the connection, or goes as it is.
local server, topics = nil, 0
server = host {
  compress = { min_size = 100, mem_level = 1 },
  onmessage = function(_, ws, data, kind)
    must(ws:send(data, kind))
    if data == "publish" then
      topics = topics + 1
      check(must(ws:subscribe("t" .. topics)), "subscribe")
      must(server:publish("t" .. topics, message(6, 3000)))
    end
  end,
}
local sizes = { 300, 300, 20000, 40000, 0, 3000 }
local function talker(compress)
  local n, g = 0, nil
  local want = {}
  for i = 1, 4 do want[i] = message(i, sizes[i]) end
  want[5], want[6] = "publish", message(6, 3000)
  g = guest(server, {
    compress = compress,
    onopen = function(ws)
      for i = 1, 3 do must(ws:send(want[i])) end
      local writer = must(ws:stream "text")
      must(writer:write(want[4]:sub(1, 100)))
      must(writer:finish(want[4]:sub(101)))
      must(ws:send(want[5]))
    end,
    onmessage = function(ws, data)
      n = n + 1
      check(data == want[n], "message " .. n)
      if n == #want then
        g.complete = true
        ws:close()
      end
    end,
  })
  return g
end
local guests = { talker(true), talker { server_no_context_takeover = true,
  client_no_context_takeover = true, server_max_window_bits = 9 } }
see_through(server, guests)
for _, g in ipairs(guests) do
  if not g.complete then
    check(g.code == 1011 or g.code == 1009, "it ended with " .. g.code)
    error("not enough memory", 0)
  end
end
check_ledger()
