-- luacheck: read_globals PORT TLS_PORT IMPOSTOR_PORT NUMBER CA
-- What one Lua state does while others do the same: connections with and
-- without TLS, messages both ways, timers, errors of every kind, and ends.

local wss = require "uvwss"

local function url(path) return ("ws://localhost:%d%s"):format(PORT, path) end
local function secure(path)
  return ("wss://localhost:%d%s"):format(TLS_PORT, path)
end

local expected, seen = 0, 0
local function expect(n) expected = expected + n end
local function saw() seen = seen + 1 end

-- Our own bytes come back, not those of another thread.
local function talk(address, options, size)
  expect(1)
  wss.spawn(function()
    local ws <close> = wss.connect(address, options)
    for i = 1, 5 do
      local data = ("%d/%d:"):format(NUMBER, i) .. ("z"):rep(size)
      assert(ws:send(data, i % 2 == 0 and "binary" or "text"))
      assert(ws:receive(60) == data, "another's message")
    end
    local writer = assert(ws:stream())
    assert(writer:write(("%d"):format(NUMBER)))
    assert(writer:finish "!")
    assert(ws:receive(60) == NUMBER .. "!", "another's message")
    ws:close(1000)
    ws:receive(60)
    saw()
  end)
end

-- An end that is not ours, with its reason.
local function fail(address, options, kind)
  expect(1)
  local ws = wss.connect(address, options)
  function ws:onopen() self:send "hello" end
  function ws:onmessage() end
  function ws:onclose(_, _, err)
    assert(err and err.kind == kind, tostring(err))
    saw()
  end
end

local tls = assert(wss.tls { ca = CA })
talk(url "/echo", nil, 10)
talk(url "/ping", nil, 100000)
talk(secure "/echo", { tls = tls }, 1000)
talk(secure "/echo", { tls = { ca = CA, max_version = "1.2" } }, 50000)
fail(url "/bad", nil, "protocol")
fail(url "/503", nil, "upgrade")
fail(url "/once", nil, "closed")
fail("ws://127.0.0.1:1/", nil, "connect")
fail(("wss://localhost:%d/"):format(IMPOSTOR_PORT), { tls = tls },
  "certificate")

expect(3)
local again = wss.connect(secure "/once", {
  tls = tls, reconnect = { min = 0.001, max = 0.01 },
})
function again:onopen() self:send "hello" end
function again:onclose() end -- the server breaks it, whoever closes first
local echoes = 0
function again:onmessage()
  echoes = echoes + 1
  saw()
  if echoes == 3 then self:close() end
end

expect(5)
local ticks = 0
local timer
timer = wss.timer(0, function()
  ticks = ticks + 1
  saw()
  if ticks == 5 then timer:cancel() end
end, 0.001)

wss.run()
assert(seen == expected, ("%d of %d"):format(seen, expected))
for name, n in pairs(wss.stats()) do
  assert(n == 0, name .. " is " .. n)
end

-- And an end in the middle of things.
wss.connect(secure "/sink", { tls = tls }):send(("x"):rep(1 << 20))
wss.connect(url "/talk").onmessage = function() wss.stop() end
wss.run()
