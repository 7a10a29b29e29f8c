local wss = require "uvwss"

-- The second argument was not looked at where the first was nil.
describe("writer:finish with a function and no piece", function()
  local function nothing() end

  it("calls it", function()
    local server = assert(wss.listen "ws://127.0.0.1:0")
    local ws = wss.connect(server.url, { onmessage = nothing })
    local writer = assert(ws:stream())
    local outcome
    assert.is_true(writer:write "x")
    assert.is_true(writer:finish(nil, function(_, how) outcome = how end))
    local timer = wss.timer(5, function() outcome = "never" end)
    repeat wss.sleep(0.01) until outcome
    assert.are.equal("written", outcome)
    timer:cancel()
    ws:terminate()
    server:close(0)
    wss.run()
  end)

  it("raises for what is no function", function()
    local ws = wss.connect("ws://127.0.0.1:1", { onclose = nothing })
    local writer = assert(ws:stream())
    local ok, message = pcall(writer.finish, writer, nil, 5)
    assert.is_false(ok)
    assert.is_truthy(message:find("function expected, got number", 1, true))
    ws:terminate()
    wss.run()
  end)
end)
