local peers = require "spec.support.peers"
local wss = require "uvwss"

local function url(server)
  return ("ws://127.0.0.1:%d/"):format(server.port)
end

-- A write that failed ended the connection over what was still to be read.
describe("what a peer said before it hung up", function()
  it("is heard although a write fails: messages, code and reason", function()
    local server <close> = peers.raw {
      { { "upgrade" }, { "frames", 1 }, { "frame", 1, "61" },
        { "frame", 1, "62" }, { "frame", 8, "03f06e6f" }, { "reset" } } }
    local ws = wss.connect(url(server))
    local seen = {}
    function ws:onopen()
      self:send("go", "text", function()
        peers.until_ended(server)
        self:send "into the void"
      end)
    end
    function ws:onmessage(data) table.insert(seen, data) end
    function ws:onclose(code, reason, err)
      table.insert(seen, code .. reason)
      assert.is_nil(err)
    end
    wss.run()
    assert.are.same({ "a", "b", "1008no" }, seen)
  end)

  it("is not lost to one who answers each message in turn", function()
    local server <close> = peers.raw {
      { { "upgrade" }, { "frame", 1, "61" }, { "frame", 1, "62" },
        { "frame", 1, "63" }, { "frame", 8, "03e8" }, { "close" } } }
    local ws = wss.connect(url(server))
    local seen = {}
    wss.run(function()
      for data in ws:messages() do
        table.insert(seen, data)
        if data == "a" then peers.until_ended(server) end
        for _ = 1, 3 do
          ws:send "answer"
          wss.sleep(0)
        end
      end
    end)
    assert.are.same({ "a", "b", "c" }, seen)
  end)

  it("does not keep a connection that nobody reads", function()
    local server <close> = peers.raw {
      { { "upgrade" }, { "frame", 1, "61" }, { "frame", 1, "62" },
        { "frames", 1 }, { "reset" } } }
    local ws = wss.connect(url(server), { close_timeout = 0.2 })
    local closed
    function ws:onopen()
      local timer
      timer = wss.timer(0, function()
        if not self:send "x" or closed then timer:cancel() end
      end, 0.01)
    end
    function ws:onclose(_, _, err) closed = err.code end
    wss.run()
    assert.are.equal("reset", closed)
  end)
end)
