-- What the scenarios share.

local ws_url = "ws://127.0.0.1:" .. PORT
local wss_url = "wss://127.0.0.1:" .. TLS_PORT

function URL(path) return ws_url .. path end
function TLS_URL(path) return wss_url .. path end

-- What must never be.
function check(ok, what)
  if not ok then error("WRONG: " .. what, 0) end
end

-- The n-th message: its size is given, its bytes are its own.
function message(n, size)
  local s = ("%d:"):format(n)
  return (s .. ("abcdefghijk%d "):format(n):rep(size // 12 + 1)):sub(1, size)
end

-- A function for `done` that must be called once, and how often it was.
function once()
  local calls = 0
  return function(err, outcome)
    calls = calls + 1
    check(calls == 1, "done was called twice")
    check((err == nil) == (outcome == "written"), "done with a wrong outcome")
  end, function() return calls end
end

-- The value, or raise the error as it is.
function must(value, err)
  if value == nil then error(err, 0) end
  return value, err
end

-- Nothing may be left.
function check_ledger()
  for name, n in pairs(wss.stats()) do
    check(n == 0, name .. " is " .. n .. " at the end")
  end
end

-- A server of this state, in which `guest` starts its clients: with the last
-- of them it ends; with the first one that is lost, where `server.need_all`.
local present = 0
function host(options, url)
  present = 0
  return must(wss.listen(url or "ws://127.0.0.1:0", options))
end

local function leave(server, err)
  present = present - 1
  if present == 0 or (err and server.need_all) then server:close(20) end
end

function guest(server, options, url)
  local g = { count = 0 }
  options = options or {}
  function options.onclose(_, code, _, err)
    g.count = g.count + 1
    check(g.count == 1, "onclose was called twice")
    check(not err or err.kind ~= "timeout", "a client was not served")
    g.code, g.err = code, err
    leave(server, err)
  end
  present = present + 1
  g.ws = wss.connect(url or server.url, options)
  return g
end

-- One that writes `text`, and reads to the end.
function raw_guest(server, text)
  local g = { count = 0 }
  local id = raw_dial(server.port, text)
  local timer
  present = present + 1
  timer = wss.timer(0, function()
    local heard, over = raw_hear(id)
    if not over then return end
    timer:cancel()
    g.count, g.heard = 1, heard
    leave(server)
  end, 0.001)
  return g
end

-- Run to the end of all, of which nothing may take long. An error of one of
-- the guests is raised.
function see_through(server, guests)
  local began = os.time()
  wss.run()
  check(server.state == "closed", "the server is " .. server.state)
  check(os.time() - began < 8, "something waited for its time to run out")
  for i, g in ipairs(guests) do
    check(g.count == 1, "guest " .. i .. " did not hear of its end")
    if g.err then error(g.err, 0) end
  end
end

-- What was begun, for those scripts that fail in the middle.
-- There is room for them before it is needed.
local begun, count = {}, 0
for i = 1, 40 do begun[i] = false end
local function noted(fn)
  return function(...)
    local object, err = fn(...)
    if object then
      count = count + 1
      begun[count] = object
    end
    return object, err
  end
end
wss.connect, wss.timer = noted(wss.connect), noted(wss.timer)
wss.listen, wss.signal = noted(wss.listen), noted(wss.signal)

-- Whatever has failed, the loop can still be used, and comes to its end.
function clean_up()
  wss.onerror = nil
  for i = 1, count do
    local object = begun[i]
    if object.terminate then object:terminate()
    elseif object.cancel then object:cancel()
    else object:close(0) end
  end
  begun = {}
  for _ = 1, 100 do
    local ok = pcall(wss.run)
    if ok then break end
  end
  collectgarbage()
  collectgarbage()
  check_ledger()
end
