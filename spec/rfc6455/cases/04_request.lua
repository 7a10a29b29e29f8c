--- RFC 6455, 4.2 and what it builds on: requests to our server.

local conform = require "spec.support.conform"
local assert = require "luassert"
local frame, code = conform.frame, conform.code

local rows = {}
local function row(t)
  t.role = "server"
  rows[#rows + 1] = t
end

local order <const> = { "Host", "Upgrade", "Connection",
  "Sec-WebSocket-Version", "Sec-WebSocket-Key" }
local usual <const> = { Host = "localhost", Upgrade = "websocket",
  Connection = "Upgrade", ["Sec-WebSocket-Version"] = "13",
  ["Sec-WebSocket-Key"] = conform.key }

-- A request; `changes` are values by name (false: left out, a list: several),
-- `more` whole lines behind them.
local function request(changes, more, line)
  changes = changes or {}
  local lines = { line or "GET / HTTP/1.1" }
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
  local one = { name, section, request = bytes, status = 101 }
  for key, value in pairs(more or {}) do one[key] = value end
  row(one)
end

local function refused(name, section, bytes, status, headers)
  row { name, section, request = bytes, status = status, headers = headers,
    refused = { "upgrade", status == 431 and "header_too_large"
      or status == 505 and "version" or "status" } }
end
local function malformed(name, section, bytes)
  row { name, section, request = bytes, status = 400,
    refused = { "upgrade", "syntax" } }
end

-- ---- the answer (4.2.2) -----------------------------------------------------

good("the RFC's key is answered with the RFC's accept", "4.2.2", request(), {
  headers = { upgrade = "websocket", connection = "Upgrade",
    ["sec-websocket-accept"] = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
    ["sec-websocket-protocol"] = false, ["sec-websocket-extensions"] = false,
    ["sec-websocket-version"] = false, ["content-length"] = false } })
good("another key has another accept", "4.2.2",
  request { ["Sec-WebSocket-Key"] = "x3JJHMbDL1EzLkh9GBhXDw==" },
  { headers = { ["sec-websocket-accept"] = "HSmrc0sMlYUkAGmm5OPpG2HaGWk=" } })
good("the answer is HTTP/1.1 and nothing but a head", "4.2.2", request(), {
  check = function(told)
    assert.matches("^HTTP/1%.1 101 Switching Protocols\r\n", told.heads[1])
    assert.are.equal(1, #told.heads)
  end })
good("frames right behind the request are taken", "4.2.2", request(), {
  behind = true, send = { frame(1, "early"), frame(2, "bird") },
  messages = { { "early", "text" }, { "bird", "binary" } } })
good("a close right behind the request is answered behind the head", "4.2.2",
  request(), { behind = true, send = { frame(8, code(1001)) }, close = 1001,
    onclose = { 1001, "" } })
row { "a violation right behind the request is answered behind the head",
  "4.2.2", request = request(), behind = true, send = { frame(3, "") },
  fault = "opcode", status = 101 }

-- ---- what is required (4.2.1) -----------------------------------------------

refused("a request without Host is refused", "4.2.1", request { Host = false },
  400)
refused("a request with two Hosts is refused", "4.2.1",
  request { Host = { "localhost", "localhost" } }, 400)
refused("a Host that is none is refused", "4.2.1",
  request { Host = "local host" }, 400)
good("a Host may have a port", "4.2.1",
  request { Host = "localhost:8080" })
-- What asks for no upgrade is plain HTTP, which this server answers with 426.
for name, bytes in pairs { ["without Upgrade"] = request { Upgrade = false },
  ["with an empty Upgrade"] = request { Upgrade = "" },
  ["with an Upgrade to something else"] = request { Upgrade = "h2c" },
  ["with an Upgrade to a longer name"] = request { Upgrade = "websockets" },
  ["with an Upgrade to a version"] = request { Upgrade = "websocket/13" },
  ["with an Upgrade of two words"] = request { Upgrade = "web socket" } } do
  row { ("a request %s opens nothing"):format(name), "4.2.1", request = bytes,
    status = 426, headers = { upgrade = "websocket",
      ["sec-websocket-version"] = "13" }, tail = { { "fin" }, { "eof" } } }
end
for _, value in ipairs { "WebSocket", "WEBSOCKET", "wEbSoCkEt" } do
  good(("Upgrade: %s is as good"):format(value), "4.2.1",
    request { Upgrade = value })
end
for name, value in pairs { ["behind another"] = "h2c, websocket",
  ["before another"] = "websocket, h2c", ["among empty ones"] =
  ", websocket ,,", ["on a line of its own"] = { "h2c", "websocket" },
  ["with tabs around it"] = "\twebsocket\t", ["twice"] =
  { "websocket", "websocket" } } do
  good(("websocket may stand in Upgrade %s"):format(name), "4.2.1",
    request { Upgrade = value })
end
refused("a request without Connection is refused", "4.2.1",
  request { Connection = false }, 400)
for name, value in pairs { ["is empty"] = "", ["keeps alive"] = "keep-alive",
  ["closes"] = "close", ["names something longer"] = "Upgrades",
  ["quotes it"] = "\"upgrade\"", ["has it among the words of another"] =
  "keep-alive upgrade", ["has it with a parameter"] = "upgrade;x=1" } do
  refused(("a request whose Connection %s is refused"):format(name), "4.2.1",
    request { Connection = value }, 400)
end
for name, value in pairs { ["in lower case"] = "upgrade",
  ["in upper case"] = "UPGRADE", ["behind keep-alive"] = "keep-alive, Upgrade",
  ["before keep-alive"] = "Upgrade,keep-alive", ["among empty ones"] =
  ",, Upgrade ,", ["on a line of its own"] = { "keep-alive", "Upgrade" },
  ["with white space around it"] = " \t Upgrade \t " } do
  good(("upgrade may stand in Connection %s"):format(name), "4.2.1",
    request { Connection = value })
end

local wants_13 <const> = { ["sec-websocket-version"] = "13",
  upgrade = "websocket" }
refused("a request without a version is told which there is", "4.4",
  request { ["Sec-WebSocket-Version"] = false }, 426, wants_13)
for _, value in ipairs { "0", "8", "7", "12", "14", "25", "255", "256", "013",
  "13.0", "+13", "thirteen", "", "13, 8", "8, 13", "13 " .. "13" } do
  refused(("version '%s' is told which there is"):format(value), "4.4",
    request { ["Sec-WebSocket-Version"] = value }, 426, wants_13)
end
refused("a version that stands there twice is told which there is", "4.4",
  request { ["Sec-WebSocket-Version"] = { "13", "13" } }, 426, wants_13)
refused("another version with another kind of key is told which there is",
  "4.4", request { ["Sec-WebSocket-Version"] = "8",
    ["Sec-WebSocket-Key"] = "short" }, 426, wants_13)

refused("a request without a key is refused", "4.2.1",
  request { ["Sec-WebSocket-Key"] = false }, 400)
refused("a request with two keys is refused", "4.2.1",
  request { ["Sec-WebSocket-Key"] = { conform.key, conform.key } }, 400)
for name, value in pairs { ["that is empty"] = "",
  ["of 15 bytes"] = "AAAAAAAAAAAAAAAAAAAA", ["of 17 bytes"] =
  "AAAAAAAAAAAAAAAAAAAAAAA=", ["without its padding"] =
  "dGhlIHNhbXBsZSBub25jZQ", ["with one '=' of its padding"] =
  "dGhlIHNhbXBsZSBub25jZQ=", ["with too much padding"] =
  "dGhlIHNhbXBsZSBub25jZQ===", ["of the URL's alphabet"] =
  "dGhlIHNhbXBs-SBub25j_Q==", ["with white space in it"] =
  "dGhlIHNhbXBs SBub25jZQ==", ["with padding in its middle"] =
  "dGhlIHNhbXBs==Bub25jZQ==", ["that is not base64"] =
  "************************", ["with bits behind its end"] =
  "dGhlIHNhbXBsZSBub25jZR==", ["of 24 bytes"] =
  "dGhlIHNhbXBsZSBub25jZXNzc3Nz", ["in quotes"] =
  "\"dGhlIHNhbXBsZSBub25jZQ==\"" } do
  refused(("a key %s is refused"):format(name), "4.2.1",
    request { ["Sec-WebSocket-Key"] = value }, 400)
end
good("a key of zeros is a key", "4.2.1",
  request { ["Sec-WebSocket-Key"] = "AAAAAAAAAAAAAAAAAAAAAA==" })

good("names of headers have no case", "4.2.1",
  (request():gsub("[%a-]+:", string.lower)))
good("names of headers have no case, upper case either", "4.2.1",
  (request():gsub("[%a-]+:", string.upper)))
good("there need be no white space behind a colon", "4.2.1",
  (request():gsub(": ", ":")))
good("white space around values is none of theirs", "4.2.1",
  (request():gsub(": ([^\r]+)", ":  \t%1 \t ")))
good("the order of headers is of no matter", "4.2.1",
  "GET / HTTP/1.1\r\nSec-WebSocket-Key: " .. conform.key .. "\r\n"
  .. "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
  .. "Upgrade: websocket\r\nHost: localhost\r\n\r\n")
good("headers that nobody knows are of no matter", "4.2.1",
  request({}, { "X-One: 1", "Cookie: a=b; c=d", "Sec-WebSocket-Key1: 4@1 46",
    "User-Agent: \xe4\xf6", "X-Empty:" }))

-- ---- the request line (4.2.1, 1; RFC 9112, 3) -------------------------------

for _, method in ipairs { "POST", "PUT", "OPTIONS", "CONNECT", "get" } do
  refused(("a %s is refused"):format(method), "4.2.1",
    request({}, {}, method .. " / HTTP/1.1"), 405)
end
row { "a HEAD opens nothing, and its answer has no body", "4.2.1",
  request = request({}, {}, "HEAD / HTTP/1.1"), status = 400,
  refused = { "upgrade", "status" },
  check = function(told) assert.are.equal("", told.body) end }
refused("HTTP/1.0 is refused", "4.2.1", request({}, {}, "GET / HTTP/1.0"), 400)
for _, version in ipairs { "HTTP/2.0", "HTTP/1.2", "HTTP/0.9", "HTTP/3.0" } do
  refused(version .. " is refused", "4.2.1",
    request({}, {}, "GET / " .. version), 505)
end
for _, line in ipairs { "GET /", "GET / HTTP/1", "GET / HTTP/1.10",
  "GET / http/1.1", "GET  / HTTP/1.1", "GET / HTTP/1.1 ", " GET / HTTP/1.1",
  "GET /\tHTTP/1.1", "GET", "GET / HTTQ/1.1", "G\0T / HTTP/1.1",
  "GET /\x01 HTTP/1.1", "GET /#x HTTP/1.1", "GET /\xe4 HTTP/1.1" } do
  malformed(("the line '%s' is refused"):format((line:gsub("[^ -~]",
    function(c) return ("<%02X>"):format(c:byte()) end))),
    "4.2.1", request({}, {}, line))
end
good("a target may have a query", "4.2.1", request({}, {},
  "GET /chat?a=b&c=%20 HTTP/1.1"), { check = function(_, seen)
    assert.are.same({ "/chat", "a=b&c=%20" }, { seen.request.path,
      seen.request.query })
  end })
for _, scheme in ipairs { "http", "https", "ws", "wss", "HTTP" } do
  good(("a target may be an absolute URL of %s"):format(scheme), "4.2.1",
    request({}, {}, "GET " .. scheme .. "://localhost/chat?x HTTP/1.1"),
    { check = function(_, seen)
      assert.are.same({ "/chat", "x" }, { seen.request.path,
        seen.request.query })
    end })
end
for _, target in ipairs { "*", "localhost:80", "chat", "ftp://localhost/",
  "http:///chat" } do
  refused(("the target '%s' is refused"):format(target), "4.2.1",
    request({}, {}, "GET " .. target .. " HTTP/1.1"), 400)
end

-- ---- the head as HTTP (RFC 9112, 2 and 5) -----------------------------------

malformed("a folded header is refused", "4.2.1",
  request({}, { "X-Folded: a", " b" }))
malformed("a header folded by a tab is refused", "4.2.1",
  request({}, { "X-Folded: a", "\tb" }))
malformed("a Connection that is folded is refused", "4.2.1",
  request { Connection = "keep-alive,\r\n Upgrade" })
malformed("white space before the first header is refused", "4.2.1",
  request({ Host = false }, {}, "GET / HTTP/1.1\r\n Host: localhost"))
malformed("white space before a colon is refused", "4.2.1",
  request({}, { "X-One : 1" }))
malformed("a header without a colon is refused", "4.2.1",
  request({}, { "X-One" }))
malformed("a header without a name is refused", "4.2.1",
  request({}, { ": x" }))
malformed("a header's name of two words is refused", "4.2.1",
  request({}, { "X One: 1" }))
malformed("lines that end with LF alone are refused", "4.2.1",
  (request():gsub("\r", "")))
malformed("one line that ends with LF alone is refused", "4.2.1",
  (request():gsub("\r\n", "\n", 1)))
malformed("a head that ends with LF alone is refused", "4.2.1",
  request():sub(1, -3) .. "\n")
malformed("a line that ends with CR alone is refused", "4.2.1",
  request({}, { "X-One: 1\rX-Two: 2" }))
malformed("a CR more at the end of a line is refused", "4.2.1",
  request({}, { "X-One: 1\r" }))
malformed("a NUL in a value is refused", "4.2.1",
  request({}, { "X-One: a\0b" }))
malformed("a NUL in a name is refused", "4.2.1", request({}, { "X\0: a" }))
malformed("a control character in a value is refused", "4.2.1",
  request({}, { "X-One: a\x01b" }))
malformed("a DEL in a value is refused", "4.2.1",
  request({}, { "X-One: a\x7f" }))
malformed("TLS on a port of WebSocket's own is refused", "4.2.1",
  "\x16\3\1\2\0\1\0\1\xfc\3\3\r\n\r\n")
refused("a preface of HTTP/2 is refused", "4.2.1",
  "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505)
malformed("an empty line before the request is refused", "4.2.1",
  "\r\n" .. request())

local function many(n)
  local list = {}
  for i = 1, n do list[i] = ("X-%d: %d"):format(i, i) end
  return list
end
good("a request may have 128 headers", "4.2.1", request({}, many(123)))
refused("a request with 129 headers is refused", "4.2.1",
  request({}, many(124)), 431)
good("a request may have max_header bytes", "4.2.1",
  request({}, { "X: " .. ("x"):rep(16384 - #request() - 5) }))
refused("a request with a byte more than max_header is refused", "4.2.1",
  request({}, { "X: " .. ("x"):rep(16384 - #request() - 4) }), 431)
refused("a header that never ends is refused", "4.2.1",
  request():sub(1, -3) .. "X: " .. ("x"):rep(20000), 431)
refused("a target that never ends is refused", "4.2.1",
  "GET /" .. ("x"):rep(20000), 431)

refused("a request with a body is refused", "4.2.1",
  request({}, { "Content-Length: 5" }) .. "Hello", 413)
good("a request with a body of no bytes is taken", "4.2.1",
  request({}, { "Content-Length: 0" }))
refused("a request with a transfer coding is refused", "4.2.1",
  request({}, { "Transfer-Encoding: chunked" }) .. "0\r\n\r\n", 501)
refused("a request with a coding and a length is refused", "4.2.1",
  request({}, { "Transfer-Encoding: chunked", "Content-Length: 5" }), 400)
refused("a length that is none is refused", "4.2.1",
  request({}, { "Content-Length: x" }), 400)
refused("lengths that differ are refused", "4.2.1",
  request({}, { "Content-Length: 0", "Content-Length: 5" }), 400)

-- ---- Origin (4.2.2, 10.2) ---------------------------------------------------

local origins <const> = { origins = { "https://a.example",
  "http://b.example:8080" } }
for _, value in ipairs { "https://a.example", "http://b.example:8080" } do
  good(("the Origin %s of the list is let in"):format(value), "10.2",
    request({}, { "Origin: " .. value }), { options = origins })
end
for name, value in pairs { ["of another host"] = "https://b.example",
  ["of another scheme"] = "http://a.example", ["of another port"] =
  "https://a.example:444", ["of a host that ends alike"] =
  "https://a.example.evil.example", ["that is null"] = "null",
  ["with a path"] = "https://a.example/" } do
  row { ("an Origin %s is kept out"):format(name), "10.2",
    request = request({}, { "Origin: " .. value }), options = origins,
    status = 403, refused = { "upgrade", "status" } }
end
good("who has no Origin is no browser, and let in", "10.2", request(),
  { options = origins })
refused("two Origins are refused", "10.2", request({},
  { "Origin: https://a.example", "Origin: https://a.example" }), 400)
good("any Origin is let in where there is no list", "10.2",
  request({}, { "Origin: https://any.example" }))

-- ---- subprotocols (4.2.2, 5; 11.3.4) ----------------------------------------

local function offer(...)
  local lines = {}
  for i, value in ipairs { ... } do
    lines[i] = "Sec-WebSocket-Protocol: " .. value
  end
  return request({}, lines)
end
local two <const> = { subprotocols = { "chat.v2", "chat.v1" } }
local function chosen(name, bytes, which, options)
  good(name, "4.2.2", bytes, { options = options or two,
    headers = { ["sec-websocket-protocol"] = which or false },
    check = function(_, seen)
      assert.are.equal(which or nil, seen.subprotocol)
    end })
end
chosen("the client's first subprotocol that we speak is chosen",
  offer "chat.v1, chat.v2", "chat.v1")
chosen("subprotocols that we do not speak are passed over",
  offer "x, y,chat.v2", "chat.v2")
chosen("a subprotocol may be offered on any line", offer("x", "chat.v1"),
  "chat.v1")
chosen("none is chosen where we speak none of them", offer "x, y", false)
chosen("none is chosen where none is offered", request(), false)
chosen("none is chosen where we speak none", offer "chat.v1", false, {})
chosen("subprotocols have case", offer "CHAT.V1", false)
chosen("a subprotocol's beginning is not itself", offer "chat", false)
chosen("empty elements in an offer are passed over", offer ", chat.v1,,",
  "chat.v1")
for name, value in pairs { ["with a name of two words"] = "chat v1",
  ["in quotes"] = "\"chat.v1\"", ["that names one twice"] =
  "chat.v1, chat.v1", ["that is empty"] = "", ["of commas"] = ", ,",
  ["with a slash"] = "chat/1" } do
  row { ("an offer %s is refused"):format(name), "11.3.4",
    request = offer(value), options = two, status = 400,
    refused = { "upgrade", "status" } }
end
row { "an offer that names one twice on two lines is refused", "11.3.4",
  request = offer("chat.v1", "chat.v1"), options = two, status = 400,
  refused = { "upgrade", "status" } }

-- ---- extensions (9.1, 11.3.2) -----------------------------------------------

for name, value in pairs { ["nobody knows"] = "x-unknown",
  ["has parameters"] = "x-unknown; a=1; b=\"two\"", ["is one of many"] =
  "x-a, x-b; c, x-d", ["is a compression of the past"] =
  "x-webkit-deflate-frame", ["is permessage-deflate"] = "permessage-deflate",
  ["is permessage-deflate with all it has"] = "permessage-deflate; "
  .. "client_max_window_bits; server_max_window_bits=10; "
  .. "server_no_context_takeover; client_no_context_takeover" } do
  good(("an extension that %s is declined by silence"):format(name), "9.1",
    request({}, { "Sec-WebSocket-Extensions: " .. value }),
    { headers = { ["sec-websocket-extensions"] = false } })
end
good("extensions on two lines are declined by silence", "9.1", request({},
  { "Sec-WebSocket-Extensions: x-a", "Sec-WebSocket-Extensions: x-b" }),
  { headers = { ["sec-websocket-extensions"] = false } })
row { "a declined extension's frames are refused", "9.1",
  request = request({}, { "Sec-WebSocket-Extensions: permessage-deflate" }),
  send = { frame(1, "\xf2\x48\xcd\xc9\xc9\7\0", { rsv = 4 }) }, status = 101,
  fault = "bits" }

return rows
