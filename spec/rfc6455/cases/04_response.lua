--- RFC 6455, 4.1: what our client asks, and which answers it takes.

local conform = require "spec.support.conform"
local assert = require "luassert"
local frame, code = conform.frame, conform.code

local rows = {}
local function row(t)
  t.role = "client"
  rows[#rows + 1] = t
end

local order <const> = { "Upgrade", "Connection", "Sec-WebSocket-Accept" }
local usual <const> = { Upgrade = "websocket", Connection = "Upgrade",
  ["Sec-WebSocket-Accept"] = "$ACCEPT" }

-- An answer; as `request` in 04_request.
local function answer(changes, more, line)
  changes = changes or {}
  local lines = { line or "HTTP/1.1 101 Switching Protocols" }
  for _, name in ipairs(order) do
    local value = changes[name]
    if value == nil then value = usual[name] end
    for _, one in ipairs(type(value) == "table" and value or { value }) do
      if one then lines[#lines + 1] = name .. ": " .. one end
    end
  end
  for _, one in ipairs(more or {}) do lines[#lines + 1] = one end
  return table.concat(lines, "\r\n") .. "\r\n\r\n"
end

local function good(name, section, bytes, more)
  local one = { name, section, response = bytes }
  for key, value in pairs(more or {}) do one[key] = value end
  row(one)
end
local function refused(name, section, bytes, err, more)
  local one = { name, section, response = bytes, refused = { "upgrade", err } }
  for key, value in pairs(more or {}) do one[key] = value end
  row(one)
end

-- ---- the request (4.1) ------------------------------------------------------

local function asks(name, section, check, options, target)
  row { name, section, once = true, options = options, target = target,
    check = function(told)
      local headers, n = {}, 0
      for key, value in told.heads[1]:gmatch "\r\n([^:]+): ([^\r]*)" do
        assert.is_nil(headers[key:lower()], key) -- none stands there twice
        headers[key:lower()] = value
        n = n + 1
      end
      check(headers, told.heads[1]:match "^[^\r]*", n)
    end }
end
asks("it is a GET of HTTP/1.1", "4.1", function(_, line)
  assert.matches("^GET /%d+ HTTP/1%.1$", line)
end)
asks("it has the path and query of the URL", "4.1", function(_, line)
  assert.matches("^GET /%d+/chat%?a=b&c=%%20 HTTP/1%.1$", line)
end, nil, "/chat?a=b&c=%20")
asks("it has a Host with the port that is not the default", "4.1",
  function(headers) assert.matches("^127%.0%.0%.1:%d+$", headers.host) end)
asks("it asks for an upgrade to websocket", "4.1", function(headers)
  assert.are.equal("websocket", headers.upgrade:lower())
  assert.are.equal("upgrade", headers.connection:lower())
end)
asks("its version is 13", "4.1", function(headers)
  assert.are.equal("13", headers["sec-websocket-version"])
end)
local keys = {}
for _, time in ipairs { "first", "second", "third" } do
  asks(("its key is 16 bytes that nobody has had before, a %s time")
    :format(time), "4.1", function(headers)
    local key = headers["sec-websocket-key"]
    assert.matches("^[%w+/]+[AQgw]==$", key)
    assert.are.equal(24, #key)
    assert.is_nil(keys[key])
    keys[key] = true
  end)
end
asks("it has no Origin unless it is told one", "4.1", function(headers)
  assert.is_nil(headers.origin)
end)
asks("it has the Origin that it is told", "4.1", function(headers)
  assert.are.equal("https://a.example", headers.origin)
end, { origin = "https://a.example" })
asks("it offers no subprotocol unless it is told one", "4.1",
  function(headers) assert.is_nil(headers["sec-websocket-protocol"]) end)
asks("it offers subprotocols in the order it is told", "4.1",
  function(headers)
    assert.are.equal("two, one", headers["sec-websocket-protocol"])
  end, { subprotocols = { "two", "one" } })
asks("it offers no extension where compression is off", "4.1",
  function(headers) assert.is_nil(headers["sec-websocket-extensions"]) end)
asks("it has the headers that it is told", "4.1", function(headers)
  assert.are.equal("Bearer x", headers.authorization)
end, { headers = { Authorization = "Bearer x" } })
asks("it has no body", "4.1", function(headers)
  assert.is_nil(headers["content-length"])
  assert.is_nil(headers["transfer-encoding"])
end)

-- ---- the status (4.1, client's list, 1) -------------------------------------

good("101 and its three headers open the connection", "4.1", answer(),
  { check = function(_, seen) assert.is_nil(seen.subprotocol) end })
good("frames right behind the 101 are taken", "4.1", answer(), {
  behind = true, send = { frame(1, "early"), frame(9, "p") },
  messages = { { "early", "text" } }, pings = { "p" },
  frames = { { 10, "p" } } })
good("a close right behind the 101 is answered", "4.1", answer(), {
  behind = true, send = { frame(8, code(1013, "full")) }, close = 1013,
  onclose = { 1013, "full" } })
row { "a violation right behind the 101 is refused", "4.1",
  response = answer(), behind = true, send = { frame(3, "") },
  fault = "opcode" }
for _, text in ipairs { "", "OK", "switching", "\xc3\xa4", "a b  c" } do
  good(("the reason '%s' of a 101 is of no matter"):format(
    text:gsub("[^ -~]", "?")), "4.1", answer({}, {}, "HTTP/1.1 101 " .. text))
end
for _, status in ipairs { 200, 201, 204, 226, 300, 301, 302, 303, 304, 307,
  308, 400, 401, 403, 404, 407, 408, 426, 429, 500, 502, 503, 505, 599 } do
  refused(("%d opens nothing, and is told"):format(status), "4.1",
    answer({}, { "Location: /elsewhere", "X-Why: because" },
      ("HTTP/1.1 %d Whatever"):format(status)), "status", {
      check = function(_, seen)
        assert.are.same({ status, "because" }, { seen.err.status,
          seen.err.headers["x-why"] })
      end })
end
refused("a status with a body opens nothing", "4.1",
  "HTTP/1.1 503 Busy\r\nContent-Length: 5\r\nRetry-After: 7\r\n\r\nlater",
  "status", { check = function(_, seen)
    assert.are.equal(7, seen.err.retry_after)
  end })
for _, status in ipairs { 100, 102, 103 } do
  good(("%d before the 101 is passed over"):format(status), "4.1",
    ("HTTP/1.1 %d Wait\r\nLink: </x>\r\nUpgrade: none\r\n\r\n"):format(status)
    .. answer())
  refused(("%d before another status is passed over"):format(status), "4.1",
    ("HTTP/1.1 %d Wait\r\n\r\n"):format(status)
    .. "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", "status",
    { check = function(_, seen) assert.are.equal(404, seen.err.status) end })
end
good("several 1xx before the 101 are passed over", "4.1",
  "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
  .. "HTTP/1.1 103 Early Hints\r\nLink: </b>\r\n\r\n" .. answer(),
  { behind = true, send = { frame(1, "early") },
    messages = { { "early", "text" } } })
refused("1xx without an end are refused as a head that is too large", "4.1",
  ("HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n"):rep(400),
  "header_too_large")
refused("what follows a 101 is no other answer", "4.1",
  answer { ["Sec-WebSocket-Accept"] = false } .. answer(), "bad_accept")

-- ---- Upgrade and Connection (4.1, client's list, 2 and 3) -------------------

for _, value in ipairs { "WebSocket", "WEBSOCKET" } do
  good(("Upgrade: %s is as good"):format(value), "4.1",
    answer { Upgrade = value })
end
for name, value in pairs { ["is missing"] = false, ["is empty"] = "",
  ["is something else"] = "h2c", ["is longer"] = "websockets",
  ["has a version"] = "websocket/13", ["is one of many"] = "websocket, h2c",
  ["stands there twice"] = { "websocket", "websocket" } } do
  refused(("a 101 whose Upgrade %s is refused"):format(name), "4.1",
    answer { Upgrade = value }, "no_upgrade")
end
for name, value in pairs { ["in lower case"] = "upgrade",
  ["in upper case"] = "UPGRADE", ["behind keep-alive"] = "keep-alive, Upgrade",
  ["before keep-alive"] = "upgrade , keep-alive", ["on a line of its own"] =
  { "keep-alive", "Upgrade" }, ["among empty ones"] = ",Upgrade,," } do
  good(("Connection may have upgrade %s"):format(name), "4.1",
    answer { Connection = value })
end
for name, value in pairs { ["is missing"] = false, ["is empty"] = "",
  ["closes"] = "close", ["keeps alive"] = "keep-alive",
  ["is longer"] = "upgraded", ["has it among the words of another"] =
  "keep-alive upgrade" } do
  refused(("a 101 whose Connection %s is refused"):format(name), "4.1",
    answer { Connection = value }, "no_upgrade")
end

-- ---- Sec-WebSocket-Accept (4.1, client's list, 4) ---------------------------

for name, value in pairs { ["is missing"] = false, ["is empty"] = "",
  ["is the key"] = "$KEY", ["is of another key"] =
  "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", ["stands there twice"] =
  { "$ACCEPT", "$ACCEPT" }, ["has something behind it"] = "$ACCEPT=",
  ["is in quotes"] = "\"$ACCEPT\"", ["is one of two"] = "$ACCEPT, $ACCEPT",
  ["comes behind a wrong one"] = { "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
    "$ACCEPT" } } do
  refused(("a 101 whose accept %s is refused"):format(name), "4.1",
    answer { ["Sec-WebSocket-Accept"] = value }, "bad_accept")
end
good("white space around the accept is none of it", "4.1",
  answer { ["Sec-WebSocket-Accept"] = " \t $ACCEPT \t " })

-- ---- subprotocols (4.1, client's list, 6; 11.3.4) ---------------------------

local two <const> = { subprotocols = { "chat.v2", "chat.v1" } }
for _, value in ipairs { "chat.v2", "chat.v1" } do
  good(("the subprotocol %s that was offered may be chosen"):format(value),
    "4.1", answer({}, { "Sec-WebSocket-Protocol: " .. value }),
    { options = two, check = function(_, seen)
      assert.are.same({ value, value }, { seen.subprotocol,
        seen.info.subprotocol })
    end })
end
good("none of the subprotocols offered need be chosen", "4.1", answer(),
  { options = two, check = function(_, seen)
    assert.is_nil(seen.subprotocol)
  end })
for name, value in pairs { ["that was not offered"] = "chat.v3",
  ["in another case"] = "CHAT.V1", ["and another"] = "chat.v2, chat.v1",
  ["that is empty"] = "", ["that only begins so"] = "chat.v" } do
  refused(("a subprotocol %s is refused"):format(name), "4.1",
    answer({}, { "Sec-WebSocket-Protocol: " .. value }), "subprotocol",
    { options = two })
end
refused("a subprotocol is refused where none was offered", "4.1",
  answer({}, { "Sec-WebSocket-Protocol: chat.v1" }), "subprotocol")
refused("two lines of subprotocols are refused", "11.3.4",
  answer({}, { "Sec-WebSocket-Protocol: chat.v1",
    "Sec-WebSocket-Protocol: chat.v1" }), "subprotocol", { options = two })

-- ---- extensions (4.1, client's list, 5; 9.1) --------------------------------

for name, value in pairs { ["nobody knows"] = "x-unknown",
  ["is compression"] = "permessage-deflate", ["is compression with a window"]
  = "permessage-deflate; server_max_window_bits=10" } do
  refused(("an extension that %s is refused where none was offered"):format(
    name), "9.1", answer({}, { "Sec-WebSocket-Extensions: " .. value }),
    "extension")
end

-- ---- the head as HTTP (RFC 9112, 4 and 5) -----------------------------------

good("names of headers have no case", "4.1",
  (answer():gsub("[%a-]+:", string.lower)))
good("names of headers have no case, upper case either", "4.1",
  (answer():gsub("[%a-]+:", string.upper)))
good("there need be no white space behind a colon", "4.1",
  (answer():gsub(": ", ":")))
good("the order of headers is of no matter, nor are others", "4.1",
  "HTTP/1.1 101 x\r\nServer: a\r\nSec-WebSocket-Accept: $ACCEPT\r\n"
  .. "Connection: Upgrade\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\n"
  .. "Upgrade: websocket\r\nX-Empty:\r\n\r\n")
for name, bytes in pairs {
  ["with a folded header"] = answer({}, { "X-Folded: a", " b" }),
  ["with a Connection folded"] = answer { Connection =
    "keep-alive,\r\n Upgrade" },
  ["with an accept folded"] = answer { ["Sec-WebSocket-Accept"] =
    "\r\n $ACCEPT" },
  ["with white space before a colon"] = answer({}, { "X-One : 1" }),
  ["with a header without a colon"] = answer({}, { "X-One" }),
  ["with a header without a name"] = answer({}, { ": 1" }),
  ["with lines that end with LF"] = answer():gsub("\r", ""),
  ["with one line that ends with LF"] = answer():gsub("\r\n", "\n", 1),
  ["with a line that ends with CR"] = answer({}, { "X-One: 1\rX-Two: 2" }),
  ["with a NUL in a value"] = answer({}, { "X-One: a\0b" }),
  ["with a NUL in its reason"] = answer({}, {}, "HTTP/1.1 101 a\0b"),
  ["with a control character"] = answer({}, { "X-One: a\x1bb" }),
  ["with a status of two digits"] = answer({}, {}, "HTTP/1.1 99 x"),
  ["with a status of four digits"] = answer({}, {}, "HTTP/1.1 1010 x"),
  ["with a status that begins with zero"] = answer({}, {}, "HTTP/1.1 010 x"),
  ["with a status in hexadecimal"] = answer({}, {}, "HTTP/1.1 1a1 x"),
  ["without a status"] = answer({}, {}, "HTTP/1.1 "),
  ["with two spaces before its status"] = answer({}, {}, "HTTP/1.1  101 x"),
  ["without the space behind its status"] = answer({}, {}, "HTTP/1.1 101"),
  ["of another protocol"] = answer({}, {}, "ICY 101 OK"),
  ["that is a request"] = answer({}, {}, "GET / HTTP/1.1"),
  ["that is a frame"] = "\x81\5Hello",
  ["that is SSH"] = "SSH-2.0-OpenSSH_9.2\r\n",
  ["with an empty line before it"] = "\r\n" .. answer(),
} do
  refused(("an answer %s is refused"):format(name), "4.1", bytes, "syntax")
end
for _, version in ipairs { "1.0", "2.0", "1.2", "0.9" } do
  refused(("an answer of HTTP/%s is refused"):format(version), "4.1",
    answer({}, {}, ("HTTP/%s 101 x"):format(version)), "version")
end
local function many(n)
  local list = {}
  for i = 1, n do list[i] = ("X-%d: %d"):format(i, i) end
  return list
end
good("an answer may have 128 headers", "4.1", answer({}, many(125)))
refused("an answer with 129 headers is refused", "4.1",
  answer({}, many(126)), "header_too_large")
refused("a header that never ends is refused", "4.1",
  answer():sub(1, -3) .. "X: " .. ("x"):rep(20000), "header_too_large")
refused("an answer larger than max_header is refused", "4.1",
  answer({}, { "X: " .. ("x"):rep(300) }), "header_too_large",
  { options = { max_header = 256 } })
row { "an end before the answer is told", "4.1", response = "HTTP/1.1 101 S",
  tail = { { "fin" }, { "eof" } }, refused = { "closed", "eof" } }
row { "an end in the middle of the answer is told", "4.1",
  response = answer():sub(1, -3), tail = { { "fin" }, { "eof" } },
  refused = { "closed", "eof" } }

return rows
