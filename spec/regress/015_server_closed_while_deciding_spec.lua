local server = require "spec.support.server"
local wss = require "uvwss"

-- A metamethod or a finalizer of the user's runs while the answer of onupgrade
-- is read: an assertion failed.
describe("a server that is closed while an upgrade is decided", function()
  after_each(server.clean)

  local function refused(answer)
    local s = server.listen { onupgrade = answer }
    local ended
    wss.connect(s.url, { onclose = function(_, _, _, err) ended = err end })
    wss.run()
    assert.are.same({ "upgrade", "status", 503 },
      { ended.kind, ended.code, ended.status })
    assert.are.equal("closed", s.state)
  end

  it("answers 503: in a metamethod", function()
    refused(function(self)
      return setmetatable({}, { __index = function() self:close() end })
    end)
  end)

  it("answers 503: in a finalizer", function()
    refused(function(self)
      setmetatable({}, { __gc = function() self:close() end })
      return setmetatable({}, { __index = function() collectgarbage() end })
    end)
  end)
end)

-- The list of what was offered is the user's to change: it was trusted to hold
-- nothing but tokens, and an assertion failed.
describe("a subprotocol that is no token", function()
  after_each(server.clean)

  it("is not chosen, even if the user puts it among those offered", function()
    local bad = "a\r\nEvil: x"
    local s = server.listen { onupgrade = function(_, request)
      request.subprotocols[1] = bad
      return { subprotocol = bad }
    end }
    local ws = wss.connect(s.url, { subprotocols = { "a" } })
    function ws:onopen(info)
      self.chosen = info.subprotocol or "none"
      self:close()
    end
    function ws:onclose() s:close() end
    wss.run()
    assert.are.equal("none", ws.chosen)
  end)
end)
