--- RFC 6455, 5.5: close, ping and pong as frames.

local conform = require "spec.support.conform"
local frame, code = conform.frame, conform.code

local rows = {}
local function row(t) rows[#rows + 1] = t end

local kinds = { [8] = "close", [9] = "ping", [10] = "pong" }

for opcode, kind in pairs(kinds) do
  local begun = opcode == 8 and code(1000) or ""
  row { ("a %s frame in fragments is refused"):format(kind), "5.5",
    send = { frame(opcode, begun, { fin = false }), frame(0, "") },
    fault = "control" }
  row { ("a %s frame without FIN is refused in the middle of a message")
    :format(kind), "5.5", send = { frame(1, "a", { fin = false }),
    frame(opcode, begun, { fin = false }) }, fault = "control" }
  for _, n in ipairs { 126, 127, 65535, 65536 } do
    row { ("a %s frame of %d bytes is refused before they have come"):format(
      kind, n), "5.5", send = { frame(opcode, begun .. ("x"):rep(n - #begun),
      { cut = 0 }) }, fault = "control" }
  end
  row { ("a %s frame with a length in 16 bits is refused"):format(kind), "5.5",
    send = { frame(opcode, begun, { wide = 16 }) }, fault = "control" }
  row { ("a %s frame with a length in 64 bits is refused"):format(kind), "5.5",
    send = { frame(opcode, begun, { wide = 64 }) }, fault = "control" }
end

-- ---- ping (5.5.2) -----------------------------------------------------------

for _, n in ipairs { 0, 1, 2, 124, 125 } do
  local payload = ("p"):rep(n)
  row { ("a ping of %d bytes is answered with the very same"):format(n),
    "5.5.2", send = { frame(9, payload) }, pings = { payload },
    frames = { { 10, payload } } }
end
row { "a ping's payload need not be text", "5.5.2",
  send = { frame(9, "\0\xff\xfe\xc0\x80") }, pings = { "\0\xff\xfe\xc0\x80" },
  frames = { { 10, "\0\xff\xfe\xc0\x80" } } }

local function many(n, size)
  local send, payloads, answers = {}, {}, {}
  for i = 1, n do
    payloads[i] = ("%d."):format(i):rep(size)
    send[i], answers[i] = frame(9, payloads[i]), { 10, payloads[i] }
  end
  return send, payloads, answers
end
local send, payloads, answers = many(10, 20)
row { "ten pings are answered in their order", "5.5.2", send = send,
  pings = payloads, frames = answers }
send, payloads, answers = many(100, 3)
row { "a hundred pings in a row are answered in their order", "5.5.2",
  send = send, pings = payloads, frames = answers }

send, payloads = {}, {}
for i = 1, 150 do
  payloads[i] = ("%06d"):format(i) .. ("p"):rep(119)
  send[i] = frame(9, payloads[i])
end
row { "of a flood of pings some may go unanswered, and the answers keep order",
  "5.5.3", send = send, pings = payloads, frames = false,
  check = function(told)
    local last = 0
    for _, f in ipairs(told.frames) do
      if f.opcode == 10 then
        local n = tonumber((f.hex:sub(1, 12):gsub("..", function(x)
          return string.char(tonumber(x, 16))
        end)), 10)
        assert(n > last and n <= 150, "out of order")
        last = n
      end
    end
    assert(last > 0, "none was answered")
  end }

row { "a ping between two messages is answered", "5.5.2",
  send = { frame(1, "a"), frame(9, "p"), frame(1, "b") },
  messages = { { "a", "text" }, { "b", "text" } }, pings = { "p" },
  frames = { { 10, "p" } } }
row { "a ping with a masking key of zeros is answered", "5.5.2",
  role = "server", send = { frame(9, "abc", { key = "\0\0\0\0" }) },
  pings = { "abc" }, frames = { { 10, "abc" } } }
row { "a ping right behind the opening handshake is answered", "5.5.2",
  behind = true, send = { frame(9, "early") }, pings = { "early" },
  frames = { { 10, "early" } } }
row { "a ping in the middle of a message is answered before its end", "5.5.2",
  send = { frame(1, "a", { fin = false }), frame(9, "now"), { "frames", 1 },
    frame(0, "b") },
  messages = { { "ab", "text" } }, pings = { "now" },
  frames = { { 10, "now" } } }
row { "a ping is answered though a frame that has begun goes on", "5.5.2",
  send = { frame(9, "now"), frame(10, "", { len = 5, cut = 0 }),
    { "frames", 1 } }, tail = { { "fin" }, { "eof" } }, pings = { "now" },
  frames = { { 10, "now" } }, close = "none",
  onclose = { 1006, "", "closed", "eof" } }

-- ---- pong (5.5.3) -----------------------------------------------------------

for _, n in ipairs { 0, 1, 125 } do
  row { ("a pong of %d bytes that answers nothing is taken, and not answered")
    :format(n), "5.5.3", send = { frame(10, ("u"):rep(n)) },
    pongs = { ("u"):rep(n) } }
end
send, payloads = {}, {}
for i = 1, 50 do
  payloads[i] = tostring(i)
  send[i] = frame(10, payloads[i])
end
row { "pongs that answer nothing are taken in any number", "5.5.3",
  send = send, pongs = payloads }
row { "a pong's payload need not be text", "5.5.3",
  send = { frame(10, "\xff\xfe") }, pongs = { "\xff\xfe" } }
row { "a pong that answers nothing disturbs no ping", "5.5.3",
  send = { frame(10, "u"), frame(9, "p"), frame(10, "v") }, pings = { "p" },
  pongs = { "u", "v" }, frames = { { 10, "p" } } }
row { "a pong in the middle of a message is taken", "5.5.3",
  send = { frame(2, "a", { fin = false }), frame(10, "u"), frame(0, "b") },
  messages = { { "ab", "binary" } }, pongs = { "u" } }
row { "a pong that answers our ping tells the time it took", "5.5.3",
  open = function(ws) ws:ping "ours" end,
  send = { { "frames", 1 }, frame(10, "ours") }, frames = { { 9, "ours" } },
  pongs = { "ours" } }
row { "a pong that answers the last of our pings answers those before", "5.5.3",
  open = function(ws)
    ws:ping "one"
    ws:ping "two"
  end, send = { { "frames", 2 }, frame(10, "two") },
  frames = { { 9, "one" }, { 9, "two" } }, pongs = { "two" } }
row { "a pong with another payload than our ping's is taken", "5.5.3",
  open = function(ws) ws:ping "ours" end,
  send = { { "frames", 1 }, frame(10, "theirs") }, frames = { { 9, "ours" } },
  pongs = { "theirs" } }

-- ---- close as a frame (5.5.1) -----------------------------------------------

row { "a close without a payload is answered with one without", "5.5.1",
  send = { frame(8, "") }, close = false, onclose = { 1005, "" } }
row { "a close of one byte is refused", "5.5.1", send = { frame(8, "\3") },
  fault = "code" }
row { "a close is answered with its code, and without its reason", "5.5.1",
  send = { frame(8, code(1000, "bye")) }, close = 1000, said = "",
  onclose = { 1000, "bye" } }
row { "a close's reason may be 123 bytes", "5.5.1",
  send = { frame(8, code(1000, ("r"):rep(123))) }, close = 1000,
  onclose = { 1000, ("r"):rep(123) } }
row { "a close's reason may end with a character of four bytes", "5.5.1",
  send = { frame(8, code(3000, ("r"):rep(119) .. "\u{1f600}")) }, close = 3000,
  onclose = { 3000, ("r"):rep(119) .. "\u{1f600}" } }
row { "a close's reason may hold a NUL", "5.5.1",
  send = { frame(8, code(1000, "a\0b")) }, close = 1000,
  onclose = { 1000, "a\0b" } }
for name, reason in pairs { ["a byte that begins nothing"] = "\xff",
  ["half a character"] = "abc\xe2\x82", ["a surrogate"] = "\xed\xa0\x80",
  ["an overlong slash"] = "\xc0\xaf", ["U+110000"] = "\xf4\x90\x80\x80",
  ["a lone continuation byte"] = "a\x80" } do
  row { ("a close's reason with %s is refused"):format(name), "5.5.1",
    send = { frame(8, code(1000, reason)) }, fault = "utf8" }
end
row { "a close in the middle of a message is answered, the message dropped",
  "5.5.1", send = { frame(1, "half", { fin = false }), frame(8, code(1001)) },
  close = 1001, onclose = { 1001, "" } }
row { "messages before a close are delivered", "5.5.1",
  send = { frame(1, "a"), frame(2, "b"), frame(8, code(1000)) },
  messages = { { "a", "text" }, { "b", "binary" } }, close = 1000,
  onclose = { 1000, "" } }
row { "a ping before a close is answered first", "5.5.1",
  send = { frame(9, "p"), frame(8, code(1000)) }, pings = { "p" },
  frames = { { 10, "p" } }, close = 1000, onclose = { 1000, "" } }
for name, late in pairs { ["a message"] = frame(1, "late"),
  ["a ping"] = frame(9, "late"), ["a pong"] = frame(10, "late"),
  ["another close"] = frame(8, code(1002, "late")),
  ["what is not a frame"] = "\xff\xff\xff\xff\xff\xff",
  ["a frame with a reserved bit"] = frame(1, "late", { rsv = 4 }) } do
  row { ("%s behind a close is ignored"):format(name), "5.5.1",
    send = { frame(8, code(1000)), late }, close = 1000,
    onclose = { 1000, "" } }
end

return rows
