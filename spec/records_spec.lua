-- What goes over the wire is no more than it must be (RFC 8446, 5.2: a record
-- of TLS 1.3 with AES-GCM adds 22 bytes to at most 16 KiB of plaintext).
local certs = require "spec.support.certs"
local peers = require "spec.support.peers"
local wss = require "uvwss"

local RECORD, OVERHEAD = 16384, 22

describe("output over TLS", function()
  local server
  setup(function() server = peers.echo { tls = certs "server" } end)
  teardown(function() server:stop() end)

  -- Bytes on the socket that `send` cost, from open to the last "written".
  local function cost(send, count)
    local ws = wss.connect(("wss://localhost:%d/"):format(server.port),
      { tls = { ca = certs.ca }, ping_interval = false })
    local before, after
    ws.onmessage = function() end
    function ws:onopen()
      before = self:stats().bytes_out
      local written = 0
      send(self, function()
        written = written + 1
        if written == count then
          after = self:stats().bytes_out
          self:terminate()
        end
      end)
    end
    function ws.onclose() end
    wss.run()
    return after - before
  end

  it("puts small messages of one pass together into full records", function()
    local bytes = cost(function(ws, done)
      for _ = 1, 1000 do ws:send(("x"):rep(32), "binary", done) end
    end, 1000)
    local plain = 1000 * (32 + 6)
    assert.are.equal(plain + math.ceil(plain / RECORD) * OVERHEAD, bytes)
  end)

  it("fills the records of a large message", function()
    local size = 1 << 20
    local bytes = cost(function(ws, done)
      ws:send(("x"):rep(size), "binary", done)
    end, 1)
    local plain = size + 14
    assert.are.equal(plain + math.ceil(plain / RECORD) * OVERHEAD, bytes)
  end)
end)
