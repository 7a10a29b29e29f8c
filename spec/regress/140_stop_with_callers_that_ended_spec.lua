-- A caller that had not been upgraded ended in the pass in which a handler
-- called wss.stop, and nobody forgot it: closing the state was an abort.

local process = require "spec.support.process"

describe("a caller that was never upgraded, ended in the pass of wss.stop",
  function()
  it("is forgotten when the state closes", function()
    local said, status = process.run { "lua5.4", "-e", [[
      local wss = require "uvwss"
      local s = assert(wss.listen "ws://127.0.0.1:0")
      local silent = io.popen("bash -c 'exec 3<>/dev/tcp/127.0.0.1/" ..
        s.url:match ":(%d+)" .. "; echo; read -u 3 x'")
      silent:read()
      local ws = wss.connect(s.url, { reconnect = false })
      function ws:onopen() self:send "x" end
      function s:onmessage()
        print(wss.stats().transports)
        s:close()
        wss.stop()
      end
      wss.run()
      print "stopped"
      os.exit(true, true)
    ]] }
    assert.are.same({ "3\nstopped\n", "" }, { said, status.stderr })
    assert.are.equal(0, status.code)
  end)
end)
