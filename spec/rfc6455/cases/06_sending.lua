--- RFC 6455, 6: what our side sends, as frames on the wire. That frames of a
-- client are masked with fresh keys, those of a server not, lengths shortest,
-- reserved bits zero and nothing sent behind a close, is looked at in every
-- case of the suite.

local conform = require "spec.support.conform"
local assert = require "luassert"
local frame, code = conform.frame, conform.code

local rows = {}
local function row(t) rows[#rows + 1] = t end

for _, n in ipairs { 0, 1, 125, 126, 127, 128, 65535, 65536, 65537 } do
  row { ("a text of %d bytes is one frame"):format(n), "6.1", once = true,
    open = function(ws) assert(ws:send(("t"):rep(n))) end,
    send = { { "frames", 1 } }, frames = { { 1, ("t"):rep(n) } },
    check = function(told) assert.is_true(told.frames[1].fin) end }
  row { ("a binary message of %d bytes is one frame"):format(n), "6.1",
    once = true, open = function(ws) ws:send(("\xfe"):rep(n), "binary") end,
    send = { { "frames", 1 } }, frames = { { 2, ("\xfe"):rep(n) } },
    check = function(told) assert.is_true(told.frames[1].fin) end }
end
row { "messages go out in their order", "6.1", once = true,
  open = function(ws)
    for i = 1, 20 do ws:send(tostring(i), i % 2 == 0 and "text" or "binary") end
  end, send = { { "frames", 20 } }, frames = (function()
    local list = {}
    for i = 1, 20 do list[i] = { i % 2 == 0 and 1 or 2, tostring(i) } end
    return list
  end)() }
row { "a message is answered by the message that its handler sends", "6.2",
  message = function(ws, data) ws:send(data:upper()) end,
  send = { frame(1, "hello"), { "frames", 1 } },
  messages = { { "hello", "text" } }, frames = { { 1, "HELLO" } } }
row { "answers keep the order of what they answer", "6.2",
  message = function(ws, data) ws:send(data, "binary") end,
  send = { frame(1, "a"), frame(1, "b", { fin = false }), frame(9, "p"),
    frame(0, "c"), frame(1, "d"), { "frames", 4 } },
  messages = { { "a", "text" }, { "bc", "text" }, { "d", "text" } },
  pings = { "p" }, frames = false, check = function(told)
    local said = {}
    for _, f in ipairs(told.frames) do
      if f.opcode == 2 then said[#said + 1] = f.hex end
    end
    assert.are.same({ "61", "6263", "64" }, said)
  end }
row { "a stream is one message in fragments", "6.1", once = true,
  open = function(ws)
    local writer = ws:stream()
    writer:write "Hel"
    writer:finish "lo"
  end, send = { { "frames", 2 } }, frames = { { 1, "Hel" }, { 0, "lo" } },
  check = function(told)
    assert.is_false(told.frames[1].fin)
    assert.is_true(told.frames[2].fin)
  end }
row { "a binary stream begins with a binary frame", "6.1", once = true,
  open = function(ws)
    local writer = ws:stream "binary"
    writer:write "\xff"
    writer:write "\xfe"
    writer:finish()
  end, send = { { "until", 0 } }, frames = false, check = function(told)
    local all, data = told.frames, ""
    assert.are.equal(2, all[1].opcode)
    for i = 1, #all - 1 do
      assert.are.equal(i == 1 and 2 or 0, all[i].opcode)
      assert.are.equal(i == #all - 1, all[i].fin)
      data = data .. all[i].hex
    end
    assert.are.equal("fffe", data)
  end }
row { "a ping of ours goes between the fragments of a stream", "6.1",
  once = true, open = function(ws, seen)
    seen.writer = ws:stream()
    seen.writer:write "a"
  end, message = function(ws, data, seen)
    if data == "ping" then return ws:ping "now" end
    ws:send "behind"
    seen.writer:finish "b"
  end, send = { { "frames", 1 }, frame(1, "ping"), { "frames", 2 },
    frame(1, "end"), { "frames", 4 } },
  messages = { { "ping", "text" }, { "end", "text" } },
  frames = { { 1, "a" }, { 9, "now" }, { 0, "b" }, { 1, "behind" } } }
row { "a ping is answered between the fragments of a stream", "6.1",
  once = true, open = function(ws, seen)
    seen.writer = ws:stream()
    seen.writer:write "a"
  end, message = function(ws, _, seen)
    ws:send "behind"
    seen.writer:finish "b"
  end, send = { { "frames", 1 }, frame(9, "p"), { "frames", 2 },
    frame(1, "go on"), { "frames", 4 } }, pings = { "p" },
  messages = { { "go on", "text" } }, frames = { { 1, "a" }, { 10, "p" },
    { 0, "b" }, { 1, "behind" } } }
row { "invalid text is not sent", "6.1", once = true, open = function(ws)
  local ok, err = ws:send "a\xff"
  assert(not ok and err.code == "utf8")
  assert(ws:send "b")
end, send = { { "frames", 1 } }, frames = { { 1, "b" } } }
row { "nothing is sent behind our close", "6.1", once = true,
  open = function(ws)
    ws:send "before"
    ws:close()
    local ok, err = ws:send "behind"
    assert(not ok and err.kind == "closed")
    assert(not ws:ping "behind")
  end, send = { { "until", 8 }, frame(8, code(1000)) },
  frames = { { 1, "before" } }, close = 1000, onclose = { 1000, "" } }
for _, n in ipairs { 0, 1, 125 } do
  row { ("a ping of ours has its payload of %d bytes"):format(n), "6.1",
    once = true, open = function(ws) assert(ws:ping(("i"):rep(n))) end,
    send = { { "frames", 1 } }, frames = { { 9, ("i"):rep(n) } } }
end
row { "a hundred frames of a client have a hundred masking keys", "6.1",
  once = true, role = "client", open = function(ws)
    for _ = 1, 100 do ws:send "" end
  end, send = { { "frames", 100 } }, frames = false, check = function(told)
    local zeros = 0
    for _, f in ipairs(told.frames) do
      if f.key == "00000000" then zeros = zeros + 1 end
    end
    assert.are.equal(0, zeros)
    assert.are.equal(101, #told.frames)
  end }

return rows
