-- Compression (RFC 7692): what is asked for and agreed on, that every message
-- is the same on the other side, what it costs, and what it does not.

local peers = require "spec.support.peers"
local process = require "spec.support.process"
local server = require "spec.support.server"
local variant = require "spec.support.variant"
local wss = require "uvwss"

local MIB <const> = 1 << 20
local TEXT <const>, BINARY <const>, CONT <const>, CLOSE <const>,
  PING <const> = 1, 2, 0, 8, 9
local NAME <const> = "permessage-deflate"
local hello <const> = "f248cdc9c90700" -- RFC 7692, 7.2.3.1
local again <const> = "f200110000" -- 7.2.3.2

-- Text of which every eight bytes differ a little, and bytes that do not
-- compress.
local function text(n, seed)
  local t = {}
  for i = 1, n // 8 + 1 do
    t[i] = ("%07d "):format((seed or 0) + i * i % 1009)
  end
  return table.concat(t):sub(1, n)
end
local noise_file
local function noise(n)
  if not noise_file then
    local file <close> = assert(io.open("/dev/urandom", "rb"))
    noise_file = file:read(16 * MIB)
  end
  return noise_file:sub(1, n)
end
local function hex(data)
  return (data:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

-- What zlib in Python makes of a Python expression, in hex.
local function zlib(expression, how)
  local output, status = process.run { "/usr/bin/python3", "-c", ([[
import sys, zlib
c = zlib.compressobj(9, 8, -15)
data = eval(sys.argv[1])
out = c.compress(data) + c.flush(zlib.Z_SYNC_FLUSH)
sys.stdout.write(eval(sys.argv[2]).hex())]]), expression, how or "out[:-4]" }
  assert(status.code == 0, status.stderr)
  return output
end

local function resident(field)
  return tonumber(process.read_file "/proc/self/status"
    :match(field .. ":%s*(%d+)")) * 1024
end

local function frames_of(events)
  local frames = {}
  for _, event in ipairs(events) do
    if event.event == "frame" then frames[#frames + 1] = event end
  end
  return frames
end

-- Upgrade as a raw client that offers; the rest of its script follows.
local function offering(offer, ...)
  return { { "upgrade", { ["Sec-WebSocket-Extensions"] = offer } }, ... }
end
-- The same for a raw server.
local function answering(answer, ...)
  return { { "upgrade", { ["Sec-WebSocket-Extensions"] = answer } }, ... }
end
local goodbye = { "frame", CLOSE, "03e8" }

-- What a raw peer told until its script's end.
local function told(peer)
  local events = {}
  for fact in function() return peers.told(peer) end do
    events[#events + 1] = fact
    if fact.event == "end" or fact.event == "error" then break end
  end
  return events
end

after_each(server.clean)

describe("the option compress", function()
  -- What a client with it offers.
  local function offer(compress)
    local peer <close> = peers.raw { { { "upgrade" }, goodbye,
      { "until", CLOSE } } }
    local ws = wss.connect("ws://127.0.0.1:" .. peer.port,
      { compress = compress })
    wss.run()
    assert.equal("closed", ws.state)
    assert.is_nil(ws.error)
    local request = told(peer)[1]
    return request.headers["sec-websocket-extensions"]
  end

  it("is off unless asked for", function()
    assert.is_nil(offer(nil))
    assert.is_nil(offer(false))
  end)

  it("of a client is what it offers", function()
    assert.equal(NAME .. "; client_max_window_bits", offer(true))
    assert.equal(NAME .. "; client_max_window_bits", offer {})
    assert.equal(NAME .. "; client_max_window_bits",
      offer { level = 0, mem_level = 1, min_size = 0 })
    assert.equal(NAME .. "; server_no_context_takeover; "
      .. "client_no_context_takeover; server_max_window_bits=8; "
      .. "client_max_window_bits=15", offer {
        server_no_context_takeover = true, client_no_context_takeover = true,
        server_max_window_bits = 8, client_max_window_bits = 15 })
  end)

  it("of a server is what it grants", function()
    for _, row in ipairs {
      { nil, NAME, nil },
      { false, NAME, nil },
      { true, nil, nil },
      { true, "foo, permessage-deflate; unknown", nil },
      { true, NAME, NAME },
      { {}, NAME .. "; client_max_window_bits", NAME },
      { true, NAME .. "; server_max_window_bits=10",
        NAME .. "; server_max_window_bits=10" },
      { { server_max_window_bits = 9, client_max_window_bits = 9 },
        NAME .. "; client_max_window_bits",
        NAME .. "; server_max_window_bits=9; client_max_window_bits=9" },
      { { client_max_window_bits = 9 }, NAME, NAME },
      { { server_no_context_takeover = true,
        client_no_context_takeover = true }, NAME,
        NAME .. "; server_no_context_takeover; client_no_context_takeover" },
    } do
      local compress, offered, granted = table.unpack(row, 1, 3)
      local s = server.listen { compress = compress }
      local _, answers = server.call_one(s, offering(offered, goodbye,
        { "until", CLOSE }))
      assert.equal(101, answers[1].status)
      assert.equal(granted, answers[1].headers["sec-websocket-extensions"])
      server.finish(s)
    end
  end)

  it("is a boolean or a table with good values", function()
    local bad = { 1, "yes", { unknown = 1 }, { true }, { level = 10 },
      { level = -1 }, { level = 1.5 }, { level = "6" }, { mem_level = 0 },
      { mem_level = 10 }, { min_size = -1 }, { min_size = "1" },
      { server_max_window_bits = 7 }, { server_max_window_bits = 16 },
      { server_max_window_bits = 0 }, { client_max_window_bits = 7 },
      { client_max_window_bits = 0 }, { client_max_window_bits = true },
      { client_max_window_bits = 9.5 }, { server_no_context_takeover = 1 },
      { client_no_context_takeover = "true" } }
    for i, compress in ipairs(bad) do
      for name, fn in pairs { connect = wss.connect, listen = wss.listen } do
        local ok, message = pcall(fn, "ws://127.0.0.1:1",
          { compress = compress })
        assert.is_false(ok, name .. " " .. i)
        assert.matches("option", message, name .. " " .. i)
      end
    end
  end)

  it("makes a client refuse what it did not ask for", function()
    for _, row in ipairs {
      { true, "x-other", "was not offered" },
      { true, NAME .. "; unknown", "malformed" },
      { true, NAME .. ", " .. NAME, "more than one" },
      { true, NAME .. "; server_max_window_bits=16", "malformed" },
      { true, NAME .. "; client_max_window_bits", "malformed" },
      { { server_max_window_bits = 9 }, NAME, "server_max_window_bits" },
      { { client_max_window_bits = 9 }, NAME .. "; client_max_window_bits=10",
        "client_max_window_bits" },
      { { server_no_context_takeover = true }, NAME,
        "server_no_context_takeover" },
      { false, NAME, "" },
    } do
      local compress, answer, why = table.unpack(row)
      local peer <close> = peers.raw { answering(answer, { "drain" }) }
      local ws = wss.connect("ws://127.0.0.1:" .. peer.port,
        { compress = compress, onclose = function() end })
      wss.run()
      local err = ws.error
      assert.same({ "upgrade", "extension" }, { err.kind, err.code })
      assert.matches(why, err.message, 1, true)
    end
  end)

  it("takes it that a server does not compress", function()
    local s = server.listen { onmessage = server.echo }
    local data, ws = server.talk(s.url, { compress = { min_size = 0,
      server_max_window_bits = 9, server_no_context_takeover = true } })
    assert.equal("hello", data)
    assert.is_nil(ws.error)
    server.finish(s)
  end)

  it("needs zlib, whose version is told", function()
    assert.matches("^1%.", wss.versions().zlib)
  end)
end)

describe("of our client and our server", function()
  local both_no = { server_no_context_takeover = true,
    client_no_context_takeover = true }
  local confs = { true, { level = 1, min_size = 0 }, both_no,
    { server_no_context_takeover = true, client_max_window_bits = 10,
      level = 9, mem_level = 1, min_size = 0 },
    { server_max_window_bits = 9, client_max_window_bits = 9, min_size = 1 },
    { server_max_window_bits = 8, client_max_window_bits = 8, level = 0 },
    false }
  local cases = {}
  setup(function()
    for _, n in ipairs { 0, 1, 2, 125, 126, 255, 256, 257, 1000, 16384, 65535,
      65536, 70000 } do
      cases[#cases + 1] = { text(n), "text" }
    end
    for _, n in ipairs { 0, 300, 20000, 40000 } do
      cases[#cases + 1] = { noise(n), "binary" }
    end
    for i = 1, 20 do cases[#cases + 1] = { text(i * 37 % 900, i), "text" } end
  end)

  -- All cases there and back.
  local function converse(theirs, ours)
    local s = server.listen { compress = theirs, onmessage = server.echo }
    local ws = wss.connect(s.url, { compress = ours })
    local n, outcomes = 0, {}
    for i, case in ipairs(cases) do
      ws:send(case[1], case[2], function(err, outcome)
        assert(not err)
        outcomes[i] = outcome
      end)
    end
    function ws:onmessage(data, kind)
      n = n + 1
      assert(kind == cases[n][2], "the kind of case " .. n)
      assert(data == cases[n][1], "case " .. n)
      if n == #cases then self:close() end
    end
    function ws.onclose() s:close() end
    wss.run()
    assert.is_nil(ws.error)
    assert.equal(#cases, n)
    for i in ipairs(cases) do assert.equal("written", outcomes[i]) end
    assert.equal(0, ws.buffered)
    server.finish(s)
    return ws:stats()
  end

  for i, theirs in ipairs(confs) do
    it(("every message is the same with a server's set %d of options, "
      .. "whatever the client's"):format(i), function()
      for _, ours in ipairs(confs) do converse(theirs, ours) end
    end)
  end

  it("it saves bytes in both directions, and less without takeover",
    function()
      local plain, all = converse(false, true), converse(true, true)
      local alone = converse(true, both_no)
      assert.is_true(all.bytes_in < plain.bytes_in * 0.6)
      assert.is_true(all.bytes_out < plain.bytes_out * 0.6)
      assert.is_true(alone.bytes_in < plain.bytes_in * 0.8)
      assert.is_true(alone.bytes_in > all.bytes_in)
      assert.is_true(alone.bytes_out > all.bytes_out)
    end)

  it("what cannot be compressed grows by next to nothing", function()
    local s = server.listen { compress = true, onmessage = server.echo,
      max_message = 2 * MIB }
    local data = noise(MIB)
    local ws = wss.connect(s.url, { compress = true })
    local back
    ws:send(data, "binary")
    function ws:onmessage(message)
      back = message
      self:close()
    end
    function ws.onclose() s:close() end
    wss.run()
    assert.is_true(back == data)
    local stats = ws:stats()
    assert.is_true(stats.bytes_out < MIB * 1.005)
    assert.is_true(stats.bytes_in < MIB * 1.005)
    server.finish(s)
  end)
end)

describe("a compressed message on the wire", function()
  -- The data frames that a raw client gets, which offers so.
  local function frames(compress, offer, say)
    local s = server.listen { compress = compress, onopen = function(_, ws)
      say(ws)
      ws:close()
    end }
    local events = server.call_one(s, offering(offer or NAME,
      { "until", CLOSE }, goodbye))
    server.finish(s)
    local list = frames_of(events)
    assert.equal(CLOSE, table.remove(list).opcode)
    return list
  end

  it("is as RFC 7692 shows it", function()
    local list = frames({ min_size = 0 }, nil, function(ws)
      ws:send "Hello"
      ws:send "Hello"
      ws:send("", "binary")
    end)
    assert.same({ hello, again, "00" }, { list[1].hex, list[2].hex,
      list[3].hex })
    for i, frame in ipairs(list) do
      assert.same({ true, 4, i == 3 and BINARY or TEXT },
        { frame.fin, frame.rsv, frame.opcode })
    end
  end)

  it("refers to no other one without context takeover", function()
    for _, row in ipairs {
      { { min_size = 0, server_no_context_takeover = true }, NAME },
      { { min_size = 0 }, NAME .. "; server_no_context_takeover" },
    } do
      local list = frames(row[1], row[2], function(ws)
        ws:send "Hello"
        ws:send "Hello"
      end)
      assert.same({ hello, hello }, { list[1].hex, list[2].hex })
    end
  end)

  it("has at least min_size bytes", function()
    local list = frames({ min_size = 100 }, nil, function(ws)
      ws:send(("x"):rep(99))
      ws:send(("x"):rep(100))
      ws:send ""
    end)
    assert.same({ 0, 4, 0 }, { list[1].rsv, list[2].rsv, list[3].rsv })
    assert.same({ 99, 0 }, { list[1].len, list[3].len })
    list = frames(true, nil, function(ws) -- by default 256
      ws:send(("x"):rep(255))
      ws:send(("x"):rep(256))
    end)
    assert.same({ 0, 4 }, { list[1].rsv, list[2].rsv })
  end)

  it("is none where the peer's window is smaller than zlib's", function()
    local list = frames({ min_size = 0 }, NAME .. "; server_max_window_bits=8",
      function(ws) ws:send "Hello" end)
    assert.same({ 0, hex "Hello" }, { list[1].rsv, list[1].hex })
  end)

  it("is what a writer makes, piece by piece, however small", function()
    local list = frames(true, nil, function(ws)
      local writer = assert(ws:stream "text")
      assert(writer:write "Hel")
      assert(writer:write "")
      assert(writer:write "lo")
      assert(writer:finish())
      ws:send(("Hello"):rep(100))
    end)
    local whole = {}
    for i, frame in ipairs(list) do
      assert.equal(i == 1 and TEXT or i == #list and TEXT or CONT,
        frame.opcode)
      assert.equal((i == 1 or i == #list) and 4 or 0, frame.rsv)
      if i < #list then
        assert.equal(i == #list - 1, frame.fin)
        whole[i] = frame.hex
      end
    end
    local output = process.run { "/usr/bin/python3", "-c", [[
import sys, zlib
d = zlib.decompressobj(-15)
print(d.decompress(bytes.fromhex(sys.argv[1] + "0000ffff")).decode())
print(d.decompress(bytes.fromhex(sys.argv[2] + "0000ffff")).decode())]],
      table.concat(whole), list[#list].hex }
    assert.equal("Hello\n" .. ("Hello"):rep(100) .. "\n", output)
  end)
end)

describe("ws:stream, compressed,", function()
  it("is one message again, piece by piece", function()
    local s = server.listen { compress = { min_size = 0 },
      onmessage = server.echo }
    local ws = wss.connect(s.url, { compress = { min_size = 0 } })
    local got, settled = {}, {}
    local function done(err, outcome)
      settled[#settled + 1] = err or outcome
    end
    function ws:onopen()
      for _, pieces in ipairs { {}, { "" }, { "a", "", "b" },
        { text(70000), "", text(100), noise(0) }, { text(5) } } do
        local writer = assert(self:stream "text")
        for _, piece in ipairs(pieces) do
          assert(writer:write(piece, done))
        end
        assert(writer:finish())
        assert(self:send("between", "text", done))
      end
    end
    function ws:onmessage(data)
      got[#got + 1] = data
      if #got == 10 then self:close() end
    end
    function ws.onclose() s:close() end
    wss.run()
    assert.is_nil(ws.error)
    assert.is_true(#got == 10)
    for i, want in ipairs { "", "", "ab", text(70000) .. text(100),
      text(5) } do
      assert.is_true(got[2 * i - 1] == want, i)
      assert.equal("between", got[2 * i])
    end
    assert.equal(0 + 1 + 3 + 4 + 1 + 5, #settled)
    for _, how in ipairs(settled) do assert.equal("written", how) end
    assert.equal(0, ws.buffered)
    server.finish(s)
  end)
end)

describe("a large compressed message that drains", function()
  -- It is longer than what kernels hold, so that it cannot be over before the
  -- caller reads, who waits for `file`.
  local function drain(act, ...)
    local dir <close> = process.directory()
    local file = dir.path .. "/go"
    local ws, ended
    local outcomes = {}
    local s = server.listen { compress = true, ping_interval = false,
      onopen = function(_, it)
        ws = it
        ws:send(noise(16 * MIB), "binary", function(err, outcome)
          outcomes[1] = outcome
          outcomes.err = err
        end)
        wss.spawn(function()
          wss.sleep(0.05)
          assert(ws.buffered > 0)
          act(ws, outcomes)
          wss.sleep(0.05)
          process.write_file(file, "")
        end)
      end,
      onclose = function(_, _, code, _, err)
        ended = { code = code, err = err }
      end }
    local events = server.call_one(s, offering(NAME, { "await", file }, ...))
    server.await(function() return ended end, "the end")
    assert.equal(0, ws.buffered)
    server.finish(s)
    return frames_of(events), outcomes, ended
  end

  it("lets pings by, and what is sent meanwhile follows it", function()
    local list, outcomes, ended = drain(function(ws, outcomes)
      assert(ws:ping "now")
      ws:send(text(1000), "text", function(_, outcome)
        outcomes[2] = outcome
      end)
      ws:close(4000, "done")
    end, { "until", CLOSE }, goodbye)
    assert.same({ "written", "written" }, { outcomes[1], outcomes[2] })
    assert.is_nil(ended.err)
    local ping, last, size
    size = 0
    for i, frame in ipairs(list) do
      if frame.opcode == PING then ping = i end
      if frame.opcode <= BINARY and not ping then assert.is_false(frame.fin) end
      if frame.opcode == CONT then
        size = size + frame.len
        if frame.fin then last = i end
      end
    end
    assert.is_true(ping < last)
    assert.is_true(size > 15 * MIB)
    assert.same({ TEXT, 4, true }, { list[last + 1].opcode, list[last + 1].rsv,
      list[last + 1].fin })
    assert.equal(CLOSE, list[last + 2].opcode)
    assert.equal(last + 2, #list)
  end)

  it("is cut by terminate: a part of it had left", function()
    local _, outcomes = drain(function(ws, outcomes)
      ws:send("after", "text", function(_, outcome) outcomes[2] = outcome end)
      ws:terminate()
    end, { "drain" })
    assert.same({ "partial", "unsent" }, { outcomes[1], outcomes[2] })
    assert.is_not_nil(outcomes.err)
  end)
end)

describe("a large compressed message of a client", function()
  it("does not keep a server waiting that closes: it ends between two frames",
    function()
      local peer <close> = peers.raw { answering(NAME, { "frames", 1 },
        { "frame", CLOSE, "03e9" }, { "until", CLOSE }) }
      local ws = wss.connect("ws://127.0.0.1:" .. peer.port,
        { compress = true, ping_interval = false })
      local outcome, code
      ws:send(noise(16 * MIB), "binary", function(_, how) outcome = how end)
      function ws.onclose(_, how) code = how end
      wss.run()
      assert.same({ "partial", 1001 }, { outcome, code })
      assert.equal(0, ws.buffered)
      local list = frames_of(told(peer))
      assert.equal("03e9", list[#list].hex)
      for i = 1, #list - 1 do assert.is_false(list[i].fin) end
    end)
end)

describe("a reconnect in the middle of a compressed message", function()
  it("reports the part, and begins with a fresh context", function()
    local agreed = { { "upgrade", {
      ["Sec-WebSocket-Extensions"] = NAME } } }
    local first = table.move(agreed, 1, 1, 1, {})
    -- It sees the first message and two frames of the second.
    for _, step in ipairs { { "frames", 3 }, { "reset" } } do
      first[#first + 1] = step
    end
    local second = table.move(agreed, 1, 1, 1, {})
    for _, step in ipairs { { "frames", 2 }, goodbye, { "until", CLOSE } } do
      second[#second + 1] = step
    end
    local peer <close> = peers.raw { first, second }
    local ws = wss.connect("ws://127.0.0.1:" .. peer.port, {
      compress = { min_size = 0 }, ping_interval = false,
      reconnect = { min = 0.01, max = 0.02 } })
    local outcomes = {}
    local function done(i)
      return function(err, outcome)
        assert.is_nil(outcomes[i])
        assert.equal(outcome ~= "written", err ~= nil)
        outcomes[i] = outcome
      end
    end
    ws:send("Hello", "text", done(1))
    ws:send(noise(16 * MIB), "binary", done(2))
    ws:send("Hello", "text", done(3))
    ws:send("Hello", "text", done(4))
    wss.run()
    assert.same({ "written", "partial", "written", "written" }, outcomes)
    assert.equal(0, ws.buffered)
    local frames = {}
    for fact in function() return peers.told(peer) end do
      if fact.event == "frame" then
        frames[#frames + 1] = fact
      elseif fact.event == "end" and fact.conn == 2 then
        break
      end
      assert.is_not.equal("error", fact.event)
    end
    assert.equal(hello, frames[1].hex)
    assert.same({ 4, 0 }, { frames[2].rsv, frames[3].rsv })
    assert.same({ hello, again }, { frames[4].hex, frames[5].hex })
  end)
end)

describe("publish", function()
  local message = text(300)

  it("compresses anew for all, and refers to nothing before", function()
    local s = server.listen { compress = true, onopen = function(self, ws)
      ws:subscribe "t"
      ws:send(message)
      ws:send(message)
      self:publish("t", message)
      ws:send(message)
      ws:send(message)
      self:publish("t", message)
      self:publish("t", message)
      ws:close()
    end }
    local all = {}
    for i, offer in ipairs { NAME, NAME .. "; server_no_context_takeover" } do
      all[i] = frames_of(server.call_one(s, offering(offer,
        { "until", CLOSE }, goodbye)))
    end
    server.finish(s)
    local list = all[1]
    local fresh, refers = list[1].hex, list[2].hex
    assert.is_true(list[2].len < list[1].len)
    assert.same({ fresh, fresh, refers, fresh, fresh },
      { list[3].hex, list[4].hex, list[5].hex, list[6].hex, list[7].hex })
    for i = 1, 7 do assert.equal(fresh, all[2][i].hex) end
  end)

  it("reaches receivers of every kind, between messages of their own",
    function()
      local kinds = { true, false, { server_max_window_bits = 9 },
        { server_max_window_bits = 8 }, { server_no_context_takeover = true },
        { client_no_context_takeover = true, min_size = 0 },
        { server_max_window_bits = 14, server_no_context_takeover = true } }
      for _, theirs in ipairs { true, { min_size = 0 },
        { server_max_window_bits = 12 }, { server_max_window_bits = 8 },
        { server_no_context_takeover = true, level = 9 }, false } do
        local want = {}
        local s = server.listen { compress = theirs,
          onopen = function(_, ws) ws:subscribe "t" end }
        local function act(kind, data)
          want[#want + 1] = data
          if kind == "publish" then
            assert(s:publish("t", data) == #kinds)
          elseif kind == "broadcast" then
            assert(s:broadcast(data) == #kinds)
          else
            for ws in s:connections() do assert(ws:send(data)) end
          end
        end
        local got, left = {}, #kinds
        for i, ours in ipairs(kinds) do
          local ws = wss.connect(s.url, { compress = ours })
          got[i] = {}
          function ws.onmessage(_, data) table.insert(got[i], data) end
          function ws.onclose(_, _, _, err)
            assert.is_nil(err)
            left = left - 1
          end
        end
        server.await(function()
          return s:stats().subscriptions == #kinds
        end, "all")
        for i, kind in ipairs { "send", "publish", "send", "send", "publish",
          "publish", "broadcast", "send", "publish", "send" } do
          act(kind, text(1000 * i, i % 3))
          act(kind, text(20, i))
        end
        act("send", "")
        act("publish", "")
        act("publish", noise(3000):gsub("[\x80-\xff]", "x"))
        act("send", text(40000))
        act("publish", text(40000))
        act("send", text(40000))
        s:close()
        wss.run()
        assert.equal(0, left)
        for i in ipairs(kinds) do
          assert.equal(#want, #got[i])
          for n, data in ipairs(want) do
            assert.is_true(got[i][n] == data, ("%d: %d"):format(i, n))
          end
        end
      end
    end)
end)

describe("what a hostile peer sends", function()
  -- 48 MiB of zeros, a thousand times smaller.
  local bomb, large
  setup(function()
    large = 48 * MIB
    bomb = zlib("bytes(48 << 20)")
    assert(#bomb / 2 < large / 1000)
  end)

  -- Its peak over what there was.
  local function bounded(act)
    collectgarbage()
    process.write_file("/proc/self/clear_refs", "5")
    local before = resident "VmRSS"
    act()
    assert.is_true(resident "VmHWM" - before < 16 * MIB)
  end

  -- The error and the close frame's code, where the peer is a client of ours
  -- or a server.
  local function as_server(options, ...)
    local s = server.listen { compress = true, max_message = options.max,
      onmessage = function() options.got = true end,
      onclose = function(_, _, code, _, err)
        options.code, options.err = code, err
      end }
    local script = offering(NAME, ...)
    script[#script + 1] = { "until", CLOSE }
    local events = server.call_one(s, script)
    server.await(function() return options.err end, "the error")
    server.finish(s)
    local list = frames_of(events)
    return options.err, list[#list].hex:sub(1, 4)
  end
  local function as_client(options, ...)
    local script = answering(NAME, ...)
    script[#script + 1] = { "until", CLOSE }
    local peer <close> = peers.raw { script }
    local ws = wss.connect("ws://127.0.0.1:" .. peer.port, {
      compress = true, max_message = options.max,
      onmessage = function() options.got = true end,
      onclose = function() end })
    wss.run()
    local list = frames_of(told(peer))
    return ws.error, list[#list].hex:sub(1, 4)
  end

  for role, meet in pairs { server = as_server, client = as_client } do
    local function masked(more)
      more = more or {}
      if role == "client" then more.mask = nil end
      more.rsv = more.rsv or 4
      return more
    end

    it(("does not blow up a %s: a bomb stops at max_message"):format(role),
      function()
        for _, pieces in ipairs { false, true } do
          local options = { max = MIB }
          bounded(function()
            local err, code
            if pieces then -- in a thousand frames, on which more would follow
              local steps = { { "frame", BINARY, bomb:sub(1, 100),
                masked { fin = false } } }
              for at = 101, #bomb, 10000 do
                steps[#steps + 1] = { "frame", CONT, bomb:sub(at, at + 9999),
                  masked { fin = false, rsv = 0 } }
              end
              err, code = meet(options, table.unpack(steps))
            else
              err, code = meet(options, { "frame", BINARY, bomb, masked() })
            end
            assert.same({ "limit", "message_size", MIB },
              { err.kind, err.code, err.limit })
            assert.equal(("%04x"):format(1009), code)
            assert.is_nil(options.got)
          end)
        end
      end)

    it(("a %s takes in full what max_message allows"):format(role), function()
      local got
      if role == "server" then
        local s = server.listen { compress = true, max_message = large,
          onmessage = function(_, _, data) got = #data end }
        server.call_one(s, offering(NAME, { "frame", BINARY, bomb,
          masked() }, goodbye, { "until", CLOSE }))
        server.finish(s)
      else
        local peer <close> = peers.raw { answering(NAME,
          { "frame", BINARY, bomb, masked() }, goodbye, { "until", CLOSE }) }
        local ws = wss.connect("ws://127.0.0.1:" .. peer.port,
          { compress = true, max_message = large })
        function ws.onmessage(_, data) got = #data end
        wss.run()
        assert.is_nil(ws.error)
      end
      assert.equal(large, got)
    end)

    it(("a %s refuses what cannot be inflated"):format(role), function()
      for _, data in ipairs { "06", "ffffffff", hello:sub(1, 8),
        "000900f6ff48", again, hex "plain text" } do
        local options = {}
        local err, code = meet(options, { "frame", BINARY, data,
          masked() })
        assert.same({ "protocol", "deflate" }, { err.kind, err.code })
        assert.equal(("%04x"):format(1007), code)
        assert.is_nil(options.got)
      end
    end)

    it(("a %s refuses inflated text that is no UTF-8"):format(role),
      function()
        local err, code = meet({}, { "frame", TEXT, zlib "b'a\\xff'",
          masked() })
        assert.same({ "protocol", "utf8" }, { err.kind, err.code })
        assert.equal(("%04x"):format(1007), code)
      end)

    it(("a %s refuses the bit on other frames"):format(role), function()
      for _, steps in ipairs {
        { { "frame", PING, "", masked() } },
        { { "frame", TEXT, hello, masked { rsv = 6 } } },
        { { "frame", TEXT, hello:sub(1, 6), masked { fin = false } },
          { "frame", CONT, hello:sub(7), masked() } } } do
        local err, code = meet({}, table.unpack(steps))
        assert.same({ "protocol", "reserved_bits" }, { err.kind, err.code })
        assert.equal(("%04x"):format(1002), code)
      end
    end)
  end
end)

describe("an idle connection", function()
  -- What each of them costs, both ends, after a message in each direction. In a
  -- process of its own, whose heap nothing else has torn.
  local function cost(options)
    local output, status = process.run { "lua5.4",
      "spec/support/peers/idle.lua", options }
    assert.equal(0, status.code, status.stderr)
    return tonumber(output)
  end

  it("holds no memory of zlib's without context takeover", function()
    if variant then return end -- there, other things are what grows
    local without = cost("{ server_no_context_takeover = true, "
      .. "client_no_context_takeover = true }")
    assert.is_true(without < 32 * 1024, without)
    local with = cost "true"
    assert.is_true(with > 2 * 256 * 1024, with)
  end)
end)
