-- Ends the process, and the Lua state with it, inside a call-out of a server.
--
--   lua5.4 spec/support/exit_server.lua WHERE SIZE [CERT KEY CA]
--
-- One client reads nothing: for it wait two published messages of SIZE bytes,
-- which another client has too, two sent ones and a stream, and a coroutine
-- waits in publish. Then the call-out that WHERE names is made to come, and
-- calls os.exit(true, true). Prints "left" before, and "called" if anything of
-- ours is called after. Another way to leave, and to tell of a call, may be
-- handed in by whoever loads this file.

local where, size, cert, key, ca, leave, called = ...
local wss = require "uvwss"

size = tonumber(size)
local big = ("x"):rep(size)
local left, ready, sink = false, false, nil
called = called or function() print "called" end

-- What every function that we hand over begins with.
local function heard(what)
  if left then
    called(what)
  elseif ready and what == where then
    left = true
    if leave then leave() end
    print "left"
    os.exit(true, true)
  end
end

local options = { max_buffered = 8 * size, high_water = size // 2,
  low_water = 10, origins = { "https://good.example" },
  slow_consumer = "wait", subprotocols = "a" }
if cert then
  options.tls = { cert = cert, key = key, trace = function()
    heard "trace"
  end }
end
local server = assert(wss.listen((cert and "wss" or "ws")
  .. "://127.0.0.1:0", options))
local url = ("%s://localhost:%d/"):format(cert and "wss" or "ws", server.port)

local function connect(path, more)
  more = more or {}
  more.onclose = more.onclose or function() heard "onclose of a client" end
  if ca then more.tls = { ca = ca } end
  return wss.connect(url:gsub("/$", path or "/"), more)
end

function server:onupgrade(request)
  heard "onupgrade"
  if request.path == "/wait" then
    wss.sleep(0.005)
    heard "onupgrade late"
  elseif request.path == "/no" then
    return false, 404, { x = "y" }, "z"
  end
end

function server:onrequest()
  heard "onrequest"
  wss.sleep(0.005)
  heard "onrequest late"
  return 200, nil, big
end

function server:onopen(ws)
  ws:subscribe "all"
  heard "onopen"
  if ws.request.path == "/receive" then
    wss.spawn(function()
      ws:receive()
      heard "receive"
    end)
  elseif ws.request.path == "/drain" then
    ws:send(big)
  end
end

function server:onmessage() heard "onmessage" end
function server:onping() heard "onping" end
function server:onpong() heard "onpong" end
function server:ondrain() heard "ondrain" end
function server:onclose() heard "onclose" end
function server:onrefused() heard "onrefused" end

local writer -- is not collected before the end
local function fill(ws)
  ws:send(big, "binary", function() heard "done" end)
  ws:send(big, "text", function(_, outcome)
    heard(outcome == "unsent" and "unsent" or "done")
  end)
  writer = assert(ws:stream())
  assert(writer:write("open", function() heard "done" end))
  for _ = 1, 2 do assert(server:publish("all", big)) end
  wss.spawn(function()
    server:publish("all", big)
    heard "room"
  end)
end

-- Another process, which ends with its connection: nobody waits for it.
local function ask()
  os.execute(("/usr/bin/python3 spec/support/peers/caller.py %s -- %d "
    .. "/dev/null/none '[[%s[\"ask\",\"GET\",\"/\"],[\"drain\"]]]' "
    .. ">/dev/null 2>&1 &"):format(ca and "--ca " .. ca or "", server.port,
      ca and '["tls"],' or ""))
end

-- What makes the call-out come.
local provoke = {
  onupgrade = connect,
  ["onupgrade late"] = function() connect "/wait" end,
  onrequest = ask,
  ["onrequest late"] = ask,
  onopen = connect,
  onmessage = function() connect():send "x" end,
  receive = function() connect "/receive":send "x" end,
  onping = function()
    connect("/", { onopen = function(ws) ws:ping "x" end })
  end,
  onpong = function()
    for ws in server:connections() do
      if ws ~= sink then ws:ping "x" end
    end
  end,
  ondrain = function() connect "/drain".onmessage = function() end end,
  onclose = function() sink:terminate() end,
  unsent = function() sink:terminate() end,
  room = function() sink:unsubscribe "all" end,
  onrefused = function() connect("/", { origin = "https://evil.example" }) end,
  ["onclose of a client"] = function() connect "/no" end,
  closing = function()
    server:close(1)
    wss.timer(0, function() heard "closing" end)
  end,
  closed = function()
    server:close(0)
    wss.timer(0.001, function()
      if server.state == "closed" then heard "closed" end
    end, 0.001)
  end,
  iterating = function()
    for _ in server:connections() do heard "iterating" end
  end,
  trace = connect,
}

connect().onmessage = function() end
connect("/", { onopen = function(ws) ws:pause() end, subprotocols = "a" })
local timer
timer = wss.timer(0.001, function()
  if ready or server.count < 2 then return end
  timer:cancel()
  for ws in server:connections() do
    if ws.subprotocol == "a" then sink = ws end
  end
  fill(sink)
  wss.timer(0.005, function()
    ready = true
    provoke[where]()
  end)
end, 0.001)
wss.run()
error(("%s never came"):format(where))
