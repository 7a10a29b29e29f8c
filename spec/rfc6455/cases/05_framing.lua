--- RFC 6455, 5.1 to 5.3: opcodes, reserved bits, lengths, masks.

local conform = require "spec.support.conform"
local frame = conform.frame

local rows = {}
local function row(t) rows[#rows + 1] = t end

-- ---- masking (5.1, 5.3) -----------------------------------------------------

local kinds = { [0] = "continuation", "text", "binary", [8] = "close",
  [9] = "ping", [10] = "pong" }

for opcode, kind in pairs { "text", "binary", [8] = "close", [9] = "ping",
  [10] = "pong" } do
  row { ("a %s frame that is not masked is refused by a server"):format(kind),
    "5.1", role = "server", send = { frame(opcode, "", { mask = false }) },
    fault = "mask" }
  row { ("a %s frame that is masked is refused by a client"):format(kind),
    "5.1", role = "client", send = { frame(opcode, "", { mask = true }) },
    fault = "mask" }
end
row { "a masked message is refused before its payload, by a client", "5.1",
  role = "client", send = { frame(1, "Hello", { mask = true, cut = 0 }) },
  fault = "mask" }
row { "an unmasked message is refused before its payload, by a server", "5.1",
  role = "server", send = { frame(1, "Hello", { mask = false, cut = 0 }) },
  fault = "mask" }
row { "a continuation without a mask is refused in the middle of a message",
  "5.1", role = "server", send = { frame(1, "Hel", { fin = false }),
    frame(0, "lo", { mask = false }) }, fault = "mask" }
row { "a continuation with a mask is refused in the middle of a message",
  "5.1", role = "client", send = { frame(1, "Hel", { fin = false }),
    frame(0, "lo", { mask = true }) }, fault = "mask" }
row { "messages before a frame with the wrong mask are delivered", "5.1",
  role = "server", send = { frame(1, "one"), frame(1, "two",
    { mask = false }) }, messages = { { "one", "text" } }, fault = "mask" }

for name, key in pairs { ["of zeros"] = "\0\0\0\0", ["of ones"] =
  "\xff\xff\xff\xff", ["with one zero"] = "\1\0\2\3", ["of ASCII"] = "abcd" } do
  row { ("a masking key %s is one like any other"):format(name), "5.3",
    role = "server", send = { frame(1, "Hello, masked world", { key = key }) },
    messages = { { "Hello, masked world", "text" } } }
end
row { "each frame is unmasked with its own key", "5.3", role = "server",
  send = { frame(2, "ab", { key = "1234", fin = false }),
    frame(0, "cde", { key = "\0\xff\0\xff", fin = false }),
    frame(9, "p", { key = "wxyz" }), frame(0, "f", { key = "5678" }) },
  messages = { { "abcdef", "binary" } }, pings = { "p" },
  frames = { { 10, "p" } } }
for n = 1, 9 do
  row { ("a masked payload of %d bytes is unmasked to its end"):format(n),
    "5.3", role = "server",
    send = { frame(2, ("\x80abcdefgh"):sub(1, n), { key = "\x81\xfe\7\x3d" }) },
    messages = { { ("\x80abcdefgh"):sub(1, n), "binary" } } }
end

-- ---- the first byte (5.2) ---------------------------------------------------

for opcode = 0, 15 do
  if not kinds[opcode] then
    row { ("opcode %d is reserved"):format(opcode), "5.2",
      send = { frame(opcode, opcode < 8 and "x" or "") }, fault = "opcode" }
    row { ("opcode %d is refused before its length"):format(opcode), "5.2",
      send = { frame(opcode, ("x"):rep(100), { cut = 0 }) }, fault = "opcode" }
  end
end
row { "a reserved opcode is refused in the middle of a message", "5.2",
  send = { frame(1, "a", { fin = false }), frame(3, "b") }, fault = "opcode" }
row { "a reserved control opcode without FIN is refused", "5.2",
  send = { frame(11, "", { fin = false }) }, fault = "opcode" }

for rsv = 1, 7 do
  for _, opcode in ipairs { 1, 2, 8, 9, 10 } do
    row { ("reserved bits %d on a %s frame are refused"):format(rsv,
      kinds[opcode]), "5.2", send = { frame(opcode, "", { rsv = rsv }) },
      fault = "bits" }
  end
  row { ("reserved bits %d on a continuation are refused"):format(rsv), "5.2",
    send = { frame(1, "a", { fin = false }), frame(0, "b", { rsv = rsv }) },
    fault = "bits" }
end
row { "RSV1 is refused where no compression was agreed on, behind a message",
  "5.2", send = { frame(1, "one"), frame(2, "\xca\0", { rsv = 4 }) },
  messages = { { "one", "text" } }, fault = "bits" }
row { "a reserved bit is refused before the payload has come", "5.2",
  send = { frame(1, ("x"):rep(1000), { rsv = 2, cut = 0 }) }, fault = "bits" }
row { "what follows a reserved bit is not delivered", "5.2",
  send = { frame(1, "x", { rsv = 1 }), frame(1, "late"), frame(9, "late") },
  fault = "bits" }

-- ---- lengths (5.2) ----------------------------------------------------------

for _, n in ipairs { 0, 1, 2, 124, 125, 126, 127, 128, 255, 256, 65534, 65535,
  65536, 65537, 131072 } do
  row { ("a text message of %d bytes is delivered"):format(n), "5.2",
    send = { frame(1, ("t"):rep(n)) }, messages = { { ("t"):rep(n), "text" } } }
  row { ("a binary message of %d bytes is delivered"):format(n), "5.2",
    send = { frame(2, ("\xfe"):rep(n)) },
    messages = { { ("\xfe"):rep(n), "binary" } } }
end
for _, n in ipairs { 0, 1, 125 } do
  row { ("a length of %d in 16 bits is refused"):format(n), "5.2",
    send = { frame(1, ("x"):rep(n), { wide = 16 }) }, fault = "length" }
end
for _, n in ipairs { 0, 1, 125, 126, 65535 } do
  row { ("a length of %d in 64 bits is refused"):format(n), "5.2",
    send = { frame(2, ("x"):rep(n), { wide = 64 }) }, fault = "length" }
end
row { "a length that is too wide is refused on a continuation", "5.2",
  send = { frame(1, "a", { fin = false }), frame(0, "b", { wide = 16 }) },
  fault = "length" }
for name, n in pairs { ["2^63"] = math.mininteger,
  ["2^63 + 5"] = math.mininteger + 5, ["2^64 - 1"] = -1 } do
  row { ("a length of %s is refused"):format(name), "5.2",
    send = { frame(2, "", { len = n, wide = 64 }) }, fault = "length" }
end
for name, n in pairs { ["2^63 - 1"] = math.maxinteger, ["2^62"] = 1 << 62,
  ["2^32"] = 1 << 32, ["2^32 + 1"] = (1 << 32) + 1, ["2^31"] = 1 << 31 } do
  row { ("a length of %s is well-formed, and more than max_message"):format(
    name), "5.2", send = { frame(2, "", { len = n, wide = 64 }) },
    fault = "size" }
end
row { "many messages in one piece are delivered in their order", "5.2",
  send = (function()
    local list = {}
    for i = 1, 60 do list[i] = frame(i % 2 + 1, tostring(i)) end
    return list
  end)(), messages = (function()
    local list = {}
    for i = 1, 60 do
      list[i] = { tostring(i), i % 2 == 0 and "text" or "binary" }
    end
    return list
  end)() }
row { "binary data may be any bytes", "5.6", send = { frame(2, "\0\xff\xfe\xc0"
  .. "\x80\xed\xa0\x80\r\n") }, messages = { { "\0\xff\xfe\xc0\x80\xed\xa0\x80"
  .. "\r\n", "binary" } } }
row { "text may hold any character, a NUL too", "5.6",
  send = { frame(1, "\0\1\x7f\n\r\xef\xbf\xbf\xf4\x8f\xbf\xbf") },
  messages = { { "\0\1\x7f\n\r\xef\xbf\xbf\xf4\x8f\xbf\xbf", "text" } } }

-- ---- the RFC's own examples (5.7) -------------------------------------------

local hello = { { "Hello", "text" } }
row { "the unmasked text of the RFC is read", "5.7", role = "client",
  send = { "\x81\5\x48\x65\x6c\x6c\x6f" }, messages = hello }
row { "the masked text of the RFC is read", "5.7", role = "server",
  send = { "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58" }, messages = hello }
row { "the fragmented text of the RFC is read", "5.7", role = "client",
  send = { "\1\3\x48\x65\x6c\x80\2\x6c\x6f" }, messages = hello }
row { "the unmasked ping of the RFC is answered", "5.7", role = "client",
  send = { "\x89\5\x48\x65\x6c\x6c\x6f" }, pings = { "Hello" },
  frames = { { 10, "Hello" } } }
row { "the masked pong of the RFC is taken", "5.7", role = "server",
  send = { "\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58" },
  pongs = { "Hello" } }
row { "256 bytes as the RFC frames them are read", "5.7", role = "client",
  send = { "\x82\x7e\1\0" .. ("b"):rep(256) },
  messages = { { ("b"):rep(256), "binary" } } }
row { "64 KiB as the RFC frames them are read", "5.7", role = "client",
  send = { "\x82\x7f\0\0\0\0\0\1\0\0" .. ("b"):rep(65536) },
  messages = { { ("b"):rep(65536), "binary" } } }

return rows
