-- A receiver that does not receive: what the peer wants to send stays with
-- the peer.

local json = require "dkjson"
local certs = require "spec.support.certs"
local peers = require "spec.support.peers"
local process = require "spec.support.process"
local wss = require "uvwss"

local MIB <const> = 1 << 20
local under = io.popen "command -v lua5.4":read "l":match "/build/(%l+)/bin/"
-- What may be resident beyond the start: buffers, and the heap's own ways.
-- A sanitizer holds on to what was freed; 1 GiB would show all the same.
local SLACK <const> = under and 64 * MIB or 6 * MIB

local function resident()
  collectgarbage()
  collectgarbage()
  local status = process.read_file "/proc/self/status"
  return tonumber(status:match "VmRSS:%s*(%d+)") * 1024
end

local function zero_ledger()
  for name, count in pairs(wss.stats()) do
    assert.are.equal(0, count, name)
  end
end

local function flood(count, size, tls)
  local command = { "/usr/bin/python3", "spec/support/peers/flood.py",
    "--count", count, "--size", size }
  if tls then
    for _, word in ipairs { "--tls", tls.cert, tls.key } do
      table.insert(command, word)
    end
  end
  return process.start(command)
end

-- Messages of flood.py, told from one another at the speed of memcmp.
local function checker(size)
  local fillers, next_number = {}, 0
  for i = 0, 3 do fillers[i] = string.char(i):rep(size - 8) end
  return function(data, kind)
    assert(kind == "binary" and #data == size)
    assert((string.unpack(">I8", data)) == next_number, "out of order")
    assert(data:sub(9) == fillers[next_number % 4], "not what was sent")
    next_number = next_number + 1
    return next_number
  end
end

-- Ask the flood, in a coroutine, for what the kernel has taken; it answers
-- when it stands still.
local function ask(teller)
  assert(teller:send "how much?")
  return json.decode((assert(teller:receive(30))))
end

describe("a connection whose messages nobody takes", function()
  after_each(zero_ledger)

  local url
  local function connect(server, options, scheme)
    url = (scheme or "ws") .. "://localhost:" .. server.port
    return wss.connect(url .. "/flood", options)
  end

  -- Stand still, go on standing still over many pings, then take it all.
  local function stands_still(options, hold, take)
    local server <close> = flood(options.count, MIB, options.tls)
    local tls = options.tls and { ca = certs.ca }
    wss.run(function()
      local ws = connect(server, { ping_interval = 0.05, ping_timeout = 0.5,
        tls = tls }, options.tls and "wss")
      hold(ws)
      local teller = wss.connect(url .. "/tell", { tls = tls })
      while ws.state == "connecting" do wss.sleep(0.01) end
      local before = resident()
      local first = ask(teller)
      assert.is_false(first.over)
      assert.is_true(first.taken > 0 and first.taken < 32 * MIB)
      wss.sleep(1.5) -- thirty intervals of pings, and three time limits
      local second = ask(teller)
      assert.are.equal(first.taken, second.taken)
      assert.are.equal("open", ws.state)
      assert.is_true(ws:stats().pings_out >= 3)
      local more = resident() - before
      assert.is_true(more <= SLACK, more)
      take(ws)
      teller:close()
    end)
    wss.run()
  end

  it("leaves a peer's 1 GiB with the peer; taken later, it comes in order",
    function()
      local count, got = 1024, 0
      local check = checker(MIB)
      stands_still({ count = count }, function() end, function(ws)
        function ws:onmessage(...)
          got = check(...)
          if got == count then self:close() end
        end
      end)
      assert.are.equal(count, got)
    end)

  it("does so over TLS", function()
    local count, got = 1024, 0
    local check = checker(MIB)
    stands_still({ count = count, tls = certs "server" }, function() end,
      function(ws)
        for data, kind in ws:messages() do
          got = check(data, kind)
          if got == 64 then break end -- and the rest is thrown away
        end
        ws:terminate()
      end)
    assert.are.equal(64, got)
  end)

  it("does so while it is paused, whoever would take them", function()
    local count, got, paused = 128, 0, true
    local check = checker(MIB)
    stands_still({ count = count }, function(ws)
      ws:pause()
      function ws:onmessage(...)
        assert(not paused, "a message while it is paused")
        got = check(...)
        if got == count then self:close() end
      end
    end, function(ws)
      paused = false
      ws:resume()
    end)
    assert.are.equal(count, got)
  end)

  it("takes one message for one receive, and then stands still again",
    function()
      local check = checker(MIB)
      stands_still({ count = 64 }, function(ws)
        assert.are.equal(1, check(ws:receive(30)))
        assert.are.equal(2, check(ws:receive(30)))
      end, function(ws)
        for i = 3, 64 do assert.are.equal(i, check(ws:receive(30))) end
        ws:close()
      end)
    end)

  it("pauses inside the handler, message by message", function()
    local server <close> = flood(64, MIB)
    local check, got, paused = checker(MIB), 0, false
    local ws = connect(server)
    function ws:onmessage(...)
      assert(not paused)
      got = check(...)
      paused = true
      self:pause()
      wss.timer(0.001, function()
        paused = false
        self:resume()
        if got == 64 then self:close() end
      end)
    end
    wss.run()
    assert.are.equal(64, got)
  end)

  it("closes cleanly, throwing away what still comes", function()
    local server <close> = flood(256, MIB)
    local code, before, more
    wss.run(function()
      local ws = connect(server, { close_timeout = 60 })
      local teller = wss.connect(url .. "/tell")
      ask(teller)
      before = resident()
      function ws:onclose(c, _, err)
        code = err or c
        more = resident() - before
      end
      ws:close()
      teller:close()
    end)
    wss.run()
    assert.are.equal(1000, code)
    assert.is_true(more <= SLACK, more)
  end)

  it("ends at once when it is terminated", function()
    local server <close> = flood(1024, MIB)
    local err
    wss.run(function()
      local ws = connect(server)
      local teller = wss.connect(url .. "/tell")
      ask(teller)
      function ws:onclose(_, _, e) err = e end
      ws:terminate()
      teller:close()
    end)
    wss.run()
    assert.are.equal("closed local", err.kind .. " " .. err.code)
  end)
end)

describe("max_message", function()
  after_each(zero_ledger)

  -- What the client sends back, and its error; the peer sends `steps`.
  local function refused(steps, options)
    local script = { { "upgrade" } }
    for _, step in ipairs(steps) do script[#script + 1] = step end
    script[#script + 1] = { "until", 8 }
    local peer <close> = peers.raw { script }
    local err, code, got = nil, nil, {}
    options = options or {}
    options.onmessage = function(_, data) got[#got + 1] = data end
    options.onclose = function(_, c, _, e) code, err = c, e end
    local before = resident()
    wss.connect(("ws://127.0.0.1:%d/"):format(peer.port), options)
    wss.run()
    local more = resident() - before
    assert.is_true(more <= SLACK, more)
    local frame
    repeat frame = peers.told(peer) until not frame or frame.event == "frame"
    return err, code, frame, got
  end

  local function is_1009(err, code, frame, limit, size)
    assert.are.same({ "limit", "message_size", 1009, limit, size },
      { err.kind, err.code, err.close, err.limit, err.size })
    assert.matches("message", tostring(err))
    assert.are.equal(1006, code)
    assert.are.equal("03f1", frame.hex:sub(1, 4)) -- 1009, as the peer sees it
  end

  it("refuses a message of 1 GiB by its header, before any of it came",
    function()
      local err, code, frame, got = refused {
        { "frame", 2, "", { length = 1 << 30 } } }
      is_1009(err, code, frame, 16 * MIB, 1 << 30)
      assert.are.same({}, got)
    end)

  it("refuses the largest length there is", function()
    local err, code, frame = refused {
      { "frame", 1, "", { length = math.maxinteger } } }
    assert.are.equal("limit message_size", err.kind .. " " .. err.code)
    assert.are.equal(1006, code)
    assert.are.equal("03f1", frame.hex:sub(1, 4))
    assert.is_true(err.size >= 2^63 - 1)
  end)

  it("adds up fragments, which are in memory, and the header of the next",
    function()
      local err, code, frame = refused({
        { "frame", 2, ("00"):rep(600), { fin = false } },
        { "frame", 0, ("00"):rep(400), { fin = false } },
        { "frame", 0, "", { length = 1, fin = true } },
      }, { max_message = 1000 })
      is_1009(err, code, frame, 1000, 1001)
    end)

  it("never tires of empty fragments nor grows by them", function()
    local _, code, _, got = refused({
      { "frame", 2, "", { fin = false } },
      { "frame", 0, "", { fin = false, ["repeat"] = 20000 } },
      { "frame", 0, "616263", { fin = true } },
      { "frame", 8, "03e8" },
    }, { max_message = 3 })
    assert.are.same({ "abc" }, got)
    assert.are.equal(1000, code)
  end)

  it("takes a message that is exactly as large", function()
    local err, code, _, got = refused({
      { "frame", 2, ("41"):rep(1000) },
      { "frame", 2, ("42"):rep(999), { fin = false } },
      { "frame", 0, "42" },
      { "frame", 8, "03e8" },
    }, { max_message = 1000 })
    assert.is_nil(err)
    assert.are.equal(1000, code)
    assert.are.same({ ("A"):rep(1000), ("B"):rep(1000) }, got)
  end)

  it("may be 0: then only empty messages come through", function()
    local err, code, frame, got = refused({ { "frame", 1, "" },
      { "frame", 1, "41" } }, { max_message = 0 })
    assert.are.same({ "" }, got)
    is_1009(err, code, frame, 0, 1)
  end)

  it("is not mended by reconnecting", function()
    local dials = 0
    local err = refused({ { "frame", 2, "", { length = 1 << 30 } } }, {
      reconnect = { min = 0.001 },
      onopen = function() dials = dials + 1 end })
    assert.are.equal("message_size", err.code)
    assert.are.equal(1, dials)
  end)
end)
