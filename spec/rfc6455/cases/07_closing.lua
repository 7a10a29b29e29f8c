--- RFC 6455, 7: the closing handshake, its codes, and ends without one.

local conform = require "spec.support.conform"
local assert = require "luassert"
local frame, code = conform.frame, conform.code

local rows = {}
local function row(t) rows[#rows + 1] = t end

-- ---- codes (7.4) ------------------------------------------------------------

-- 1012 to 1014 are in IANA's registry (RFC 6455, 11.7), 1016 to 2999 are kept
-- for later versions: until one of them is registered nobody may send it.
local good = { 1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012,
  1013, 1014, 3000, 3999, 4000, 4999 }
local bad = { 0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 1999, 2000, 2999,
  5000, 32768, 65535 }
for _, n in ipairs(good) do
  row { ("a close with %d is answered with the same"):format(n), "7.4",
    send = { frame(8, code(n)) }, close = n, onclose = { n, "" } }
  row { ("a close with %d and a reason tells both"):format(n), "7.4",
    send = { frame(8, code(n, "why \u{2713}")) }, close = n,
    onclose = { n, "why \u{2713}" } }
end
for _, n in ipairs(bad) do
  row { ("a close with %d is refused"):format(n), "7.4",
    send = { frame(8, code(n)) }, fault = "code" }
  row { ("a close with %d and a reason is refused"):format(n), "7.4",
    send = { frame(8, code(n, "why")) }, fault = "code" }
end
row { "an invalid code counts more than an invalid reason", "7.4",
  send = { frame(8, code(1005, "\xff")) }, fault = "code" }

-- ---- we close first (7.1.2) -------------------------------------------------

local function closing(...)
  local args = table.pack(...)
  return function(ws) ws:close(table.unpack(args, 1, args.n)) end
end
local awaits <const> = { "until", 8 }

row { "our close without arguments has code 1000", "7.1.2", open = closing(),
  send = { awaits, frame(8, code(1000)) }, close = 1000, said = "",
  onclose = { 1000, "" } }
row { "our close has its code and reason", "7.1.2",
  open = closing(4321, "enough"), send = { awaits, frame(8, code(4321)) },
  close = 4321, said = "enough", onclose = { 4321, "" } }
row { "our close may have a reason of 123 bytes", "7.1.2",
  open = closing(3000, ("r"):rep(123)),
  send = { awaits, frame(8, code(3000)) }, close = 3000, said = ("r"):rep(123),
  onclose = { 3000, "" } }
row { "what the peer answers to our close is what onclose tells", "7.1.5",
  open = closing(1001, "ours"), send = { awaits, frame(8, code(3333,
    "theirs")) }, close = 1001, said = "ours", onclose = { 3333, "theirs" } }
row { "an answer without a code to our close is 1005", "7.1.5",
  open = closing(), send = { awaits, frame(8, "") }, close = 1000,
  onclose = { 1005, "" } }
row { "a second close of ours sends nothing", "7.1.2", open = function(ws)
  ws:close(1000, "first")
  ws:close(1001, "second")
end, send = { awaits, frame(8, code(1000)) }, close = 1000, said = "first",
  onclose = { 1000, "" } }
row { "what was sent before our close goes out in front of it", "7.1.2",
  open = function(ws)
    ws:send "one"
    ws:send("two", "binary")
    ws:close()
  end, send = { awaits, frame(8, code(1000)) },
  frames = { { 1, "one" }, { 2, "two" } }, close = 1000,
  onclose = { 1000, "" } }
row { "what comes between our close and the answer is discarded", "7.1.2",
  open = closing(), send = { awaits, frame(1, "crossing"),
    frame(8, code(1000)) }, close = 1000, onclose = { 1000, "" } }
row { "a ping between our close and the answer is not answered", "5.5.1",
  open = closing(), send = { awaits, frame(9, "crossing"),
    frame(8, code(1000)) }, pings = { "crossing" }, close = 1000,
  onclose = { 1000, "" } }
row { "a message in fragments may end between our close and the answer",
  "7.1.2", open = closing(), send = { frame(1, "a", { fin = false }), awaits,
    frame(0, "b"), frame(8, code(1000)) }, close = 1000,
  onclose = { 1000, "" } }
row { "a close that comes before ours has left is answered with its own code",
  "5.5.1", once = true, message = closing(3001, "ours"),
  send = { frame(1, "x"), frame(8, code(3002)) },
  messages = { { "x", "text" } }, close = 3002, said = "",
  onclose = { 3002, "" } }
row { "a violation between our close and the answer is reported", "7.1.7",
  open = closing(), send = { awaits, frame(3, "") }, close = 1000,
  onclose = { 1006, "", "protocol", "opcode" } }
row { "invalid text between our close and the answer is reported", "7.1.7",
  open = closing(), send = { awaits, frame(1, "\xff") }, close = 1000,
  onclose = { 1006, "", "protocol", "utf8" } }
row { "an invalid answer to our close is reported", "7.1.7",
  open = closing(), send = { awaits, frame(8, code(1005)) }, close = 1000,
  onclose = { 1006, "", "protocol", "close_code" } }
row { "a peer that ends without an answer to our close is reported", "7.1.5",
  once = true, open = closing(), send = { awaits }, tail = { { "fin" },
    { "eof" } }, close = 1000, onclose = { 1006, "", "closed", "eof" } }
row { "a peer that never answers our close is left after close_timeout",
  "7.1.1", once = true, options = { close_timeout = 0.05 }, open = closing(),
  send = { awaits }, tail = { { "eof" } }, close = 1000,
  onclose = { 1006, "", "timeout", "close" },
  check = function(told) assert.is_true(told.first) end }

-- ---- who hangs up (7.1.1) ---------------------------------------------------

row { "a server hangs up first when the peer has closed", "7.1.1",
  role = "server", send = { frame(8, code(1000)) }, tail = { { "eof" } },
  close = 1000, onclose = { 1000, "" },
  check = function(told) assert.is_true(told.first) end }
row { "a server hangs up first when its close was answered", "7.1.1",
  role = "server", open = closing(), send = { awaits, frame(8, code(1000)) },
  tail = { { "eof" } }, close = 1000, onclose = { 1000, "" },
  check = function(told) assert.is_true(told.first) end }
row { "a client waits for the server to hang up when that has closed", "7.1.1",
  role = "client", send = { frame(8, code(1000)) }, tail = { awaits,
    { "still", 0.05 }, { "fin" }, { "eof" } }, close = 1000,
  onclose = { 1000, "" },
  check = function(told) assert.is_false(told.first) end }
row { "a client waits for the server to hang up when its close was answered",
  "7.1.1", role = "client", open = closing(),
  send = { awaits, frame(8, code(1000)) }, tail = { { "still", 0.05 },
    { "fin" }, { "eof" } }, close = 1000, onclose = { 1000, "" },
  check = function(told) assert.is_false(told.first) end }
row { "a client hangs up where the server never does, and it is no error",
  "7.1.1", role = "client", once = true, options = { close_timeout = 0.05 },
  send = { frame(8, code(1000)) }, tail = { awaits, { "eof" } }, close = 1000,
  onclose = { 1000, "" },
  check = function(told) assert.is_true(told.first) end }
row { "who hangs up behind its close without waiting is heard out", "7.1.1",
  send = { frame(1, "last"), frame(8, code(1001, "away")) },
  tail = { { "fin" }, { "eof" } }, messages = { { "last", "text" } },
  close = 1001, onclose = { 1001, "away" } }
row { "over TLS our close_notify comes before our end", "7.1.1", over = "wss",
  send = { frame(8, code(1000)) }, close = 1000, onclose = { 1000, "" },
  check = function(told) assert.is_false(told.ragged) end }

-- ---- no close at all (7.1.5) ------------------------------------------------

local eof <const> = { 1006, "", "closed", "eof" }
row { "an end without a close is 1006", "7.1.5", once = true,
  tail = { { "fin" }, { "eof" } }, close = "none", onclose = eof }
row { "an end behind a message is 1006, and the message is delivered", "7.1.5",
  send = { frame(1, "last") }, tail = { { "fin" }, { "eof" } },
  messages = { { "last", "text" } }, close = "none", onclose = eof }
row { "an end in the middle of a message is 1006", "7.1.5",
  send = { frame(1, "half", { fin = false }) }, tail = { { "fin" },
    { "eof" } }, close = "none", onclose = eof }
row { "an end in the middle of a frame is 1006", "7.1.5",
  send = { frame(1, "half", { cut = 2 }) }, tail = { { "fin" }, { "eof" } },
  close = "none", onclose = eof }
row { "an end in the middle of a header is 1006", "7.1.5",
  send = { "\x82" }, tail = { { "fin" }, { "eof" } }, close = "none",
  onclose = eof }
row { "an end in the middle of a close is 1006", "7.1.5",
  send = { frame(8, code(1000, "bye"), { cut = 3 }) }, tail = { { "fin" },
    { "eof" } }, close = "none", onclose = eof }
row { "a reset is 1006", "7.1.5", once = true, over = "ws",
  tail = { { "reset" } }, close = "none",
  onclose = { 1006, "", "closed", "reset" } }
row { "a reset over TLS is 1006", "7.1.5", once = true, over = "wss",
  tail = { { "reset" } }, close = "none",
  onclose = { 1006, "", "closed", "reset" } }
row { "TLS that ends without close_notify is 1006", "7.1.5", once = true,
  over = "wss", tail = { { "cut" }, { "eof" } }, close = "none",
  onclose = { 1006, "", "tls", "unexpected_eof_while_reading" } }
row { "TLS that ends without close_notify behind the close is clean", "7.1.1",
  over = "wss", role = "client", send = { frame(8, code(1000)) },
  tail = { awaits, { "cut" }, { "eof" } }, close = 1000,
  onclose = { 1000, "" } }

-- ---- failing the connection (7.1.7) -----------------------------------------

row { "behind a violation nothing is delivered, and no ping answered", "7.1.7",
  send = { frame(1, "a"), frame(3, ""), frame(1, "b"), frame(9, "c"),
    frame(8, code(1000)) }, messages = { { "a", "text" } }, fault = "opcode" }
row { "who goes on sending behind a violation still hears the close", "7.1.7",
  send = { frame(3, ""), frame(2, ("x"):rep(100000)), awaits,
    frame(2, ("x"):rep(100000)) }, fault = "opcode" }
row { "what is not WebSocket at all is refused", "7.1.7",
  send = { "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" },
  fault = "bits" }
row { "messages waiting to be sent do not go out behind a violation", "7.1.7",
  message = function(ws) ws:send "answer" end,
  send = { frame(1, "ask"), { "frames", 1 }, frame(5, "") },
  messages = { { "ask", "text" } }, frames = { { 1, "answer" } },
  fault = "opcode" }
row { "the reason of our close tells people what was wrong", "7.1.7",
  send = { frame(1, "", { rsv = 4 }) }, fault = "bits",
  said = "a frame has a reserved bit set that nobody negotiated" }

return rows
