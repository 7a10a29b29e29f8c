-- Handlers of a server, echoes, pings and both ends, of guests one after the
-- other and together.
local opened, closed, beats = 0, 0, 0
local server = host {
  onopen = function(_, ws, info)
    opened = opened + 1
    check(ws.request.path == "/" and ws.peer.ip == "127.0.0.1", "the request")
    check(info.attempt == 1 and ws.state == "open", "how it begins")
    ws.note = opened
    must(ws:ping("beat"))
  end,
  onmessage = function(_, ws, data, kind)
    check(ws.note, "the user's own field")
    must(ws:send(data, kind))
  end,
  onpong = function(_, _, payload)
    beats = beats + 1
    check(payload == "beat", "the pong's payload")
  end,
  onclose = function(_, ws)
    closed = closed + 1
    check(ws.state == "closed", "it is " .. ws.state)
  end,
}
local function talker(sizes)
  local n, g = 0, nil
  g = guest(server, {
    onopen = function(ws)
      for i, size in ipairs(sizes) do must(ws:send(message(i, size))) end
    end,
    onmessage = function(ws, data)
      n = n + 1
      check(data == message(n, sizes[n]), "message " .. n)
      if n == #sizes then
        g.complete = true
        ws:close()
      end
    end,
  })
  return g
end
local guests = { talker { 5, 126, 70000 }, talker { 300 } }
see_through(server, guests)
check(opened == closed, "onopen and onclose")
-- A server without memory for a message says so (RFC 6455, 7.4.1).
for _, g in ipairs(guests) do
  if not g.complete then
    check(g.code == 1011 or g.code == 1009, "it ended with " .. g.code)
    error("not enough memory", 0)
  end
end
check(opened == 2, "opened " .. opened .. " times")
check(beats <= 2, "pongs")
local stats = server:stats()
check(stats.connections == 0 and stats.messages_in == 4, "the counts")
check_ledger()
