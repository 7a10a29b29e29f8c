-- What a server makes of requests: onupgrade and onrequest, their answers on
-- the wire, and what the server refuses by itself.

local certs = require "spec.support.certs"
local process = require "spec.support.process"
local server = require "spec.support.server"
local wss = require "uvwss"

local listen = server.listen
local MIB <const> = 1 << 20

-- What a client of ours is told: "open" and the connection, or its error.
local function try(s, options, target)
  local all = { onclose = function() end }
  for name, value in pairs(options or {}) do all[name] = value end
  local ws, opened = wss.connect(s.url .. (target or "/"), all), false
  function ws:onopen()
    opened = true
    self:close()
  end
  server.await(function() return ws.state == "closed" end)
  if opened then return "open", ws end
  return ws.error.status, ws.error
end

-- The answer to one plain request.
local function get(s, target, headers)
  local _, answers = server.call_one(s, { { "ask", "GET", target or "/",
    headers or {} }, { "answer" } })
  return answers[1]
end

-- A server whose handler's errors are collected in its field 'heard'.
local function broken(options)
  local s = listen(options)
  s.heard = {}
  function wss.onerror(err) table.insert(s.heard, err) end
  return s
end

describe("a request", function()
  after_each(server.clean)

  it("is told to the handlers field by field", function()
    local seen = {}
    local s = listen {
      onupgrade = function(self, r) seen[#seen + 1] = { self, r } end,
      onopen = function(_, ws) seen[#seen + 1] = ws end,
    }
    local _, ws = try(s, { headers = { ["X-One"] = "1",
      ["x-List"] = { "a", "b, c" } }, subprotocols = { "p1", "p2" },
      origin = "https://example.com" }, "/a%20b/c?d=e&f")
    assert.are.equal("open", "open", ws)
    assert.are.equal(s, seen[1][1])
    local r = seen[1][2]
    assert.are.same({ "GET", "/a%20b/c", "d=e&f", { "p1", "p2" } },
      { r.method, r.path, r.query, r.subprotocols })
    assert.are.same({ "1", "a, b, c", "https://example.com", "websocket",
      "127.0.0.1:" .. s.port, "p1, p2" }, { r.headers["x-one"],
      r.headers["x-list"], r.headers.origin, r.headers.upgrade:lower(),
      r.headers.host, r.headers["sec-websocket-protocol"] })
    assert.are.equal("127.0.0.1", r.peer.ip)
    assert.are.equal("integer", math.type(r.peer.port))
    assert.is_nil(r.tls)
    assert.are.equal(r, seen[2].request) -- the very same table
    assert.are.equal(s.url .. "/a%20b/c?d=e&f", seen[2].url)
    server.finish(s)
    assert.are.equal(r, seen[2].request)
  end)

  it("has no query, no subprotocols and no headers that were not sent",
    function()
      local r
      local s = listen { onrequest = function(_, request)
        r = request
        return 200
      end }
      get(s, "/x")
      assert.are.same({ "GET", "/x", nil, {}, { host = "localhost" } },
        { r.method, r.path, r.query, r.subprotocols, r.headers })
      get(s, "/x?")
      assert.are.equal("", r.query)
      get(s, "http://other.example/y?z")
      assert.are.same({ "/y", "z" }, { r.path, r.query })
      server.finish(s)
    end)

  it("is the user's to keep things in, up to the handlers of the connection",
    function()
      local account
      local s = listen {
        onupgrade = function(_, r) r.account = { 7 } end,
        onopen = function(_, ws) account = ws.request.account end,
      }
      try(s)
      assert.are.same({ 7 }, account)
      server.finish(s)
    end)
end)

describe("onupgrade", function()
  after_each(server.clean)

  -- What it returns, and what the client gets.
  local answers = {
    ["nothing"] = { {}, "open" },
    ["nil"] = { { nil, n = 1 }, "open" },
    ["true"] = { { true }, "open" },
    ["an empty table"] = { { {} }, "open" },
    ["a subprotocol that was offered"] = { { { subprotocol = "two" } },
      "open", subprotocol = "two" },
    ["a subprotocol that was not offered"] = { { { subprotocol = "three" } },
      "open" },
    ["headers"] = { { { headers = { ["x-node"] = "a" } } }, "open",
      headers = { ["x-node"] = "a" } },
    ["repeated headers"] = { { { headers = { ["Set-Cookie"] = { "a=1",
      "b=2" } } } }, "open", headers = { ["set-cookie"] = "a=1, b=2" } },
    ["false"] = { { false }, 403, body = "" },
    ["false and a status"] = { { false, 404 }, 404 },
    ["false, nil and headers"] = { { false, nil, { ["x-why"] = "full" },
      n = 3 }, 403, headers = { ["x-why"] = "full" } },
    ["false, a status, headers and a body"] = { { false, 429,
      { ["Retry-After"] = "7" }, "slow down\n" }, 429, body = "slow down\n",
      headers = { ["retry-after"] = "7" } },
    ["false and a redirect"] = { { false, 302, { location = "/else" } }, 302,
      headers = { location = "/else" } },
    ["false and a status without a name"] = { { false, 599 }, 599 },
    ["false and a whole float"] = { { false, 410.0 }, 410 },
    ["false and 426"] = { { false, 426 }, 426,
      headers = { upgrade = "websocket", ["sec-websocket-version"] = "13" } },
    ["false and a body that has none"] = { { false, 204, nil, "x", n = 4 },
      204, body = "" },
  }
  for what, case in pairs(answers) do
    it("may return " .. what, function()
      local given, status = case[1], case[2]
      local s = listen { onupgrade = function()
        return table.unpack(given, 1, given.n or #given)
      end }
      local events = server.call_one(s, { { "upgrade",
        { ["Sec-WebSocket-Protocol"] = "one, two" } },
        { status == "open" and "fin" or "drain" } })
      local answer = events[1]
      assert.are.equal(status == "open" and 101 or status, answer.status)
      for name, value in pairs(case.headers or {}) do
        assert.are.equal(value, answer.headers[name])
      end
      assert.are.equal(case.subprotocol,
        answer.headers["sec-websocket-protocol"])
      if case.body then assert.are.equal(case.body, answer.text) end
      if status ~= "open" then
        assert.are.equal(events[2].bytes, 0)
        assert.matches("close$", answer.headers.connection)
        -- As our own client sees it.
        local told, err = try(s)
        assert.are.equal(status, told)
        assert.are.equal("upgrade", err.kind)
      end
      server.finish(s)
    end)
  end

  local function nothing() end
  -- What it returns wrongly, and what wss.onerror hears.
  local wrong = {
    ["a number"] = { { 404 }, "got number" },
    ["a string"] = { { "yes" }, "got string" },
    ["a function"] = { { nothing }, "got function" },
    ["an unknown wish"] = { { { subprotocols = "x" } },
      "unknown option 'subprotocols' %(did you mean 'subprotocol'" },
    ["a wish without a name"] = { { { "x" } }, "options have names" },
    ["a subprotocol of another type"] = { { { subprotocol = 1 } },
      "'subprotocol': string expected, got number" },
    ["headers of another type"] = { { { headers = "x" } },
      "headers: table expected, got string" },
    ["a header of another type"] = { { { headers = { x = 1 } } },
      "'x' must be a string" },
    ["a header without a name"] = { { { headers = { "x" } } },
      "names are strings" },
    ["a header's name that is none"] = { { { headers = { ["a b"] = "x" } } },
      "'a b' is not a header name" },
    ["a header that splits"] = { { { headers = { a = "x\r\nb: c" } } },
      "control character" },
    ["a header of the handshake"] = { { { headers = {
      ["sec-websocket-accept"] = "x" } } }, "belongs to the handshake" },
    ["a list of headers with another type"] = { { { headers = {
      a = { "b", {} } } } }, "'a' must be a string" },
    ["false and a status of another type"] = { { false, "404" },
      "status from 200 to 599 expected, got 404" },
    ["false and a status that is too small"] = { { false, 101 },
      "got 101" },
    ["false and a status that is too large"] = { { false, 600 }, "got 600" },
    ["false and half a status"] = { { false, 404.5 }, "got 404.5" },
    ["false and a status that is a table"] = { { false, {} }, "got table" },
    ["false and headers of another type"] = { { false, 404, "x" },
      "table expected, got string" },
    ["false and a header of the handshake"] = { { false, 404,
      { Connection = "x" } }, "belongs to the handshake" },
    ["false and a length"] = { { false, 404, { ["Content-Length"] = "1" } },
      "belongs to the handshake" },
    ["false and a date"] = { { false, 404, { date = "x" } },
      "belongs to the handshake" },
    ["false and a body of another type"] = { { false, 404, nil, 12, n = 4 },
      "a body is a string, got number" },
    ["false and a body that is a table"] = { { false, 404, {}, {} },
      "a body is a string, got table" },
  }
  for what, case in pairs(wrong) do
    it("that returns " .. what .. " answers 500, and it is heard", function()
      local given, bad = case[1], true
      local s = broken { onupgrade = function()
        if bad then return table.unpack(given, 1, given.n or #given) end
      end }
      local status, err = try(s)
      assert.are.equal(500, status)
      assert.are.equal("upgrade", err.kind)
      assert.are.equal(1, #s.heard)
      assert.matches(case[2], s.heard[1])
      bad = false
      assert.are.equal("open", (try(s)))
      server.finish(s)
    end)
  end

  it("that raises answers 500, and it is heard", function()
    local s, opened = broken {}, 0
    s.onopen = function() opened = opened + 1 end
    s.onupgrade = function() error "broken onupgrade" end
    assert.are.equal(500, (try(s)))
    s.onupgrade = function()
      wss.sleep(0.001)
      error { "a table" }
    end
    assert.are.equal(500, (try(s)))
    assert.matches("broken onupgrade", s.heard[1])
    assert.matches("stack traceback", s.heard[1])
    assert.are.same({ "a table" }, s.heard[2])
    assert.are.same({ 2, 0 }, { #s.heard, opened })
    server.finish(s)
  end)

  it("that raises makes run raise it where nobody hears", function()
    local s = listen { onupgrade = function() error "broken onupgrade" end }
    wss.connect(s.url, { onclose = function() end })
    local ok, err = pcall(wss.run)
    assert.is_false(ok)
    assert.matches("broken onupgrade", err)
    server.finish(s)
  end)

  it("may wait, for many at once", function()
    local waiting, most, all = 0, 0, 40
    local s = listen { onupgrade = function()
      waiting = waiting + 1
      most = math.max(most, waiting)
      while most < all do wss.sleep(0.001) end
      waiting = waiting - 1
    end }
    local open = 0
    for _ = 1, all do
      wss.connect(s.url, { onclose = function() end, onopen = function(ws)
        open = open + 1
        ws:close()
      end })
    end
    server.await(function() return open == all end)
    assert.are.equal(all, most)
    server.finish(s)
  end)

  it("may ask another service", function()
    local asked = listen { onmessage = function(_, ws, data)
      ws:send(data == "right" and "yes" or "no")
    end }
    local s = listen { onupgrade = function(_, r)
      local ws <close> = wss.connect(asked.url)
      ws:send(r.headers.authorization or "")
      if ws:receive(30) ~= "yes" then return false, 401 end
    end }
    assert.are.equal("open", (try(s, { headers = {
      authorization = "right" } })))
    assert.are.equal(401, (try(s)))
    asked:close()
    server.finish(s)
  end)

  it("that decides too late answers 503, and nothing comes of it", function()
    local late, refused, opened = false, nil, false
    local s = listen { upgrade_timeout = 0.03, onupgrade = function()
      wss.sleep(0.2)
      late = true
      return true
    end, onrefused = function(_, err) refused = err end,
      onopen = function() opened = true end }
    local status, err = try(s)
    assert.are.same({ 503, "upgrade" }, { status, err.kind })
    server.await(function() return refused end)
    assert.are.same({ "timeout", "open", 0.03 }, { refused.kind, refused.code,
      refused.seconds })
    server.await(function() return late end)
    server.finish(s)
    assert.is_false(opened)
  end)

  it("that never decides is forgotten with its coroutine", function()
    local weak = setmetatable({}, { __mode = "k" })
    local s = listen { upgrade_timeout = 0.03, onupgrade = function(_, r)
      weak[coroutine.running()], weak[r] = true, true
      coroutine.yield()
    end }
    assert.are.equal(503, (try(s)))
    server.finish(s)
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(weak))
  end)

  it("does no harm with what it keeps of a caller that has left", function()
    local decided = 0
    local s = listen { onupgrade = function(_, r)
      wss.sleep(0.1)
      decided = decided + 1
      if r.path == "/no" then return false, 404, nil, "x" end
      if r.path == "/wrong" then return 1 end
    end, onopen = function(_, ws) ws:send(("x"):rep(100000)) end }
    local heard
    function wss.onerror(err) heard = err end
    local head = "GET %s HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
      .. "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
      .. "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    local scripts = {}
    for _, path in ipairs { "/yes", "/no", "/wrong" } do
      for _, how in ipairs { "reset", "fin" } do
        table.insert(scripts, { { "text", head:format(path) },
          { "sleep", 0.02 }, { how } })
      end
    end
    server.call(s, scripts)
    server.await(function() return decided == 6
      and s:stats().handshaking == 0 and s.count == 0 end)
    assert.matches("got number", heard)
    server.finish(s)
  end)

  it("is answered for by the server where that closes meanwhile", function()
    local asked = false
    local s = listen { onupgrade = function()
      asked = true
      wss.sleep(0.05)
      return true
    end }
    wss.spawn(function()
      while not asked do wss.sleep(0.001) end
      s:close()
    end)
    local status, err = try(s)
    assert.are.same({ 503, "upgrade" }, { status, err.kind })
    wss.run()
    assert.are.equal("closed", s.state)
  end)

  it("is not asked where something else refuses the request", function()
    local asked = 0
    local s = listen { origins = { "https://a.example" }, onupgrade = function()
      asked = asked + 1
    end }
    assert.are.equal(403, (try(s, { origin = "https://b.example" })))
    server.call(s, { { { "upgrade", { ["Sec-WebSocket-Version"] = "8" } } } })
    assert.are.equal(0, asked)
    server.finish(s)
  end)
end)

describe("a subprotocol", function()
  after_each(server.clean)

  -- the server's, the client's, what onupgrade says; the one chosen
  local cases = {
    { nil, { "a", "b" }, nil, nil },
    { { "a", "b" }, { "b", "a" }, nil, "b" }, -- the client's order
    { { "a", "b" }, { "x", "a" }, nil, "a" },
    { "b", "b", nil, "b" },
    { { "a" }, { "x" }, nil, nil },
    { { "a" }, { "A" }, nil, nil },
    { { "a" }, nil, nil, nil },
    { { "a", "b" }, { "a", "b" }, true, "a" },
    { { "a", "b" }, { "a", "b" }, {}, "a" },
    { { "a", "b" }, { "a", "b" }, { subprotocol = "b" }, "b" },
    { nil, { "a", "b" }, { subprotocol = "b" }, "b" },
    { { "a" }, { "a" }, { subprotocol = "c" }, nil },
    { { "a" }, nil, { subprotocol = "a" }, nil },
  }
  local function shown(value)
    if type(value) ~= "table" then return tostring(value) end
    return value.subprotocol and "the wish " .. value.subprotocol
      or table.concat(value, ",")
  end
  for _, case in ipairs(cases) do
    local ours, theirs, wish, chosen = case[1], case[2], case[3], case[4]
    it(("of %s offered to %s with %s is %s"):format(shown(theirs),
      shown(ours), shown(wish), tostring(chosen)), function()
      local seen
      local s = listen { subprotocols = ours, onopen = function(_, ws, info)
        seen = { ws.subprotocol, info.subprotocol }
      end }
      if wish ~= nil then s.onupgrade = function() return wish end end
      local how, ws = try(s, { subprotocols = theirs })
      assert.are.equal("open", how)
      assert.are.equal(chosen, ws.subprotocol)
      assert.are.same({ chosen, chosen }, seen)
      server.finish(s)
    end)
  end

  it("is looked for in all fields of the request", function()
    local listed
    local s = listen { subprotocols = "c", onupgrade = function(_, r)
      listed = r.subprotocols
    end }
    local _, answers = server.call_one(s, { { "upgrade", {
      ["Sec-WebSocket-Protocol"] = { "a, b", " ,c" } } } })
    assert.are.equal("c", answers[1].headers["sec-websocket-protocol"])
    assert.are.same({ "a", "b", "c" }, listed)
    server.finish(s)
  end)

  it("is refused where the list is malformed", function()
    local s = listen { subprotocols = "a" }
    for _, bad in ipairs { "a, a", "a b", "a;b", ",", "\"a\"" } do
      local _, answers = server.call_one(s, { { "upgrade", {
        ["Sec-WebSocket-Protocol"] = bad } } })
      assert.are.equal(400, answers[1].status, bad)
    end
    server.finish(s)
  end)
end)

describe("origins", function()
  after_each(server.clean)

  it("are the ones that browsers may come from", function()
    local s = listen { origins = { "https://a.example",
      "http://b.example:8080", "null" } }
    for origin, status in pairs { ["https://a.example"] = "open",
      ["HTTPS://A.Example"] = "open", ["http://b.example:8080"] = "open",
      ["null"] = "open", ["http://a.example"] = 403,
      ["https://a.example:444"] = 403, ["https://a.example.evil"] = 403,
      ["https://evil"] = 403, ["x"] = 403 } do
      assert.are.equal(status, (try(s, { origin = origin })), origin)
    end
    assert.are.equal("open", (try(s))) -- no browser
    server.finish(s)
  end)

  it("may be a list without any: no browser then", function()
    local s = listen { origins = {} }
    assert.are.equal(403, (try(s, { origin = "https://a.example" })))
    assert.are.equal("open", (try(s)))
    server.finish(s)
  end)

  it("are of no concern to plain requests, nor where none are given",
    function()
      local s = listen { origins = { "https://a.example" },
        onrequest = function() return 200 end }
      assert.are.equal(200, get(s, "/", { Origin = "https://evil" }).status)
      server.finish(s)
      s = listen {}
      assert.are.equal("open", (try(s, { origin = "https://a.example" })))
      server.finish(s)
    end)

  it("tell onrefused who was turned away", function()
    local refused
    local s = listen { origins = "https://a.example",
      onrefused = function(_, err) refused = err end }
    try(s, { origin = "https://evil" })
    server.await(function() return refused end)
    assert.are.same({ "upgrade", "status", 403 }, { refused.kind,
      refused.code, refused.status })
    assert.matches("Origin", tostring(refused))
    server.finish(s)
  end)
end)

describe("onrequest", function()
  after_each(server.clean)

  local answers = {
    ["nothing"] = { {}, 404, body = "" },
    ["a status"] = { { 200 }, 200, body = "" },
    ["headers"] = { { 200, { ["content-type"] = "text/plain", x = { "a",
      "b" } } }, 200, headers = { ["content-type"] = "text/plain",
      x = "a, b", ["content-length"] = "0" } },
    ["a body"] = { { 200, nil, "up\n", n = 3 }, 200, body = "up\n",
      headers = { ["content-length"] = "3" } },
    ["a body for nil"] = { { nil, nil, "not here\n", n = 3 }, 404,
      body = "not here\n" },
    ["an empty body"] = { { 200, {}, "" }, 200, body = "" },
    ["bytes"] = { { 200, {}, "\0\1\255" }, 200, body = "\0\1\195\191" },
    ["503"] = { { 503, { ["retry-after"] = "1" } }, 503 },
    ["204 with a body"] = { { 204, {}, "x" }, 204, body = "" },
    ["205 with a body"] = { { 205, {}, "x" }, 205, body = "" },
    ["304 with a body"] = { { 304, {}, "x" }, 304, body = "" },
  }
  for what, case in pairs(answers) do
    it("may return " .. what .. ", and serves the next one after it",
      function()
        local given = case[1]
        local s = listen { onrequest = function(_, r)
          if r.path == "/next" then return 200, nil, "next" end
          return table.unpack(given, 1, given.n or #given)
        end }
        local events, list = server.call_one(s, { { "ask", "GET", "/" },
          { "answer" }, { "ask", "GET", "/next" }, { "answer" } })
        assert.are.equal("end", events[#events].event)
        assert.are.equal(case[2], list[1].status)
        for name, value in pairs(case.headers or {}) do
          assert.are.equal(value, list[1].headers[name])
        end
        if case.body then assert.are.equal(case.body, list[1].text) end
        assert.are.equal("keep-alive", list[1].headers.connection)
        assert.matches("^%a%a%a, %d%d %a%a%a 20%d%d %d%d:%d%d:%d%d GMT$",
          list[1].headers.date)
        assert.are.equal("next", list[2].text)
        server.finish(s)
      end)
  end

  local wrong = {
    ["true"] = { { true }, "got true" },
    ["a string"] = { { "200" }, "got 200" },
    ["1"] = { { 1 }, "got 1" }, ["101"] = { { 101 }, "got 101" },
    ["600"] = { { 600 }, "got 600" }, ["half"] = { { 200.5 }, "got 200.5" },
    ["not a number"] = { { 0 / 0 }, "got %-?nan" },
    ["headers of another type"] = { { 200, "x" }, "table expected" },
    ["a header of another type"] = { { 200, { x = true } },
      "'x' must be a string" },
    ["a header that splits"] = { { 200, { x = "a\nb" } },
      "control character" },
    ["a transfer coding"] = { { 200, { ["transfer-encoding"] = "chunked" } },
      "belongs to the handshake" },
    ["a body of another type"] = { { 200, {}, 7 }, "a body is a string" },
  }
  for what, case in pairs(wrong) do
    it("that returns " .. what .. " answers 500, and it is heard", function()
      local given = case[1]
      local s = broken { onrequest = function()
        return table.unpack(given, 1, given.n or #given)
      end }
      assert.are.equal(500, get(s).status)
      assert.are.equal(1, #s.heard)
      assert.matches(case[2], s.heard[1])
      server.finish(s)
    end)
  end

  it("that raises answers 500, before and after it waited", function()
    local s = broken { onrequest = function(_, r)
      if r.path == "/wait" then wss.sleep(0.001) end
      error "broken onrequest"
    end }
    for i, path in ipairs { "/", "/wait" } do
      local answer = get(s, path)
      assert.are.equal(500, answer.status)
      assert.is_nil(answer.text:find("broken onrequest", 1, true))
      assert.matches("broken onrequest", s.heard[i])
    end
    server.finish(s)
  end)

  it("that decides too late answers 503", function()
    local s = listen { upgrade_timeout = 0.03, onrequest = function()
      wss.sleep(0.1)
      return 200
    end }
    assert.are.equal(503, get(s).status)
    wss.sleep(0.1)
    server.finish(s)
  end)

  it("is asked for each of many requests, pipelined, in their order",
    function()
      local s = listen { onrequest = function(_, r)
        wss.sleep(r.path == "/1" and 0.03 or 0)
        return 200, nil, r.path
      end }
      local text = {}
      for i = 1, 50 do
        text[i] = ("GET /%d HTTP/1.1\r\nHost: x\r\n\r\n"):format(i)
      end
      local script = { { "text", table.concat(text) } }
      for _ = 1, 50 do table.insert(script, { "answer" }) end
      local _, list = server.call_one(s, script)
      for i = 1, 50 do assert.are.equal("/" .. i, list[i].text) end
      assert.are.equal(1, s:stats().accepted)
      assert.are.equal(50, s:stats().requests)
      server.finish(s)
    end)

  it("is asked once for what comes byte by byte", function()
    local asked = 0
    local s = listen { onrequest = function()
      asked = asked + 1
      return 200
    end }
    local _, list = server.call_one(s, { { "text",
      "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", 1,
      0 }, { "answer" }, { "answer" } })
    assert.are.same({ 200, 200, 2 }, { list[1].status, list[2].status,
      asked })
    server.finish(s)
  end)

  it("may be followed by an upgrade on the same connection", function()
    local s = listen { onrequest = function() return 200, nil, "page" end,
      onmessage = function(_, ws, data) ws:send(data) end }
    local events = server.call(s, { { { "ask", "GET", "/" }, { "answer" },
      { "upgrade" }, { "frame", 1, "4142" }, { "frames", 1 } } })[1]
    assert.are.same({ "page", 101, "AB" }, { events[1].text,
      events[2].status, events[3].text })
    server.finish(s)
  end)

  it("serves HEAD without a body, with the length of one", function()
    local seen
    local s = listen { onrequest = function(_, r)
      seen = r.method
      return 200, { etag = "x" }, ("x"):rep(3 * MIB)
    end }
    local _, list = server.call_one(s, { { "ask", "HEAD", "/" },
      { "answer", "HEAD" }, { "ask", "HEAD", "/" }, { "answer", "HEAD" } })
    assert.are.equal("HEAD", seen)
    for i = 1, 2 do
      assert.are.same({ 200, tostring(3 * MIB), "x" }, { list[i].status,
        list[i].headers["content-length"], list[i].headers.etag })
    end
    server.finish(s)
  end)

  it("closes the connection where the client asks for it", function()
    local s = listen { onrequest = function() return 200, nil, "x" end }
    local events = server.call(s, { { { "ask", "GET", "/",
      { Connection = "close" } }, { "answer" }, { "drain" } } })[1]
    assert.are.same({ "close", "eof", 0 }, { events[1].headers.connection,
      events[2].event, events[2].bytes })
    server.finish(s)
  end)

  it("serves HTTP/1.0, once", function()
    local s = listen { onrequest = function() return 200, nil, "x" end }
    local events = server.call(s, { { { "ask", "GET", "/",
      { Host = server.none }, "1.0" }, { "answer" }, { "drain" } } })[1]
    assert.are.same({ 200, "close", "x", "eof" }, { events[1].status,
      events[1].headers.connection, events[1].text, events[2].event })
    server.finish(s)
  end)

  it("serves one who has said all and hung up its half", function()
    local s = listen { onrequest = function()
      wss.sleep(0.02)
      return 200, nil, ("x"):rep(MIB)
    end }
    local events = server.call(s, { { { "ask", "GET", "/" }, { "fin" },
      { "answer" }, { "drain" } } })[1]
    assert.are.same({ MIB, "eof" }, { events[1].len, events[2].event })
    server.finish(s)
  end)

  it("sends bodies of MiB, whole, to slow readers, holding one string",
    function()
      local parts = {}
      for i = 1, 1 << 16 do parts[i] = ("%08x%08x\n"):format(i, i * i) end
      local body = table.concat(parts):rep(8) -- 8.5 MiB
      local dir <close> = process.directory()
      local sum = process.run { "sha256sum",
        process.write_file(dir.path .. "/body", body) }:match "^%x+"
      local most = 0
      local s = listen { onrequest = function()
        return 200, nil, body
      end }
      local watch = wss.timer(0.001, function()
        most = math.max(most, wss.stats().pinned_strings)
        collectgarbage "step"
      end, 0.001)
      local script = { { "ask", "GET", "/" }, { "body", 65536, 0.0005 },
        { "ask", "GET", "/" }, { "body", 1 << 20, 0 } }
      local told = server.call(s, { script, script, script })
      watch:cancel()
      for i = 1, 3 do
        for n = 1, 2 do
          assert.are.same({ #body, sum }, { told[i][n].len,
            told[i][n].sha256 })
        end
      end
      assert.is_true(most >= 1 and most <= 3, most)
      assert.are.equal(0, wss.stats().pinned_strings)
      server.finish(s)
    end)

  it("gives up on one that stops reading its answer", function()
    local refused
    local dir <close> = process.directory()
    local s = listen { close_timeout = 0.1, onrequest = function()
      return 200, nil, ("x"):rep(32 * MIB)
    end, onrefused = function(_, err)
      refused = err
      process.write_file(dir.path .. "/refused", "")
    end }
    server.call(s, { { { "ask", "GET", "/" },
      { "await", dir.path .. "/refused" } } })
    assert.are.same({ "timeout", "drain" }, { refused.kind, refused.code })
    assert.are.equal(0, wss.stats().pinned_strings)
    server.finish(s)
  end)

  it("does no harm where a caller leaves while it waits", function()
    local decided = 0
    local s = listen { onrequest = function()
      wss.sleep(0.05)
      decided = decided + 1
      return 200, nil, ("x"):rep(MIB)
    end }
    server.call(s, { { { "ask", "GET", "/" }, { "sleep", 0.02 }, { "reset" } },
      { { "ask", "GET", "/" }, { "sleep", 0.02 }, { "fin" } } })
    server.await(function() return decided == 2
      and s:stats().handshaking == 0 end)
    assert.are.equal(0, wss.stats().pinned_strings)
    server.finish(s)
  end)
end)

describe("a server by itself", function()
  after_each(server.clean)

  it("answers plain requests with 426 where there is no onrequest",
    function()
      local s = listen()
      local _, list = server.call_one(s, { { "ask", "GET", "/" },
        { "answer" }, { "ask", "HEAD", "/" }, { "answer", "HEAD" } })
      for i = 1, 2 do
        assert.are.same({ 426, "websocket", "13" }, { list[i].status,
          list[i].headers.upgrade,
          list[i].headers["sec-websocket-version"] })
        assert.matches("[Uu]pgrade", list[i].headers.connection)
      end
      server.finish(s)
    end)

  -- what is sent, the status
  local usual = "Host: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
  local version = "Sec-WebSocket-Version: 13\r\n"
  local key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
  local get_line = "GET / HTTP/1.1\r\n"
  local refusals = {
    ["another version"] = { get_line .. usual .. key
      .. "Sec-WebSocket-Version: 8\r\n", 426 },
    ["no version"] = { get_line .. usual .. key, 426 },
    ["two versions"] = { get_line .. usual .. key .. version .. version,
      426 },
    ["no key"] = { get_line .. usual .. version, 400 },
    ["two keys"] = { get_line .. usual .. version .. key .. key, 400 },
    ["a short key"] = { get_line .. usual .. version
      .. "Sec-WebSocket-Key: dGhl\r\n", 400 },
    ["no Connection"] = { get_line .. "Host: x\r\nUpgrade: websocket\r\n"
      .. version .. key, 400 },
    ["an upgrade by HEAD"] = { "HEAD / HTTP/1.1\r\n" .. usual .. version
      .. key, 400 },
    ["an upgrade by HTTP/1.0"] = { "GET / HTTP/1.0\r\n" .. usual .. version
      .. key, 400 },
    ["a POST"] = { "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n",
      405 },
    ["an unknown method"] = { "BREW / HTTP/1.1\r\nHost: x\r\n", 405 },
    ["a lower-case method"] = { "get / HTTP/1.1\r\nHost: x\r\n", 405 },
    ["a body"] = { "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n",
      413 },
    ["a transfer coding"] = { "GET / HTTP/1.1\r\nHost: x\r\n"
      .. "Transfer-Encoding: chunked\r\n", 501 },
    ["no Host"] = { get_line, 400 },
    ["two Hosts"] = { get_line .. "Host: x\r\nHost: y\r\n", 400 },
    ["another HTTP"] = { "GET / HTTP/2.0\r\nHost: x\r\n", 505 },
    ["no HTTP"] = { "hello\r\n", 400 },
    ["a folded header"] = { get_line .. "Host: x\r\nA: b\r\n c\r\n", 400 },
    ["a space before a colon"] = { get_line .. "Host: x\r\nA : b\r\n", 400 },
    ["a target that is none"] = { "GET x HTTP/1.1\r\nHost: x\r\n", 400 },
  }
  for what, case in pairs(refusals) do
    it(("refuses %s with %d"):format(what, case[2]), function()
      local refused
      local s = listen { onrefused = function(_, err) refused = err end,
        onrequest = function() return 200 end }
      local head = case[1]:match "^HEAD" and "HEAD" or "GET"
      local events = server.call(s, { { { "text", case[1] .. "\r\n" },
        { "answer", head }, { "drain" } } })[1]
      assert.are.equal(case[2], events[1].status)
      assert.are.equal("eof", events[2].event)
      server.await(function() return refused end)
      assert.are.equal("upgrade", refused.kind)
      assert.are.equal(case[2], refused.status)
      assert.are.equal(1, s:stats().refused)
      if case[2] == 405 then
        assert.are.equal("GET, HEAD", events[1].headers.allow)
      elseif case[2] == 426 then
        assert.are.equal("13", events[1].headers["sec-websocket-version"])
      end
      server.finish(s)
    end)
  end

  it("bounds a request's head: 431", function()
    local refused
    local s = listen { max_header = 1000, onrequest = function() return 200 end,
      onrefused = function(_, err) refused = err end }
    assert.are.equal(200, get(s, "/", { ["X-A"] = ("a"):rep(800) }).status)
    assert.are.equal(431, get(s, "/", { ["X-A"] = ("a"):rep(1000) }).status)
    server.await(function() return refused end)
    assert.are.same({ "upgrade", 431, 1000 }, { refused.kind, refused.status,
      refused.limit })
    -- One that never ends.
    local events = server.call(s, { { { "text", "GET /" },
      { "fill", "a", 1 << 20 }, { "answer" }, { "drain" } } })[1]
    assert.are.equal(431, events[1].status)
    assert.are.equal("eof", events[2].event)
    server.finish(s)
  end)

  it("takes max_connections, and tells the next one 503", function()
    local refused
    local s = listen { max_connections = 2,
      onrefused = function(_, err) refused = err end }
    local a = wss.connect(s.url, { onclose = function() end })
    local b = wss.connect(s.url, { onclose = function() end })
    server.await(function() return s.count == 2 end)
    local status, err = try(s)
    assert.are.same({ 503, "upgrade" }, { status, err.kind })
    server.await(function() return refused end)
    assert.matches("max_connections", tostring(refused))
    a:close()
    server.await(function() return s:stats().connections == 1
      and s:stats().handshaking == 0 end)
    assert.are.equal("open", (try(s)))
    b:close()
    server.finish(s)
  end)

  it("closes without a word what is far beyond max_connections", function()
    local s = listen { max_connections = 1 }
    local scripts = {}
    for i = 1, 100 do scripts[i] = { { "drain" } } end
    local timer
    timer = wss.timer(0, function()
      if s:stats().accepted < 100 then return end
      timer:cancel()
      s:close(0)
    end, 0.001)
    local told = server.call(s, scripts)
    for i = 1, 100 do assert.are_not.equal("answer", told[i][1].event) end
    local st = s:stats()
    assert.are.equal(100, st.accepted)
    assert.are.equal(100 - 65, st.turned_away)
    server.finish(s)
  end)

  describe("has no patience without end:", function()
    local s, refused, patience
    -- Who is to do something first gets the time to do it, on a busy machine.
    local function patient(options, seconds)
      patience = seconds or 0.05
      options.handshake_timeout = patience
      options.onrefused = function(_, err) refused = err end
      options.onrequest = function() return 200 end
      s = listen(options, options.tls and "wss://127.0.0.1:0")
      refused = nil
    end
    local function timed_out()
      server.await(function() return refused end)
      assert.are.same({ "timeout", "open", patience }, { refused.kind,
        refused.code, refused.seconds })
      server.finish(s)
    end

    it("one that says nothing is hung up on", function()
      patient {}
      local events = server.call(s, { { { "drain" } } })[1]
      assert.are.same({ "eof", 0 }, { events[1].event, events[1].bytes })
      timed_out()
    end)

    it("half a request is answered with 408", function()
      patient({}, 1)
      local events = server.call(s, { { { "text", "GET / HTTP/1.1\r\nHost" },
        { "answer" }, { "drain" } } })[1]
      assert.are.same({ 408, "eof" }, { events[1].status, events[2].event })
      timed_out()
    end)

    it("drops of a request do not make it longer", function()
      patient {}
      local events = server.call(s, { { { "text", "GET / HTTP/1.1\r\nX: "
        .. ("x"):rep(100), 1, 0.005 }, { "answer" } },
        { { "text", ("x"):rep(100), 1, 0.005 }, { "drain" } } })
      for i = 1, 2 do
        local last = events[i][#events[i]]
        assert.is_true(last.event == "error" or events[i][1].status == 408
          or events[i][1].event ~= "end")
      end
      timed_out()
    end)

    it("one that is silent in TLS is hung up on", function()
      patient { tls = certs "server" }
      local events = server.call(s, { { { "drain" } } })[1]
      assert.are.same({ "eof", 0 }, { events[1].event, events[1].bytes })
      timed_out()
    end)

    it("one that stops in the middle of TLS, too", function()
      patient { tls = certs "server" }
      server.call(s, { { { "send", "160301020001" }, { "drain" } } })
      timed_out()
    end)

    it("TLS and the request share it", function()
      patient({ tls = certs "server" }, 1)
      local events = server.call(s, { { { "tls" }, { "text", "GET /" },
        { "answer" }, { "drain" } } }, { ca = certs.ca })[1]
      assert.are.equal(408, events[1].status)
      timed_out()
    end)

    it("a kept connection that asks no more is hung up on, and no refusal",
      function()
        patient({}, 1)
        local events = server.call(s, { { { "ask", "GET", "/" },
          { "answer" }, { "drain" } } })[1]
        assert.are.same({ 200, "eof", 0 }, { events[1].status,
          events[2].event, events[2].bytes })
        assert.is_nil(refused)
        server.finish(s)
      end)

    it("one that is open is not concerned", function()
      patient({}, 1)
      s.onmessage = function(_, ws, data) ws:send(data) end
      local events = server.call(s, { { { "upgrade" }, { "sleep", 1.5 },
        { "frame", 1, "41" }, { "frames", 1 } } })[1]
      assert.are.equal("A", events[2].text)
      server.finish(s)
    end)
  end)
end)
