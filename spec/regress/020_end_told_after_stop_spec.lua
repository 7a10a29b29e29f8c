-- wss.stop in one handler, and the end of another connection was told all the
-- same when its close callback came in that pass of the loop.

local process = require "spec.support.process"
local server = require "spec.support.server"
local wss = require "uvwss"

describe("the end of a connection after wss.stop", function()
  after_each(server.clean)

  it("is told in the next run, to whoever hears of ends", function()
    local halted, told = false, {}
    local function tell(what)
      assert(not halted, what .. " was called after wss.stop")
      told[#told + 1] = what
    end
    local s = server.listen {
      onclose = function() tell "server" end,
    }
    local one = wss.connect(s.url, { onclose = function() tell "client" end })
    local other = wss.connect(s.url, { reconnect = { max = 1 },
      onreconnect = function()
        tell "reconnect"
        return false
      end,
      onclose = function() tell "given up" end })
    server.await(function()
      return one.state == "open" and other.state == "open" and s.count == 2
    end)
    -- Their close callbacks come behind the timer, in the first pass.
    for ws in s:connections() do ws:terminate() end
    one:terminate()
    wss.timer(0, function()
      halted = true
      wss.stop()
    end)
    wss.run()
    assert.are.same({}, told)
    halted = false
    s:close(0)
    wss.run()
    table.sort(told)
    assert.are.same({ "client", "given up", "reconnect", "server", "server" },
      told)
  end)

  it("is forgotten when the state closes first", function()
    local said, status = process.run { "lua5.4", "-e", [[
      local wss = require "uvwss"
      local s = assert(wss.listen "ws://127.0.0.1:0")
      local ws = wss.connect(s.url, { onopen = wss.stop,
        onclose = function() print "called" end })
      wss.run()
      ws:terminate()
      wss.timer(0, wss.stop)
      wss.run()
      print(ws.state)
      os.exit(true, true)
    ]] }
    assert.are.same({ "closing\n", "" }, { said, status.stderr })
    assert.are.equal(0, status.code)
  end)
end)
