local peers = require "spec.support.peers"
local wss = require "uvwss"

local function url(server)
  return ("ws://127.0.0.1:%d/"):format(server.port)
end

-- It went on being the receiver, and the next message went to it.
describe("a coroutine that is closed while it receives", function()
  local function second(when)
    local server <close> = peers.raw {
      { { "upgrade" }, { "frames", 1 }, { "frame", 1, "61" },
        { "frame", 1, "62" }, { "until", 8 } } }
    local ws = wss.connect(url(server))
    local got = {}
    local first = wss.spawn(function() ws:receive() end)
    local function go_on()
      wss.spawn(function()
        got[1], got[2] = ws:receive(), ws:receive()
        ws:close()
      end)
    end
    function ws:onopen()
      wss.spawn(function()
        coroutine.close(first)
        if when == "before" then go_on() end
        self:send "go"
        if when == "after" then wss.timer(0.05, go_on) end
      end)
    end
    wss.run()
    return got
  end

  it("leaves its place to another", function()
    assert.are.same({ "a", "b" }, second "before")
  end)

  it("takes no message with it", function()
    assert.are.same({ "a", "b" }, second "after")
  end)
end)
