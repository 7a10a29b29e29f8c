-- A local socket, and its file.
local path = FOLDER .. "/s"
local server = host({
  onmessage = function(_, ws, data, kind) must(ws:send(data, kind)) end,
}, "ws+unix://" .. path)
check(server.port == nil and server.url == "ws+unix://" .. path, "the URL")
local function echo(url)
  return guest(server, {
    onopen = function(ws) must(ws:send(message(1, 1000))) end,
    onmessage = function(ws, data)
      check(data == message(1, 1000), "the echo")
      ws:close()
    end,
  }, url)
end
see_through(server, { echo(), echo("ws+unix://" .. path .. ":/resource") })
check(not io.open(path), "the socket is still there")
check_ledger()
