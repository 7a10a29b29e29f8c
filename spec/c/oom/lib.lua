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

-- What was begun, for those scripts that fail in the middle.
-- There is room for them before it is needed.
local begun, count = {}, 0
for i = 1, 40 do begun[i] = false end
local function noted(fn)
  return function(...)
    local object = fn(...)
    count = count + 1
    begun[count] = object
    return object
  end
end
wss.connect, wss.timer = noted(wss.connect), noted(wss.timer)

-- Whatever has failed, the loop can still be used, and comes to its end.
function clean_up()
  wss.onerror = nil
  for i = 1, count do
    local object = begun[i]
    if object.terminate then object:terminate() else object:cancel() end
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
