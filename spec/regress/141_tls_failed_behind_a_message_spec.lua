-- A message waited for somebody to take it, TLS failed behind it, and the next
-- thing that was sent ended the connection: without an error, and without the
-- message.

local certs = require "spec.support.certs"
local peers = require "spec.support.peers"
local wss = require "uvwss"

local function until_open(ws)
  while ws.state ~= "open" do wss.sleep(0.001) end
end

-- A message and a record that is none, in what one read brings.
local function open(options)
  local server = peers.raw({ { { "tls" }, { "upgrade" }, { "frame", 1, "6869" },
    { "wire", "1703030020" .. ("5a"):rep(32) } } }, { tls = certs "server" })
  options = options or {}
  options.tls = { ca = certs.ca }
  local ws = wss.connect(("wss://localhost:%d/"):format(server.port), options)
  function ws:onopen() peers.until_ended(server) end
  return ws, server
end

describe("a message behind which TLS failed", function()
  it("is still taken, by one who sends first, and then the reason", function()
    local ws, server = open()
    local outcome, data, err
    wss.run(function()
      until_open(ws)
      wss.sleep(0.02) -- it comes meanwhile, and nobody waits for it
      ws:send("void", "text", function(_, how) outcome = how end)
      wss.sleep(0)
      data = ws:receive()
      err = select(2, ws:receive())
    end)
    server:stop()
    assert.are.same({ "hi", "tls", "unsent" }, { data, err.kind, outcome })
  end)

  it("does not keep a connection that nobody reads", function()
    local ws, server = open { close_timeout = 0.1, ping_interval = 0.05 }
    local kind
    function ws:onclose(_, _, err) kind = err.kind end
    wss.run()
    server:stop()
    assert.are.equal("tls", kind)
  end)
end)
