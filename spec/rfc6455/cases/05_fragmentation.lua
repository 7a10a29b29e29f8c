--- RFC 6455, 5.4: messages in fragments.

local conform = require "spec.support.conform"
local frame, code = conform.frame, conform.code

local rows = {}
local function row(t) rows[#rows + 1] = t end

local function first(opcode, payload)
  return frame(opcode, payload, { fin = false })
end
local function middle(payload) return frame(0, payload, { fin = false }) end
local function last(payload) return frame(0, payload) end

local kinds = { "text", "binary" }

for opcode, kind in ipairs(kinds) do
  row { ("a %s message in two fragments is one"):format(kind), "5.4",
    send = { first(opcode, "Hel"), last "lo" },
    messages = { { "Hello", kind } } }
  for _, n in ipairs { 3, 4, 10, 100 } do
    local send, text = { first(opcode, "<") }, "<"
    for i = 2, n - 1 do
      send[i] = middle(("%d;"):format(i))
      text = text .. ("%d;"):format(i)
    end
    send[n] = last ">"
    row { ("a %s message in %d fragments is one"):format(kind, n), "5.4",
      send = send, messages = { { text .. ">", kind } } }
  end
  row { ("a %s message may begin with an empty fragment"):format(kind), "5.4",
    send = { first(opcode, ""), last "x" }, messages = { { "x", kind } } }
  row { ("a %s message may end with an empty fragment"):format(kind), "5.4",
    send = { first(opcode, "x"), last "" }, messages = { { "x", kind } } }
  row { ("a %s message may have empty fragments in between"):format(kind),
    "5.4", send = { first(opcode, "x"), middle "", middle "", last "y" },
    messages = { { "xy", kind } } }
  row { ("a %s message of empty fragments alone is empty"):format(kind), "5.4",
    send = { first(opcode, ""), middle "", last "" },
    messages = { { "", kind } } }
  row { ("a %s message of large fragments is one"):format(kind), "5.4",
    send = { first(opcode, ("a"):rep(65536)), middle(("b"):rep(127)),
      middle(("c"):rep(65535)), last(("d"):rep(126)) },
    messages = { { ("a"):rep(65536) .. ("b"):rep(127) .. ("c"):rep(65535)
      .. ("d"):rep(126), kind } } }
  row { ("a new %s message inside of one is refused"):format(kind), "5.4",
    send = { first(1, "a"), frame(opcode, "b") }, fault = "fragmentation" }
  row { ("a new %s message in fragments inside of one is refused"):format(
    kind), "5.4", send = { first(2, "a"), first(opcode, "b"), last "c" },
    fault = "fragmentation" }
  row { ("a new %s message inside of one is refused before its payload")
    :format(kind), "5.4", send = { first(2, "a"), middle "b",
    frame(opcode, ("x"):rep(200), { cut = 0 }) }, fault = "fragmentation" }
end

row { "a continuation of nothing is refused", "5.4", send = { last "x" },
  fault = "fragmentation" }
row { "an empty continuation of nothing is refused", "5.4",
  send = { last "" }, fault = "fragmentation" }
row { "a continuation of nothing that is not the last is refused", "5.4",
  send = { middle "x", last "y" }, fault = "fragmentation" }
row { "a continuation of nothing is refused before its payload", "5.4",
  send = { frame(0, ("x"):rep(300), { cut = 0 }) }, fault = "fragmentation" }
row { "a continuation behind a whole message is refused", "5.4",
  send = { frame(1, "a"), last "b" }, messages = { { "a", "text" } },
  fault = "fragmentation" }
row { "a continuation behind the last fragment is refused", "5.4",
  send = { first(1, "a"), last "b", last "c" }, messages = { { "ab", "text" } },
  fault = "fragmentation" }
row { "a continuation behind a ping is refused where no message has begun",
  "5.4", send = { frame(9, ""), last "b" }, pings = { "" },
  frames = { { 10, "" } }, fault = "fragmentation" }

for name, set in pairs { ping = { 9, { pings = { "p" },
  frames = { { 10, "p" } } } }, pong = { 10, { pongs = { "p" } } } } do
  local function with(text, send, messages)
    local one = { text:format(name), "5.4", send = send, messages = messages }
    for key, value in pairs(set[2]) do one[key] = value end
    row(one)
  end
  with("a %s between two fragments leaves the message whole",
    { first(1, "a"), frame(set[1], "p"), last "b" }, { { "ab", "text" } })
  with("a %s between empty fragments leaves the message whole",
    { first(2, ""), frame(set[1], "p"), last "" }, { { "", "binary" } })
  with("a %s within a character leaves the text valid",
    { first(1, "\xe2\x82"), frame(set[1], "p"), last "\xac" },
    { { "\u{20ac}", "text" } })
end
row { "a ping behind each fragment leaves the message whole", "5.4",
  send = { first(1, "a"), frame(9, "1"), middle "b", frame(9, "2"),
    middle "c", frame(9, "3"), last "d", frame(9, "4") },
  messages = { { "abcd", "text" } }, pings = { "1", "2", "3", "4" },
  frames = { { 10, "1" }, { 10, "2" }, { 10, "3" }, { 10, "4" } } }
row { "pings and pongs in between are told apart", "5.4",
  send = { first(2, "a"), frame(10, "o"), frame(9, "i"), frame(10, "o2"),
    last "b" }, messages = { { "ab", "binary" } }, pings = { "i" },
  pongs = { "o", "o2" }, frames = { { 10, "i" } } }
row { "messages whole and in fragments may alternate", "5.4",
  send = { frame(1, "a"), first(2, "b"), last "c", frame(2, "d"),
    first(1, "e"), middle "f", last "g", frame(1, "") },
  messages = { { "a", "text" }, { "bc", "binary" }, { "d", "binary" },
    { "efg", "text" }, { "", "text" } } }
row { "the kind of a message is that of its first fragment", "5.4",
  send = { first(2, "\xff"), last "text" },
  messages = { { "\xfftext", "binary" } } }
row { "fragments may be cut where characters are not", "5.4",
  send = { first(1, "\xf0"), middle "\x9f", middle "\x98", last "\x80" },
  messages = { { "\u{1f600}", "text" } } }
row { "a close between fragments ends it, and nothing is delivered", "5.4",
  send = { first(1, "a"), middle "b", frame(8, code(1000)), last "c" },
  close = 1000, onclose = { 1000, "" } }
row { "a violation between fragments delivers nothing", "5.4",
  send = { first(1, "a"), frame(9, "", { rsv = 1 }), last "b" },
  fault = "bits" }
row { "a message of a thousand fragments of one byte is one", "5.4",
  send = (function()
    local list = { first(2, "x") }
    for i = 2, 999 do list[i] = middle "x" end
    list[1000] = last "x"
    return list
  end)(), messages = { { ("x"):rep(1000), "binary" } } }

return rows
