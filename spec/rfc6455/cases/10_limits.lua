--- RFC 6455, 10.4: limits of the implementation, told with 1009 (7.4.1).

local conform = require "spec.support.conform"
local assert = require "luassert"
local frame = conform.frame

local rows = {}
local function row(t) rows[#rows + 1] = t end

local options <const> = { max_message = 1000 }
local function told_size(n)
  return function(_, seen)
    assert.are.same({ 1009, 1000, n }, { seen.err.close, seen.err.limit,
      seen.err.size })
  end
end

for opcode, kind in ipairs { "text", "binary" } do
  local full = ("m"):rep(1000)
  row { ("a %s message of max_message is delivered"):format(kind), "10.4",
    options = options, send = { frame(opcode, full) },
    messages = { { full, kind } } }
  row { ("a %s message of max_message in fragments is delivered"):format(kind),
    "10.4", options = options, send = { frame(opcode, full:sub(1, 400),
      { fin = false }), frame(0, full:sub(1, 600), { fin = false }),
      frame(0, "") }, messages = { { full, kind } } }
  row { ("a %s message of one more is refused by its header alone"):format(
    kind), "10.4", options = options, send = { frame(opcode, ("m"):rep(1001),
      { cut = 0 }) }, fault = "size", check = told_size(1001) }
  row { ("a %s message of one more is refused by the header of the fragment")
    :format(kind), "10.4", options = options, send = { frame(opcode,
      full:sub(1, 600), { fin = false }), frame(0, ("m"):rep(401),
      { fin = false, cut = 0 }) }, fault = "size", check = told_size(1001) }
  row { ("a %s message of many small fragments is refused in time"):format(
    kind), "10.4", options = options, send = (function()
      local list = { frame(opcode, "0123456789", { fin = false }) }
      for i = 2, 101 do list[i] = frame(0, "0123456789", { fin = false }) end
      return list
    end)(), fault = "size", check = told_size(1010) }
  row { ("an empty %s fragment beyond max_message is no harm"):format(kind),
    "10.4", options = options, send = { frame(opcode, full, { fin = false }),
      frame(0, "", { fin = false }), frame(0, "") },
    messages = { { full, kind } } }
end
row { "max_message is counted for each message anew", "10.4",
  options = options, send = { frame(1, ("a"):rep(900)),
    frame(2, ("b"):rep(900)), frame(1, ("c"):rep(900)) },
  messages = { { ("a"):rep(900), "text" }, { ("b"):rep(900), "binary" },
    { ("c"):rep(900), "text" } } }
row { "max_message does not count bytes of headers", "10.4",
  options = options, send = { frame(1, ("a"):rep(1000), { fin = false }),
    frame(9, ("p"):rep(125)), frame(0, "") }, pings = { ("p"):rep(125) },
  frames = { { 10, ("p"):rep(125) } },
  messages = { { ("a"):rep(1000), "text" } } }
row { "the length alone of a huge message costs nothing", "10.4",
  send = { frame(2, "", { len = 1 << 40, wide = 64 }) }, fault = "size" }
row { "max_message of one byte takes messages of one and none", "10.4",
  options = { max_message = 1 }, send = { frame(1, ""), frame(2, "x") },
  messages = { { "", "text" }, { "x", "binary" } } }
row { "messages before one that is too large are delivered", "10.4",
  options = options, send = { frame(1, "a"), frame(1, ("m"):rep(2000)) },
  messages = { { "a", "text" } }, fault = "size" }
row { "a message that is too large is refused before it is known as invalid",
  "10.4", options = options, send = { frame(1, ("\xff"):rep(2000)) },
  fault = "size" }
row { "what is not opened by HTTP is not spoken to as WebSocket", "10.2",
  role = "server", request = "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58",
  status = 400, refused = { "upgrade", "syntax" } }

return rows
