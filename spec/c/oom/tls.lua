-- A verified connection, and a second one that may resume the session.
local tls = must(wss.tls { ca = CA })
wss.run(function()
  for i = 1, 2 do
    local ws <close> = wss.connect(TLS_URL "/echo", { tls = tls })
    local done = once()
    must(ws:send(message(i, 20000), "text", done))
    check(must(ws:receive()) == message(i, 20000), "message " .. i)
    local peer = ws.tls
    check(peer.verified and peer.version == "TLSv1.3", "not verified")
    check(#peer.chain >= 1 or peer.resumed, "no chain")
    ws:close()
    ws:receive()
  end
end)
tls = nil
check_ledger()
