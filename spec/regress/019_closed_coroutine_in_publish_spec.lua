local server = require "spec.support.server"
local wss = require "uvwss"

-- A server and its connection to a client that reads nothing.
local function crowded()
  local s = server.listen { slow_consumer = "wait", high_water = 1000,
    low_water = 10 }
  local ws = wss.connect(s.url)
  ws:pause()
  function ws:onmessage() end
  function ws:onclose() s:close() end
  server.await(function() return s.count == 1 end)
  local accepted = s:connections()()
  repeat
    accepted:send(("x"):rep(1 << 20))
    wss.sleep(0)
  until accepted.buffered > 1 << 20
  return s, ws, accepted
end

-- It was kept among those that wait for as long as the server lived.
describe("a coroutine that was closed while it waited in publish", function()
  after_each(server.clean)

  it("is forgotten when there is room", function()
    local s, ws, accepted = crowded()
    local waits = setmetatable({}, { __mode = "k" })
    for _ = 1, 10 do
      local co = coroutine.create(function() s:broadcast "late" end)
      waits[co] = true
      assert.is_true(coroutine.resume(co))
      assert.are.equal("suspended", coroutine.status(co))
      coroutine.close(co)
    end
    ws:resume()
    server.await(function() return accepted.buffered == 0 end)
    wss.sleep(0)
    collectgarbage()
    collectgarbage()
    assert.is_nil((next(waits)))
    ws:close()
    wss.run()
  end)
end)

-- Waiting would have run the loop in the middle of another's call.
describe("publish in a coroutine that cannot yield", function()
  after_each(server.clean)

  it("does not wait, as in a handler", function()
    local s, ws = crowded()
    local ran, given = false, nil
    local timer = wss.timer(0, function() ran = true end)
    local co = coroutine.create(function()
      string.gsub("x", "x", function() given = s:broadcast "now" end)
    end)
    assert.is_true(coroutine.resume(co))
    assert.are.equal(1, given)
    assert.is_false(ran)
    timer:cancel()
    ws:terminate()
    wss.run()
  end)
end)
