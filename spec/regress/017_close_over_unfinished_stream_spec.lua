local server = require "spec.support.server"
local wss = require "uvwss"

-- The answer to a peer's close waited behind a message that nobody could
-- finish any more, until close_timeout: the peer saw no close at all.
describe("a peer's close", function()
  after_each(server.clean)

  for _, begun in ipairs { true, false } do
    it("is answered while a stream is open, " .. (begun and "begun" or "empty"),
      function()
        local writer
        local s = server.listen { close_timeout = 600 }
        function s:onopen(ws)
          ws:send "first"
          writer = ws:stream()
          if begun then writer:write "beginning" end
        end
        local ws = wss.connect(s.url, { close_timeout = 600 })
        function ws:onmessage(data)
          self.got = data
          self:close(4000, "enough")
        end
        function ws:onclose(code, _, err)
          self.ended = { code, err }
          s:close()
        end
        wss.run()
        assert.are.equal("first", ws.got)
        assert.are.same({ 4000 }, ws.ended)
        assert.is_nil((writer:write "more"))
      end)
  end
end)
