-- Servers that listen with options of every kind, or cannot, and end.
local servers = {}
for i, url in ipairs { "ws://127.0.0.1:0", "ws://localhost:0", "ws://*:0" } do
  local server = host({
    subprotocols = { "a", "b" }, origins = { "http://x", "http://y" },
    handshake_timeout = 1, max_connections = 3, slow_consumer = "drop",
    onmessage = function() end,
  }, url)
  check(server.port > 0 and server.count == 0, "the port")
  check(tostring(server):find("listening", 1, true), "its name")
  check(server:stats().accepted == 0, "somebody came")
  servers[i] = server
end
local second, err = wss.listen(servers[1].url)
check(not second and err, "a port was taken twice")
if err.code ~= "EADDRINUSE" then error(err, 0) end
local ok, wrong_option = pcall(wss.listen, "ws://127.0.0.1:0",
  { origin = "http://x" })
check(not ok, "a wrong option was accepted")
if not tostring(wrong_option):find "did you mean 'origins'" then
  error(wrong_option, 0)
end
servers[1]:close(0)
servers[2]:close(1)
do local _ <close> = servers[3] end
wss.run()
for i = 1, 3 do check(servers[i].state == "closed", "server " .. i) end
servers = nil
collectgarbage()
check_ledger()
