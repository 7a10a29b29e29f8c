-- Ends the process, and the Lua state with it, in the middle of things.
--
--   lua5.4 spec/support/exit.lua WHERE SINK TALK SIZE [CA]
--
-- SINK is a URL whose server reads nothing, TALK one that sends a message at
-- once. When four messages of SIZE bytes and two of ws:stream wait for SINK,
-- the call-out that WHERE names calls os.exit(true, true). Prints "left"
-- before, and "called" if anything of ours is called after. Another way to
-- leave, and to tell of a call, may be handed in by whoever loads this file.

local where, sink, talk, size, ca, leave, called = ...
local wss = require "uvwss"

size = tonumber(size)
local big = ("x"):rep(size)
local left = false
called = called or function() print "called" end

-- What every function that we hand over begins with.
local function heard(what)
  if left then
    called(what)
  elseif what == where then
    left = true
    if leave then leave() end
    print "left"
    os.exit(true, true)
  end
end

local function options(more)
  more = more or {}
  more.max_buffered = 8 * size
  if ca then more.tls = { ca = ca } end
  return more
end

-- It is not this end that is tested if a connection was lost before.
local function lost(_, _, _, err)
  heard "close"
  if err and err.code ~= "local" then error(err, 0) end
end

local writer -- is not collected before the end
local function fill(ws)
  ws:send("first", "text", function() heard "done" end)
  for _ = 1, 4 do
    assert(ws:send(big, "binary", function(_, outcome)
      heard(outcome == "unsent" and "unsent" or "partial")
    end))
  end
  local finished = assert(ws:stream())
  assert(finished:write("piece", function() heard "piece" end))
  assert(finished:finish "end")
  writer = assert(ws:stream())
  assert(writer:write("open", function() heard "piece" end))
end

-- What makes the call-out come, once the sink is full.
local provoke = {
  open = function() end,
  done = function() end,
  close = function(ws) ws:terminate() end,
  partial = function(ws) ws:terminate() end,
  unsent = function(ws) ws:terminate() end,
  piece = function(ws) ws:terminate() end,
  timer = function() wss.timer(0, function() heard "timer" end) end,
  coroutine = function() wss.spawn(function() heard "coroutine" end) end,
  message = function()
    local ws = wss.connect(talk, options())
    function ws:onmessage() heard "message" end
    ws.onclose = lost
  end,
  receive = function()
    wss.spawn(function()
      local ws = wss.connect(talk, options())
      assert(ws:receive())
      heard "receive"
    end)
  end,
  drain = function()
    local ws = wss.connect(talk, options { high_water = 10, low_water = 5 })
    function ws:onopen() self:send(("y"):rep(100)) end
    function ws:ondrain() heard "drain" end
    ws.onclose = lost
  end,
  reconnect = function()
    local ws = wss.connect("ws://127.0.0.1:1", { reconnect = true })
    function ws:onreconnect() heard "reconnect" end
  end,
  error = function()
    function wss.onerror() heard "error" end
    wss.timer(0, function() error "for onerror" end)
  end,
}

local ws = wss.connect(sink, options())
function ws:onopen()
  fill(self)
  heard "open"
  wss.timer(0.005, function() provoke[where](self) end)
end
ws.onclose = lost
wss.run()
error(("%s never came"):format(where))
