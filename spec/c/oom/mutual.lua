-- A server that demands a certificate, a client with one and one without.
local names, refused = {}, 0
local server = host({
  tls = { cert = CERT, key = KEY, client_ca = CA, verify_client = "require" },
  onopen = function(_, ws)
    local chain = ws.tls.chain
    check(ws.tls.verified, "not verified")
    names[#names + 1] = ws.tls.resumed and "resumed" or chain[1].subject
    must(ws:send(message(1, 20000)))
  end,
  onrefused = function(_, err)
    refused = refused + 1
    check(err.kind, "no kind")
  end,
}, "wss://127.0.0.1:0")
local with = must(wss.tls { ca = CA, cert = CERT, key = KEY })
local good = guest(server, {
  tls = with,
  onmessage = function(ws, data)
    check(data == message(1, 20000), "the message")
    ws:close()
  end,
})
local bad = guest(server, {
  tls = { ca = CA },
  onmessage = function() check(false, "served without a certificate") end,
})
wss.run()
check(server.state == "closed", "the server is " .. server.state)
check(bad.count == 1 and bad.err, "no error without a certificate")
if good.err then error(good.err, 0) end
check(#names == 1, "more than one was served")
if bad.err.kind ~= "tls" then error(bad.err, 0) end
with = nil
check_ledger()
