--- The operations whose instructions are counted, under callgrind:
-- operations.lua CERT KEY CA. Prints `label operations` for each dump.

local driver = require "driver"
local wss = require "uvwss"

local cert, key, ca = table.unpack(arg)
local step = wss.step

local function passes(n) for _ = 1, n do step() end end

-- ---- a client's frames -----------------------------------------------------

local KEY <const> = "\x12\x34\x56\x78"

local function masked(data)
  local mask = KEY:rep(#data // 4 + 1):sub(1, #data)
  local out, width = {}, 4096
  for at = 1, #data, width do
    local a = { data:byte(at, math.min(at + width - 1, #data)) }
    local b = { mask:byte(at, math.min(at + width - 1, #data)) }
    for i = 1, #a do a[i] = a[i] ~ b[i] end
    out[#out + 1] = string.char(table.unpack(a))
  end
  return table.concat(out)
end

local function length(size, mask)
  if size < 126 then return string.pack("B", mask + size) end
  if size < 65536 then return string.pack(">BI2", mask + 126, size) end
  return string.pack(">BI8", mask + 127, size)
end

local function frame(data, opcode)
  return string.pack("B", 0x80 + opcode) .. length(#data, 128) .. KEY
    .. masked(data)
end

-- Bytes of the frame that comes back.
local function answer(size) return 1 + #length(size, 0) + size end

-- ---- connections -----------------------------------------------------------

local function listen(tls, options)
  options.tls = tls and { cert = cert, key = key } or nil
  options.ping_interval = false
  return assert(wss.listen((tls and "wss" or "ws") .. "://127.0.0.1:0",
    options))
end

local REQUEST <const> = "GET / HTTP/1.1\r\nHost: localhost\r\n"
  .. "Upgrade: websocket\r\nConnection: Upgrade\r\n"
  .. "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
  .. "Sec-WebSocket-Version: 13\r\n%s\r\n"
local DEFLATE <const> = "Sec-WebSocket-Extensions: permessage-deflate; "
  .. "server_no_context_takeover; client_no_context_takeover\r\n"

local function open(server, tls, deflate)
  local client = driver.connect(server.port, tls)
  while not client:shake() do step() end
  client:write(REQUEST:format(deflate and DEFLATE or ""))
  local text
  repeat
    step()
    text = client:text()
  until #text > 0
  assert(text:find "^HTTP/1.1 101" and text:find "\r\n\r\n$", text)
  assert(not deflate or text:find "permessage%-deflate", text)
  passes(3)
  return client
end

local function finish(server, ...)
  for _, client in ipairs { ... } do client:close() end
  server:close(0)
  passes(10)
  collectgarbage()
  collectgarbage()
end

-- What is collected while it is counted, and when, is the same in every run.
local function counted(label, operations, f)
  collectgarbage()
  collectgarbage()
  driver.start()
  f()
  driver.stop(label)
  print(label, operations)
end

-- ---- what is counted -------------------------------------------------------

local function echo(label, tls, data, opcode, in_flight, n, deflate)
  local server = listen(tls, { compress = deflate,
    onmessage = function(_, ws, text, kind) ws:send(text, kind) end })
  local client = open(server, tls, deflate)
  local bytes = frame(data, opcode):rep(in_flight)
  local expected = answer(#data) * in_flight
  driver.rounds(client, step, bytes, expected, 3)
  counted(label, n * in_flight, function()
    driver.rounds(client, step, bytes, expected, n)
  end)
  finish(server, client)
end

local function receive(label, data, opcode, n)
  local count = 0
  local server = listen(true, {
    onmessage = function() count = count + 1 end })
  local client = open(server, true)
  local bytes, all = frame(data, opcode):rep(64), 0
  local function round()
    client:write(bytes)
    all = all + 64
    while count < all do step() end
  end
  round()
  counted(label, n * 64, function() for _ = 1, n do round() end end)
  finish(server, client)
end

local function send(label, size, n)
  local mine
  local server = listen(true, { onopen = function(_, ws) mine = ws end })
  local client = open(server, true)
  local data = ("x"):rep(size)
  local function round()
    for _ = 1, 64 do mine:send(data, "binary") end
    local came = 0
    while came < 64 * answer(size) do
      step()
      came = came + client:read()
    end
  end
  round()
  counted(label, n * 64, function() for _ = 1, n do round() end end)
  finish(server, client)
end

local function publish(label, receivers, deflate, n)
  local server = listen(true, { compress = deflate,
    onopen = function(_, ws) ws:subscribe "all" end })
  local clients = {}
  for i = 1, receivers do clients[i] = open(server, true, deflate) end
  local data = ("0123456789abcdef"):rep(64)
  local function round()
    server:publish("all", data, "text")
    passes(4)
    for _, client in ipairs(clients) do client:read() end
  end
  round()
  counted(label, n * receivers, function() for _ = 1, n do round() end end)
  finish(server, table.unpack(clients))
end

local function handshake(label, tls, n)
  local server = listen(tls, { onclose = function() end })
  local function round()
    local client = open(server, tls)
    client:close()
    passes(3)
  end
  round()
  round()
  counted(label, n, function() for _ = 1, n do round() end end)
  finish(server)
end

local function coroutine_echo(label, n)
  local server = listen(true, { onopen = function(_, ws)
    wss.spawn(function()
      for data, kind in ws:messages() do ws:send(data, kind) end
    end)
  end })
  local client = open(server, true)
  local bytes = frame(("x"):rep(32), 2):rep(64)
  driver.rounds(client, step, bytes, answer(32) * 64, 3)
  counted(label, n * 64, function()
    driver.rounds(client, step, bytes, answer(32) * 64, n)
  end)
  finish(server, client)
end

-- Our client and our server, both counted.
local function both(label, n)
  local server = listen(true, {
    onmessage = function(_, ws, text, kind) ws:send(text, kind) end })
  local count, is_open = 0, false
  local data = ("x"):rep(32)
  local ws = wss.connect("wss://localhost:" .. server.port, {
    tls = { ca = ca }, ping_interval = false,
    onopen = function() is_open = true end,
    onmessage = function() count = count + 1 end })
  while not is_open do step() end
  local all = 0
  local function round()
    for _ = 1, 64 do ws:send(data, "binary") end
    all = all + 64
    while count < all do step() end
  end
  round()
  counted(label, n * 64, function() for _ = 1, n do round() end end)
  ws:terminate()
  finish(server)
end

local function timers(label, n)
  counted(label, n, function()
    for _ = 1, n do wss.timer(1000, print):cancel() end
    passes(2)
  end)
end

local binary <const>, text <const> = 2, 1
local line = ("The quick brown fox jumps over the lazy dog. "):rep(1500)
local greek = ("Ξεσκεπάζω τὴν ψυχοφθόρα βδελυγμία. "):rep(1000):sub(1, 60000)
greek = greek:match("^.*%.")

echo("echo 32 B, one in flight", true, ("x"):rep(32), binary, 1, 200)
echo("echo 32 B, 64 in flight", true, ("x"):rep(32), binary, 64, 20)
echo("echo 32 B text, 64 in flight", true, ("x"):rep(32), text, 64, 20)
echo("echo 1 KiB, 64 in flight", true, ("x"):rep(1024), binary, 64, 10)
echo("echo 64 KiB", true, ("x"):rep(65536), binary, 1, 20)
echo("echo 1 MiB", true, ("x"):rep(1 << 20), binary, 1, 2)
echo("echo 32 B, 64 in flight, ws", false, ("x"):rep(32), binary, 64, 20)
coroutine_echo("echo 32 B, 64 in flight, coroutine", 20)
receive("receive 32 B", ("x"):rep(32), binary, 20)
receive("receive 32 B text", ("x"):rep(32), text, 20)
send("send 32 B", 32, 20)
send("send 1 KiB", 1024, 10)
both("both sides of 32 B", 20)
publish("publish 1 KiB to 100", 100, false, 10)
publish("publish 1 KiB to 100, compressed", 100, true, 5)
handshake("connection, wss", true, 10)
handshake("connection, ws", false, 20)
timers("timer set and cancelled", 500)
counted("UTF-8, 66 KiB of ASCII", 10, function() driver.utf8(line, 10) end)
counted("UTF-8, 58 KiB of Greek", 10, function() driver.utf8(greek, 10) end)
counted("unmask 64 KiB", 10, function() driver.unmask(line, 10) end)
