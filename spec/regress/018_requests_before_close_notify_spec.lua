local certs = require "spec.support.certs"
local process = require "spec.support.process"
local server = require "spec.support.server"

-- All but the first were dropped: the end of the input, which was known by
-- then, ended the connection.
describe("requests with close_notify behind them", function()
  after_each(server.clean)

  it("are all answered", function()
    local paths = {}
    local s = server.listen({ tls = certs "server",
      onrequest = function(_, request)
        paths[#paths + 1] = request.path
        return 200, nil, "x"
      end }, "wss://127.0.0.1:0")
    local child <close> = process.start { "/usr/bin/python3",
      "spec/support/peers/notified.py", s.port, 3, ready = false }
    server.await(function()
      local st = s:stats()
      return st.accepted == 1 and st.handshaking == 0
    end, "the end of the caller")
    assert.are.equal("", child:stderr())
    assert.are.same({ "/1", "/2", "/3" }, paths)
    server.finish(s)
  end)
end)
