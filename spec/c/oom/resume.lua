-- Sessions that are resumed when a connection that broke is made again, and
-- certificates by the name that is asked for.
local server = host({
  tls = { cert = CERT, key = KEY,
    sni = { localhost = { cert = CERT, key = KEY } } },
  onmessage = function(_, ws, data)
    if data == "break" then
      ws:terminate()
    else
      must(ws:send(data))
    end
  end,
}, "wss://127.0.0.1:0")
local function talker(options)
  local opens, g = 0, nil
  options.reconnect = { min = 0.001, max = 0.002 }
  function options.onopen(ws)
    opens = opens + 1
    must(ws:send(message(opens, 300)))
  end
  function options.onmessage(ws, data)
    local n = tonumber(data:match "^(%d+):")
    check(n <= opens and data == message(n, 300), "message " .. opens)
    if n < opens then return end -- one that could not be sent before
    if opens < 3 then
      must(ws:send "break")
    else
      g.complete = true
      ws:close()
    end
  end
  -- What fails for good is not tried for ever.
  function options.onreconnect(_, attempt) return attempt < 5 end
  g = guest(server, options, ("wss://localhost:%d/"):format(server.port))
  return g
end
local guests = {
  talker { tls = { ca = CA } },
  talker { tls = { ca = CA, max_version = "1.2" } },
}
see_through(server, guests)
for i, g in ipairs(guests) do
  check(g.complete, "guest " .. i .. " ended well, but not complete")
end
check_ledger()
