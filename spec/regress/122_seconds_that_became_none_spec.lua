local wss = require "uvwss"

-- A tenth of a microsecond was rounded to 0, which means never.
describe("a ping_interval above 0", function()
  it("is an interval, however short", function()
    local server = assert(wss.listen("ws://127.0.0.1:0",
      { ping_interval = 1e-7 }))
    local pings = 0
    local ws = wss.connect(server.url, { onmessage = function() end,
      onping = function() pings = pings + 1 end })
    local late = false
    local timer = wss.timer(5, function() late = true end)
    repeat wss.sleep(0.01) until pings > 0 or late
    assert.is_false(late)
    timer:cancel()
    ws:terminate()
    server:close(0)
    wss.run()
  end)
end)
