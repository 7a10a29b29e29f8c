-- ws:stream, and what passes a large message by and what does not.

local peers = require "spec.support.peers"
local process = require "spec.support.process"
local wss = require "uvwss"

local MIB <const> = 1 << 20
local TEXT <const>, CONT <const>, CLOSE <const> = 1, 0, 8

local function zero_ledger()
  for name, count in pairs(wss.stats()) do
    assert.are.equal(0, count, name)
  end
end

-- The digest, as the peers answer it.
local function digest(data)
  local dir <close> = process.directory()
  local output = process.run { "sha256sum",
    process.write_file(dir.path .. "/data", data) }
  return output:match "%x+" .. " " .. #data
end

local big, big_digest -- 64 MiB in which no piece is like another
setup(function()
  local pieces = {}
  for i = 1, 64 * 1024 do pieces[i] = ("%8d"):format(i):rep(128) end
  big = table.concat(pieces)
  big_digest = digest(big)
end)
teardown(function() big = nil end)

-- The frames that a raw peer saw, up to its end.
local function frames_of(peer)
  local frames = {}
  for fact in function() return peers.told(peer) end do
    if fact.event == "frame" then frames[#frames + 1] = fact end
    if fact.event == "end" or fact.event == "error" then break end
  end
  return frames
end

local function opcodes(frames)
  local list = {}
  for i, frame in ipairs(frames) do
    list[i] = frame.opcode .. (frame.fin and "" or "+")
  end
  return table.concat(list, " ")
end

-- A server that reads slowly, and answers a close.
local function reader()
  return peers.raw { { { "upgrade" }, { "until", CLOSE },
    { "frame", CLOSE, "03e8" } } }
end

local function dial(peer, options)
  options = options or {}
  options.ping_interval = false
  options.max_buffered = options.max_buffered or 256 * MIB
  return wss.connect(("ws://127.0.0.1:%d/"):format(peer.port), options)
end

describe("while 64 MiB drain to a slow reader", function()
  after_each(zero_ledger)

  it("what was sent meanwhile arrives behind them, in order and whole",
    function()
      local peer <close> = peers.echo { mode = "slow", rate = 100e6 }
      local ws, answers, settled = dial(peer), {}, {}
      local third = big:sub(-8 * MIB)
      local pong_at
      local function done(name)
        return function(err, how)
          settled[#settled + 1] = name .. " " .. (err and err.code or how)
        end
      end
      function ws:onopen()
        assert(self:send(big, "binary", done "big"))
        assert(self:send("behind it", "text", done "text"))
        assert(self:ping "between")
        assert(self:send(third, "binary", done "third"))
      end
      function ws:onpong() pong_at = #settled end
      function ws:onmessage(data)
        answers[#answers + 1] = data
        if #answers == 3 then self:close() end
      end
      wss.run()
      assert.are.same({ big_digest, digest "behind it", digest(third) },
        answers)
      assert.are.same({ "big written", "text written", "third written" },
        settled)
      -- A frame cannot be interrupted, but the next message has to wait.
      assert.is_true(pong_at < 3)
    end)

  it("a ping goes before the next message, and a close behind the last",
    function()
      local peer <close> = reader()
      local ws = dial(peer, { close_timeout = 30 })
      local code
      function ws:onopen()
        assert(self:send(big, "binary"))
        wss.timer(0, function()
          assert(self:send("behind it"))
          assert(self:ping "between")
          self:close(1000, "done")
          local ok, err = self:send "too late"
          assert(not ok and err.kind == "closed" and err.code == "local")
        end)
      end
      function ws:onclose(c, _, err) code = err or c end
      wss.run()
      local frames = frames_of(peer)
      assert.are.equal("2 9 1 8", opcodes(frames))
      assert.are.equal(big_digest, frames[1].sha256 .. " " .. frames[1].len)
      assert.are.equal("behind it",
        (frames[3].hex:gsub("%x%x", function(h)
          return string.char(tonumber(h, 16)) end)))
      assert.are.equal(1000, code)
    end)

  it("a pong is not delayed behind them when they are written in fragments",
    function()
      local peer <close> = peers.echo { mode = "slow", rate = 100e6 }
      local ws, answer, left = dial(peer), nil, nil
      function ws:onopen()
        local writer = assert(self:stream "binary")
        for at = 1, #big, 64 * 1024 do
          assert(writer:write(big:sub(at, at + 64 * 1024 - 1)))
        end
        assert(writer:finish())
        wss.timer(0, function() assert(self:ping "now") end)
      end
      function ws:onpong() left = self.buffered end
      function ws:onmessage(data)
        answer = data
        self:close()
      end
      wss.run()
      assert.are.equal(big_digest, answer)
      assert.is_true(left and left > 16 * MIB, left)
    end)
end)

describe("a stream", function()
  after_each(zero_ledger)

  -- Run `write` when open, then close; the frames that the peer saw.
  local function frames(write, options)
    local peer <close> = reader()
    local ws, failure = dial(peer, options), nil
    function ws:onopen()
      local ok, err = pcall(write, self)
      if not ok then failure = err end
      self:close()
    end
    function ws.onclose() end
    wss.run()
    if failure then error(failure, 0) end
    return frames_of(peer)
  end

  local function text_of(list)
    local parts = {}
    for _, frame in ipairs(list) do
      if frame.opcode < CLOSE then
        parts[#parts + 1] = frame.hex:gsub("%x%x", function(h)
          return string.char(tonumber(h, 16)) end)
      end
    end
    return table.concat(parts)
  end

  it("is one message: fragments, the last of which says so", function()
    local seen = frames(function(ws)
      local writer = assert(ws:stream())
      assert.is_true(writer:write "one ")
      assert.is_true(writer:write "two ")
      assert.is_true(writer:finish "three")
    end)
    assert.are.equal("1+ 0+ 0 8", opcodes(seen))
    assert.are.equal("one two three", text_of(seen))
  end)

  it("may be finished without a piece, before and after its pieces left",
    function()
      local peer <close> = peers.echo { mode = "echo" }
      local ws, got = dial(peer), {}
      function ws:onopen()
        assert(assert(self:stream "binary"):finish())
        assert(assert(self:stream()):finish "whole")
        local writer = assert(self:stream())
        assert(writer:write("all of it", function(err, how)
          assert(not err and how == "written")
          assert(writer:finish()) -- an empty last fragment
        end))
      end
      function ws:onmessage(data, kind)
        got[#got + 1] = kind .. " " .. data
        if #got == 3 then self:close() end
      end
      wss.run()
      assert.are.same({ "binary ", "text whole", "text all of it" }, got)
    end)

  it("tells the outcome of each piece", function()
    local told = {}
    frames(function(ws)
      local writer = assert(ws:stream "binary")
      for i = 1, 3 do
        assert(writer[i < 3 and "write" or "finish"](writer, "piece " .. i,
          function(err, how) told[#told + 1] = { i, err, how } end))
      end
    end)
    assert.are.same({ { 1, nil, "written" }, { 2, nil, "written" },
      { 3, nil, "written" } }, told)
  end)

  it("may cut a character in two", function()
    local text = "…Δελφίνι 🐬…"
    local seen = frames(function(ws)
      local writer = assert(ws:stream "text")
      for i = 1, #text do assert(writer:write(text:sub(i, i))) end
      assert(writer:finish())
    end)
    assert.are.equal(text, text_of(seen))
    assert.are.equal(TEXT, seen[1].opcode)
    for i = 2, #seen - 1 do assert.are.equal(CONT, seen[i].opcode) end
  end)

  it("refuses to finish inside a character, and can be mended", function()
    local seen = frames(function(ws)
      local writer = assert(ws:stream())
      assert(writer:write "caf\xC3")
      for _, last in ipairs { false, "x" } do
        local ok, err = writer:finish(last or nil)
        assert.is_nil(ok)
        assert.are.same({ "protocol", "utf8" }, { err.kind, err.code })
      end
      assert(writer:finish "\xA9")
    end)
    assert.are.equal("café", text_of(seen))
  end)

  it("refuses a piece that is not text, and leaves the message as it was",
    function()
      local seen = frames(function(ws)
        local writer = assert(ws:stream())
        assert(writer:write "good ")
        local ok, err = writer:write "\xFF"
        assert.is_nil(ok)
        assert.are.same({ "protocol", "utf8" }, { err.kind, err.code })
        assert.are.equal(5, ws.buffered)
        assert(writer:finish "better")
      end)
      assert.are.equal("good better", text_of(seen))
    end)

  it("takes any bytes when it is binary", function()
    local seen = frames(function(ws)
      local writer = assert(ws:stream "binary")
      assert(writer:write "\xFF\xC3")
      assert(writer:finish "\0")
    end)
    assert.are.equal("2+ 0 8", opcodes(seen))
    assert.are.equal("\xFF\xC3\0", text_of(seen))
  end)

  it("and another at once are two messages, in the order of their opening",
    function()
      local peer <close> = peers.echo { mode = "echo" }
      local ws, got = dial(peer), {}
      function ws:onopen()
        local first, second = assert(self:stream()), assert(self:stream())
        assert(second:write "b1 ")
        assert(first:write "a1 ")
        assert(self:send "c")
        assert(second:finish "b2")
        assert(first:finish "a2")
      end
      function ws:onmessage(data)
        got[#got + 1] = data
        if #got == 3 then self:close() end
      end
      wss.run()
      assert.are.same({ "a1 a2", "b1 b2", "c" }, got)
    end)

  it("lets control frames pass between its fragments", function()
    local peer <close> = reader()
    local ws = dial(peer)
    function ws:onopen()
      local writer = assert(self:stream())
      -- Each step when the one before is with the kernel.
      assert(writer:write("one ", function()
        assert(self:ping "here")
        assert(writer:write("two ", function()
          assert(self:ping "and here")
          assert(writer:finish "three")
          self:close()
        end))
      end))
    end
    wss.run()
    local seen = frames_of(peer)
    assert.are.equal("1+ 9 0+ 9 0 8", opcodes(seen))
    assert.are.equal("one two three", text_of(seen))
  end)

  it("says so when it is written to after its end", function()
    frames(function(ws)
      local writer = assert(ws:stream())
      assert(writer:finish "all")
      for _, method in ipairs { "write", "finish" } do
        local ok, err = writer[method](writer, "more")
        assert.is_nil(ok)
        assert.are.same({ "closed", "local" }, { err.kind, err.code })
        assert.matches("finished", tostring(err))
      end
      local ok, err = writer:finish()
      assert.is_nil(ok)
      assert.are.equal("closed", err.kind)
    end)
  end)

  it("counts against max_buffered, and goes on when there is room", function()
    local seen = frames(function(ws)
      local writer = assert(ws:stream "binary")
      assert(writer:write(("x"):rep(900)))
      local ok, err = writer:write(("x"):rep(101))
      assert.is_nil(ok)
      assert.are.same({ "limit", "buffered", 1000, 1001 },
        { err.kind, err.code, err.limit, err.size })
      assert(writer:finish(("x"):rep(100)))
    end, { max_buffered = 1000 })
    assert.are.equal("2+ 0 8", opcodes(seen))
    assert.are.equal(1000, seen[1].len + seen[2].len)
  end)

  it("that is opened before the connection is open waits for it", function()
    local peer <close> = peers.echo { mode = "echo" }
    local ws = dial(peer)
    local writer = assert(ws:stream())
    assert(writer:write "early ")
    assert(writer:finish "bird")
    assert.are.equal("early bird", (assert(ws:receive(30))))
    ws:close()
    wss.run()
  end)

  -- Open a stream, see its first fragment off, and give it up.
  local function abandons(give_up)
    local peer <close> = peers.raw { { { "upgrade" }, { "drain" } } }
    local ws, ended = dial(peer), nil
    function ws:onopen()
      local writer = assert(self:stream())
      assert(writer:write("begun ", function()
        wss.timer(0, function()
          give_up(writer)
          writer = nil
          collectgarbage()
          collectgarbage()
        end)
      end))
    end
    function ws:onclose(code, _, err) ended = { code, err } end
    wss.run()
    assert.are.equal(1006, ended[1])
    assert.are.same({ "closed", "local" }, { ended[2].kind, ended[2].code })
    assert.matches("stream was abandoned", tostring(ended[2]))
    assert.are.equal(ended[2], ws.error)
  end

  it("that is collected unfinished ends the connection, which says why",
    function() abandons(function() end) end)

  it("whose scope ends before it is finished does the same", function()
    local kept -- so that it is not the collector that finds it
    abandons(function(writer)
      kept = writer
      local scoped <close> = writer
      assert(scoped)
    end)
    local ok, err = kept:write "x"
    assert.is_nil(ok)
    assert.are.equal("closed", err.kind)
  end)

  it("given up before any of it has left is as if it had not been", function()
    local told
    local seen = frames(function(ws)
      do
        local writer <close> = assert(ws:stream())
        assert(writer:write("never to be sent", function(err, how)
          told = { err.kind, how }
        end))
      end
      assert(ws:send "next")
    end)
    assert.are.equal("1 8", opcodes(seen))
    assert.are.equal("next", text_of(seen))
    assert.are.same({ "closed", "unsent" }, told)
  end)

  it("that was finished may be collected, and arrives", function()
    local peer <close> = peers.echo { mode = "echo" }
    local ws = dial(peer)
    do
      local writer <close> = assert(ws:stream())
      assert(writer:write(("x"):rep(3 * MIB)))
      assert(writer:finish("end"))
    end
    collectgarbage()
    collectgarbage()
    assert.are.equal(("x"):rep(3 * MIB) .. "end", (assert(ws:receive(30))))
    ws:close()
    wss.run()
  end)

  it("that was never begun and is given up is no loss", function()
    local seen = frames(function(ws)
      do
        local writer <close> = assert(ws:stream())
        assert(writer)
      end
      assert(ws:send "next")
    end)
    assert.are.equal("1 8", opcodes(seen))
  end)

  it("keeps its connection alive", function()
    local peer <close> = peers.echo { mode = "echo" }
    local writer, got
    do
      local ws = dial(peer)
      writer = assert(ws:stream())
      function ws:onmessage(data)
        got = data
        self:close()
      end
    end
    collectgarbage()
    assert(writer:finish "still there")
    wss.run()
    assert.are.equal("still there", got)
    local ok, err = writer:write "x"
    assert.is_nil(ok)
    assert.are.equal("closed", err.kind)
  end)

  it("is told by its outcome that its connection is lost, and by its writer",
    function()
      local peer <close> = peers.raw { { { "upgrade" }, { "frames", 1 },
        { "reset" } } }
      local ws, told, writer = dial(peer), {}, nil
      function ws:onopen()
        writer = assert(self:stream())
        for _, piece in ipairs { "one", "two" } do
          assert(writer:write(piece, function(_, how)
            told[#told + 1] = how end))
        end
      end
      function ws.onclose() end
      wss.run()
      assert.are.same({ "written", "written" }, told)
      local ok, err = writer:write "three"
      assert.is_nil(ok)
      assert.are.equal("closed", err.kind)
      ok, err = writer:finish()
      assert.is_nil(ok)
      assert.are.equal("closed", err.kind)
    end)

  it("that was begun is lost with its transport, and the next goes through",
    function()
      local peer <close> = peers.raw { { { "upgrade" }, { "frames", 1 },
        { "reset" } }, { { "upgrade" }, { "until", CLOSE },
        { "frame", CLOSE, "03e8" } } }
      local ws = dial(peer, { reconnect = { min = 0.001, max = 0.01 } })
      local writer, problem
      function ws:onopen(info)
        if info.attempt == 1 then
          writer = assert(self:stream())
          assert(writer:write "begun ")
        else
          local ok
          ok, problem = writer:write "and never ended"
          assert(not ok)
          assert(assert(self:stream()):finish "anew")
          self:close()
        end
      end
      wss.run()
      assert.are.same({ "closed", "local" }, { problem.kind, problem.code })
      assert.matches("cut off", tostring(problem))
      local second = {}
      for fact in function() return peers.told(peer) end do
        if fact.conn == 2 and fact.event == "frame" then
          second[#second + 1] = fact
        end
        if fact.conn == 2 and fact.event == "end" then break end
      end
      assert.are.equal("1 8", opcodes(second))
    end)

  it("that was not begun waits for the next transport, and arrives whole",
    function()
      local refused <close> = peers.raw { { { "request" }, { "reset" } },
        { { "upgrade" }, { "until", CLOSE }, { "frame", CLOSE, "03e8" } } }
      local ws = dial(refused, { reconnect = { min = 0.001, max = 0.01 } })
      local writer = assert(ws:stream())
      assert(writer:write "written before ")
      function ws:onopen()
        assert(writer:finish "and after")
        self:close()
      end
      wss.run()
      local second = {}
      for fact in function() return peers.told(refused) end do
        if fact.conn == 2 and fact.event == "frame" then
          second[#second + 1] = fact
        end
        if fact.conn == 2 and fact.event == "end" then break end
      end
      assert.are.equal("1+ 0 8", opcodes(second))
      assert.are.equal("written before and after", text_of(second))
    end)
end)
