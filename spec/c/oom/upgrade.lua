-- Decisions: at once and after a wait, with headers and a subprotocol.
local asked = 0
local server = host {
  subprotocols = { "chat" },
  onupgrade = function(_, request)
    asked = asked + 1
    check(request.method == "GET" and request.headers.upgrade, "the request")
    check(request.subprotocols[1] == "other", "the subprotocols")
    if request.path == "/wait" then wss.sleep(0.001) end
    if request.path == "/plain" then return true end
    return { subprotocol = "other",
      headers = { ["x-node"] = "a", ["set-cookie"] = { "a=1", "b=2" } } }
  end,
  onopen = function(_, ws) must(ws:send(ws.request.path)) end,
}
local guests = {}
for i, path in ipairs { "/wait", "/now", "/plain" } do
  guests[i] = guest(server, {
    subprotocols = { "other", "chat" },
    onmessage = function(ws, data)
      check(data == path, "the path")
      check(ws.subprotocol == (path == "/plain" and "chat" or "other"),
        "the subprotocol")
      ws:close()
    end,
  }, server.url .. path)
end
see_through(server, guests)
check(asked == 3, "asked " .. asked .. " times")
check_ledger()
