--- RFC 6455, 8.1: text is UTF-8 (RFC 3629), and what is not fails at once. The
-- sequences are the classic ones: Markus Kuhn's decoder stress test, and those
-- that Autobahn's suite made of it.

local conform = require "spec.support.conform"
local frame, code = conform.frame, conform.code

local rows = {}
local function row(t) rows[#rows + 1] = t end

-- ---- valid ------------------------------------------------------------------

local valid = {
  { "U+0000", "\0" }, { "U+007F", "\x7f" }, { "U+0080", "\xc2\x80" },
  { "U+07FF", "\xdf\xbf" }, { "U+0800", "\xe0\xa0\x80" },
  { "U+0FFF", "\xe0\xbf\xbf" }, { "U+1000", "\xe1\x80\x80" },
  { "U+CFFF", "\xec\xbf\xbf" }, { "U+D7FF", "\xed\x9f\xbf" },
  { "U+E000", "\xee\x80\x80" }, { "U+FEFF", "\xef\xbb\xbf" },
  { "U+FDD0, a noncharacter,", "\xef\xb7\x90" },
  { "U+FFFD", "\xef\xbf\xbd" }, { "U+FFFE, a noncharacter,", "\xef\xbf\xbe" },
  { "U+FFFF, a noncharacter,", "\xef\xbf\xbf" },
  { "U+10000", "\xf0\x90\x80\x80" }, { "U+1FFFE", "\xf0\x9f\xbf\xbe" },
  { "U+3FFFF", "\xf0\xbf\xbf\xbf" }, { "U+40000", "\xf1\x80\x80\x80" },
  { "U+FFFFF", "\xf3\xbf\xbf\xbf" }, { "U+10FFFE", "\xf4\x8f\xbf\xbe" },
  { "U+10FFFF", "\xf4\x8f\xbf\xbf" },
  { "Kuhn's kosme", "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5" },
  { "a mixture of all lengths", "a\u{e4}\u{20ac}\u{1f600}z" },
}
for _, case in ipairs(valid) do
  row { case[1] .. " is text", "8.1", send = { frame(1, case[2]) },
    messages = { { case[2], "text" } } }
end
for _, case in ipairs(valid) do
  if #case[2] > 1 then
    local send = { frame(1, case[2]:sub(1, 1), { fin = false }) }
    for at = 2, #case[2] do
      send[at] = frame(0, case[2]:sub(at, at), { fin = at == #case[2] })
    end
    row { case[1] .. " is text with each of its bytes in its own fragment",
      "8.1", send = send, messages = { { case[2], "text" } } }
  end
end
local long = ("x\u{e4}\u{20ac}\u{1f600}"):rep(1500)
row { "a long text of many characters is delivered", "8.1",
  send = { frame(1, long) }, messages = { { long, "text" } } }
row { "a long text in fragments that cut characters is delivered", "8.1",
  send = (function()
    local list = {}
    for at = 1, #long, 997 do
      list[#list + 1] = frame(at == 1 and 1 or 0, long:sub(at, at + 996),
        { fin = at + 996 >= #long })
    end
    return list
  end)(), messages = { { long, "text" } } }
row { "each text begins anew", "8.1", send = { frame(1, "\u{20ac}"),
  frame(1, "\u{e4}"), frame(2, "\xe2"), frame(1, "\u{1f600}") },
  messages = { { "\u{20ac}", "text" }, { "\u{e4}", "text" },
    { "\xe2", "binary" }, { "\u{1f600}", "text" } } }
row { "binary messages in fragments are not text", "8.1",
  send = { frame(2, "\xff", { fin = false }), frame(0, "\xfe") },
  messages = { { "\xff\xfe", "binary" } } }

-- ---- invalid ----------------------------------------------------------------

-- A sequence, and how many of its bytes show that it is wrong.
local invalid = {
  { "a lone continuation byte 80", "\x80", 1 },
  { "a lone continuation byte BF", "\xbf", 1 },
  { "two continuation bytes", "\x80\xbf", 1 },
  { "three continuation bytes", "\x80\xbf\x80", 1 },
  { "seven continuation bytes", "\x80\xbf\x80\xbf\x80\xbf\x80", 1 },
  { "a byte C0", "\xc0 ", 1 }, { "a byte C1", "\xc1 ", 1 },
  { "a byte F5", "\xf5 ", 1 }, { "a byte F8", "\xf8 ", 1 },
  { "a byte FC", "\xfc ", 1 }, { "a byte FE", "\xfe", 1 },
  { "a byte FF", "\xff", 1 }, { "bytes FE FE FF FF", "\xfe\xfe\xff\xff", 1 },
  { "a lead byte C2 and a space", "\xc2 ", 2 },
  { "a lead byte DF and a space", "\xdf ", 2 },
  { "a lead byte E0 and a space", "\xe0 ", 2 },
  { "a lead byte EF and a space", "\xef ", 2 },
  { "a lead byte F0 and a space", "\xf0 ", 2 },
  { "a lead byte F4 and a space", "\xf4 ", 2 },
  { "two bytes of three and a space", "\xe2\x82 ", 3 },
  { "three bytes of four and a space", "\xf0\x9f\x98 ", 4 },
  { "a character begun in another", "\xe2\x82\xe2\x82\xac", 3 },
  { "a character too many bytes long", "\u{20ac}\x80", 4 },
  { "an overlong slash of two bytes", "\xc0\xaf", 1 },
  { "an overlong slash of three bytes", "\xe0\x80\xaf", 2 },
  { "an overlong slash of four bytes", "\xf0\x80\x80\xaf", 2 },
  { "an overlong slash of five bytes", "\xf8\x80\x80\x80\xaf", 1 },
  { "an overlong slash of six bytes", "\xfc\x80\x80\x80\x80\xaf", 1 },
  { "the largest overlong character of two bytes", "\xc1\xbf", 1 },
  { "the largest overlong character of three bytes", "\xe0\x9f\xbf", 2 },
  { "the largest overlong character of four bytes", "\xf0\x8f\xbf\xbf", 2 },
  { "an overlong NUL of two bytes", "\xc0\x80", 1 },
  { "an overlong NUL of three bytes", "\xe0\x80\x80", 2 },
  { "an overlong NUL of four bytes", "\xf0\x80\x80\x80", 2 },
  { "the surrogate U+D800", "\xed\xa0\x80", 2 },
  { "the surrogate U+DB7F", "\xed\xad\xbf", 2 },
  { "the surrogate U+DB80", "\xed\xae\x80", 2 },
  { "the surrogate U+DBFF", "\xed\xaf\xbf", 2 },
  { "the surrogate U+DC00", "\xed\xb0\x80", 2 },
  { "the surrogate U+DF80", "\xed\xbe\x80", 2 },
  { "the surrogate U+DFFF", "\xed\xbf\xbf", 2 },
  { "the surrogate pair D800 DC00", "\xed\xa0\x80\xed\xb0\x80", 2 },
  { "the surrogate pair DBFF DFFF", "\xed\xaf\xbf\xed\xbf\xbf", 2 },
  { "U+110000", "\xf4\x90\x80\x80", 2 },
  { "U+1FFFFF", "\xf7\xbf\xbf\xbf", 1 },
  { "U+200000 of five bytes", "\xf8\x88\x80\x80\x80", 1 },
  { "U+3FFFFFF of five bytes", "\xfb\xbf\xbf\xbf\xbf", 1 },
  { "U+4000000 of six bytes", "\xfc\x84\x80\x80\x80\x80", 1 },
  { "U+7FFFFFFF of six bytes", "\xfd\xbf\xbf\xbf\xbf\xbf", 1 },
  { "Kuhn's kosme with a surrogate behind it",
    "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited", 13 },
}
for _, case in ipairs(invalid) do
  row { ("text with %s is refused"):format(case[1]), "8.1",
    send = { frame(1, case[2]) }, fault = "utf8" }
end
-- Fail fast: what shows it has come, and the rest of the frame never does.
for _, case in ipairs(invalid) do
  row { ("text with %s is refused before its frame is whole"):format(case[1]),
    "8.1", send = { frame(1, "ok " .. case[2] .. (" more"):rep(40),
      { cut = 3 + case[3] }) }, fault = "utf8" }
end
row { "invalid text is refused in the middle of a large frame", "8.1",
  send = { frame(1, ("x"):rep(40000) .. "\xff" .. ("x"):rep(40000),
    { cut = 40001 }) }, fault = "utf8" }
row { "invalid text is refused in the middle of a message", "8.1",
  send = { frame(1, "abc\xed\xa0", { fin = false }) }, fault = "utf8" }
row { "invalid text is refused in a fragment that is not whole", "8.1",
  send = { frame(1, "abc", { fin = false }), frame(0, "d\xffefgh",
    { fin = false, cut = 2 }) }, fault = "utf8" }
row { "a character that goes on wrongly in the next fragment is refused",
  "8.1", send = { frame(1, "\xf4", { fin = false }),
    frame(0, "\x90\x80\x80", { cut = 1 }) }, fault = "utf8" }
row { "a continuation byte that begins the next fragment is refused", "8.1",
  send = { frame(1, "a", { fin = false }), frame(0, "\x80") }, fault = "utf8" }
row { "a ping within a character that then goes on wrongly is answered",
  "8.1", send = { frame(1, "\xe2\x82", { fin = false }), frame(9, "p"),
    { "frames", 1 }, frame(0, " ") }, pings = { "p" },
  frames = { { 10, "p" } }, fault = "utf8" }
for name, half in pairs { ["one byte of two"] = "\xc3",
  ["one byte of three"] = "\xe2", ["two bytes of three"] = "\xe2\x82",
  ["three bytes of four"] = "\xf0\x9f\x98" } do
  row { ("text that ends with %s is refused"):format(name), "8.1",
    send = { frame(1, "abc" .. half) }, fault = "utf8" }
  row { ("text whose last fragment ends with %s is refused"):format(name),
    "8.1", send = { frame(1, "abc", { fin = false }), frame(0, half) },
    fault = "utf8" }
  row { ("text that ends with %s is refused by an empty last fragment")
    :format(name), "8.1", send = { frame(1, half, { fin = false }),
    frame(0, "") }, fault = "utf8" }
end
row { "messages before invalid text are delivered, none behind it", "8.1",
  send = { frame(1, "a"), frame(2, "\xff"), frame(1, "\xff"), frame(1, "b") },
  messages = { { "a", "text" }, { "\xff", "binary" } }, fault = "utf8" }
row { "invalid text in a message ends it also where a close follows", "8.1",
  send = { frame(1, "\xff", { fin = false }), frame(8, code(1000)) },
  fault = "utf8" }

return rows
