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

-- A server's long frames go to the kernel from where they lie, as far as it
-- takes them at once; what it does not take waits.
describe("a server's output without TLS", function()
  local sizes = { 16383, 16384, 16385, 0, 32768, 40000, 1 << 20, 5, 8 << 20,
    16384 * 3 + 1 }

  local function payload(i, size)
    return (string.char(64 + i) .. ("%07d"):format(i)):rep(size // 8 + 1)
      :sub(1, size)
  end

  it("is whole and in order for who reads late", function()
    local written, got = {}, {}
    local pongs = 0
    wss.run(function()
      local server = assert(wss.listen "ws://127.0.0.1:0")
      function server:onopen(ws)
        for i, size in ipairs(sizes) do
          ws:send(payload(i, size), "binary", function(_, outcome)
            written[#written + 1] = outcome
          end)
          ws:ping("after " .. i)
        end
      end
      function server:onpong() pongs = pongs + 1 end
      local ws = wss.connect(server.url, { compress = false })
      function ws:onopen()
        self:pause()
        wss.timer(0.02, function() self:resume() end)
      end
      function ws:onmessage(data)
        got[#got + 1] = data
        self:pause()
        if #got == #sizes then
          self:close()
        else
          wss.timer(0, function() self:resume() end)
        end
      end
      function ws:onclose() server:close(0) end
    end)
    for i, size in ipairs(sizes) do
      assert.is_true(got[i] == payload(i, size), "message " .. i)
      assert.are.equal("written", written[i])
    end
    assert.is_true(pongs > 0)
  end)

  it("tells of a message in the middle of which the peer left", function()
    local outcomes = {}
    wss.run(function()
      local server = assert(wss.listen("ws://127.0.0.1:0",
        { max_buffered = 128 << 20 }))
      function server:onopen(ws)
        ws:send(("x"):rep(64 << 20), "binary", function(_, outcome)
          outcomes[1] = outcome
        end)
        ws:send(("y"):rep(20000), "binary", function(_, outcome)
          outcomes[2] = outcome
        end)
      end
      function server:onclose() self:close(0) end
      local ws = wss.connect(server.url, { max_message = 128 << 20,
        reconnect = false })
      function ws:onfragment() self:terminate() end
      function ws:onclose() end
    end)
    assert.are.same({ "partial", "unsent" }, outcomes)
  end)

  it("knows which of many small messages have left, to the byte", function()
    local outcomes, n, size = {}, 8192, 4000
    local function told(_, outcome) outcomes[#outcomes + 1] = outcome end
    wss.run(function()
      local server = assert(wss.listen("ws://127.0.0.1:0"))
      function server:onopen(ws)
        for _ = 1, n do ws:send(("z"):rep(size), "binary", told) end
      end
      function server:onclose() self:close(0) end
      local ws = wss.connect(server.url, { reconnect = false,
        compress = false })
      function ws:onmessage() self:terminate() end
      function ws:onclose() end
    end)
    local i = 1
    while outcomes[i] == "written" do i = i + 1 end
    assert.is_true(i > 1 and i < n)
    if outcomes[i] == "partial" then i = i + 1 end
    for k = i, n do assert.are.equal("unsent", outcomes[k]) end
  end)
end)
