-- Clients that are not ours, on a server that is: each of them over plain
-- TCP, TLS 1.2 and TLS 1.3, by what all promise and by its peculiarities.

local certs = require "spec.support.certs"
local json = require "dkjson"
local process = require "spec.support.process"
local server = require "spec.support.server"
local visitors = require "spec.support.visitors"
local wss = require "uvwss"

local sizes = { 0, 1, 125, 126, 65535, 65536, 1 << 20, 5 << 20 }
local crowd <const> = 100
local long_reason = ("reason "):rep(17) .. "long" -- 123 bytes, RFC 6455, 5.5
local unicode = "h\u{e4}ll\u{f6} \u{20ac} \u{1f600}"

-- How we close, and how they do.
local ours = { { 1000, "" }, { 1001, "going away" }, { 1008, unicode },
  { 1011, "an error" }, { 3000, long_reason }, { 4999, "private" } }
local theirs = { { 1000, "bye" }, { 3000, unicode }, { 4000, long_reason },
  { 4999, "" } }

-- The server, and what it has seen: `closes` (code, reason and err by path),
-- `pongs` (payload and seconds), `most` (connections open at once),
-- `refused`, `tls` (of the last request).
local function site(scheme, version, options)
  local seen = { closes = {}, pongs = {}, refused = {}, most = 0, told = {} }
  local waiting = {}
  local serve = {}

  function serve.echo(ws, data, kind) assert(ws:send(data, kind)) end

  function serve.pieces(ws, data, kind)
    local writer = assert(ws:stream(kind))
    local third = #data // 3
    assert(writer:write(data:sub(1, third)))
    assert(writer:write "")
    assert(writer:write(data:sub(third + 1, 2 * third)))
    assert(writer:finish(data:sub(2 * third + 1)))
  end

  function serve.ping(ws, data) assert(ws:ping(data)) end

  function serve.told(ws)
    local request = ws.request
    seen.tls = request.tls
    assert(ws:send(json.encode { path = request.path, query = request.query,
      headers = request.headers, subprotocols = request.subprotocols }))
  end

  -- Answers when all have asked.
  function serve.together(ws, data, kind)
    waiting[#waiting + 1] = function() assert(ws:send(data, kind)) end
    if #waiting < crowd then return end
    for _, answer in ipairs(waiting) do answer() end
    waiting = {}
  end

  function serve.results(ws, data)
    seen.results = json.decode(data)
    ws:close()
  end

  local all = {
    subprotocols = { "second.v1", "third.v1" },
    ping_interval = false, -- the pings are counted
    tls = scheme == "wss" and { cert = certs("server").cert,
      key = certs("server").key, max_version = version } or nil,
    onupgrade = function(_, request)
      if request.path == "/refused" then
        return false, 418, { ["x-why"] = "tea" }, "a teapot\n"
      end
    end,
    onopen = function(s, ws)
      seen.most = math.max(seen.most, s.count)
      local which = ws.request.path:match "^/close/(%d+)"
      if which then ws:close(table.unpack(ours[tonumber(which)])) end
    end,
    onmessage = function(_, ws, data, kind)
      serve[ws.request.path:match "^/(%l+)"](ws, data, kind)
    end,
    onpong = function(_, ws, payload, seconds)
      table.insert(seen.pongs, { payload = payload, seconds = seconds })
      ws:send("pong " .. payload)
    end,
    onclose = function(_, ws, code, reason, err)
      seen.closes[ws.request.path] = { code = code, reason = reason,
        err = err }
    end,
    onrefused = function(_, err) table.insert(seen.refused, err) end,
  }
  for name, value in pairs(options or {}) do all[name] = value end
  local s = server.listen(all, scheme .. "://localhost:0")
  return s, seen
end

-- What everyone does. `can` tells what a client has no words for. Returns the
-- course and at which place in it what is.
local function course(can, version)
  local list, places = {}, {}
  local function visit(name, path, steps, more)
    local one = { path = path, steps = steps, ca = certs.ca,
      version = version }
    for key, value in pairs(more or {}) do one[key] = value end
    list[#list + 1] = one
    places[name] = #list
  end
  for _, kind in ipairs { "text", "binary" } do
    local steps, pieces, fragments = {}, {}, {}
    for i, size in ipairs(sizes) do
      steps[i] = { "echo", kind, size }
      pieces[i] = { "echo", kind, size }
      fragments[i] = { "echo", kind, size, 3 }
    end
    steps[#steps + 1], pieces[#pieces + 1] = { "close" }, { "close" }
    visit(kind, "/echo", steps)
    visit("pieces of " .. kind, "/pieces", pieces)
    if can.fragments ~= false then
      fragments[#fragments + 1] = { "close" }
      visit("fragments of " .. kind, "/echo", fragments)
    end
  end
  visit("unicode", "/echo", { { "say", unicode }, { "close" } })
  visit("ping", "/ping", { { "say", "are you there" }, { "say", "" },
    { "close" } })
  if can.ping ~= false then
    visit("its ping", "/echo", { { "ping", "hello?" }, { "close" } })
  end
  visit("request", "/told/me?a=b&c", { { "say", "?" }, { "close" } },
    { headers = can.headers ~= false and { ["X-Visitor"] = "yes",
      Cookie = "flavour=lemon" } or nil })
  visit("subprotocol", "/echo", { { "say", "x" }, { "close" } },
    { subprotocols = { "first.v1", "second.v1", "third.v1" } })
  for i, close in ipairs(theirs) do
    visit("their close " .. i, "/echo/" .. i, { { "say", "x" },
      { "close", table.unpack(close) } })
  end
  for i in ipairs(ours) do
    visit("our close " .. i, "/close/" .. i, { { "wait" } })
  end
  if can.drop ~= false then
    visit("drop", "/echo/drop", { { "say", "x" }, { "drop" } })
  end
  visit("refused", "/refused", { { "say", "never" } })
  visit("crowd", "/together", { { "echo", "text", 300 }, { "close" } },
    { times = crowd })
  return list, places
end

-- Serve the page, and what it asks for.
local function show(s, url, list)
  local page = process.read_file(visitors.page)
  function s:onrequest(request)
    if request.path == "/" then
      return 200, { ["content-type"] = "text/html",
        ["set-cookie"] = { "flavour=lemon; Secure; HttpOnly", "plain=yes" } },
        page
    elseif request.path == "/course" then
      return 200, { ["content-type"] = "application/json" },
        json.encode { url = url, visits = list }
    end
  end
end

-- What a browser's page did, as the others return it.
local function browse(url, list, s, seen)
  show(s, url, list)
  local _ <close> = visitors.chromium(url:gsub("^ws", "http") .. "/",
    certs.ca)
  server.await(function() return seen.results end, "the page's result")
  return seen.results
end

-- name, how to visit, what it says when it is refused, what it cannot do
local clients = {
  { "python-websockets", visitors.python, "HTTP 418", {} },
  { "ws on Node", visitors.node, "Unexpected server response: 418", {} },
  { "Boost.Beast", visitors.beast, "declined by the remote peer", {} },
  { "Chromium", browse, '"code":1006', { fragments = false, ping = false,
    headers = false, drop = false } },
}

local function promises(name, visit, refusal, can, scheme, version)
  local s, seen, told, places, url

  setup(function()
    s, seen = site(scheme, version)
    url = s.url
    local list
    list, places = course(can, version)
    told = visit(url, list, s, seen)
    -- Those that were dropped end a little later.
    server.await(function() return s.count == 0 end, "the last one's end")
  end)
  teardown(function() server.finish(s) end)

  -- The steps of a visit, of which none failed.
  local function of(what)
    local one = told[places[what]]
    assert.is_nil(one.error)
    return one.steps, one
  end

  for _, kind in ipairs { "text", "binary" } do
    it(("gets back %s of every size"):format(kind), function()
      local steps = of(kind)
      assert.equal(#sizes + 1, #steps)
      for i in ipairs(sizes) do assert.is_true(steps[i]) end
    end)

    it(("gets %s in fragments, an empty one among them"):format(kind),
      function()
        local steps = of("pieces of " .. kind)
        for i in ipairs(sizes) do assert.is_true(steps[i]) end
      end)

    if can.fragments ~= false then
      it(("may send %s in fragments"):format(kind), function()
        local steps = of("fragments of " .. kind)
        for i in ipairs(sizes) do assert.is_true(steps[i]) end
      end)
    end
  end

  it("gets back every kind of character", function()
    assert.equal(unicode, of "unicode"[1])
  end)

  it("answers our pings", function()
    assert.same({ "pong are you there", "pong " },
      { table.unpack(of "ping", 1, 2) })
    assert.equal(2, #seen.pongs)
    for _, pong in ipairs(seen.pongs) do
      assert.is_true(pong.seconds >= 0 and pong.seconds < 60)
    end
  end)

  if can.ping ~= false then
    it("has its pings answered", function()
      assert.equal("hello?", of "its ping"[1])
    end)
  end

  it("is known by its request", function()
    local request = json.decode(of "request"[1])
    assert.same({ "/told/me", "a=b&c" }, { request.path, request.query })
    local headers = request.headers
    assert.equal("localhost:" .. s.port, headers.host)
    assert.equal("13", headers["sec-websocket-version"])
    if can.headers ~= false then
      assert.equal("yes", headers["x-visitor"])
      assert.equal("flavour=lemon", headers.cookie)
    end
  end)

  it("may offer compression, which is declined", function()
    local request = json.decode(of "request"[1])
    assert.matches("permessage%-deflate",
      request.headers["sec-websocket-extensions"])
  end)

  it("agrees on its first subprotocol that we have", function()
    local _, one = of "subprotocol"
    assert.equal("second.v1", one.opened.subprotocol)
    _, one = of "text"
    assert.is_falsy(one.opened.subprotocol)
  end)

  it("closes with its codes and reasons, which reach us", function()
    for i, close in ipairs(theirs) do
      local code, reason = table.unpack(close)
      local steps = of("their close " .. i)
      assert.equal(code, steps[2].code)
      local ended = seen.closes["/echo/" .. i]
      assert.same({ code, reason }, { ended.code, ended.reason })
      assert.is_nil(ended.err)
    end
  end)

  it("gets our codes and reasons", function()
    for i, close in ipairs(ours) do
      local code, reason = table.unpack(close)
      local steps = of("our close " .. i)
      assert.same({ code, reason }, { steps[1].code, steps[1].reason })
      local ended = seen.closes["/close/" .. i]
      assert.equal(code, ended.code)
      assert.is_nil(ended.err)
    end
  end)

  if can.drop ~= false then
    it("that hangs up without a word is an end with an error", function()
      of "drop"
      local ended = seen.closes["/echo/drop"]
      assert.equal(1006, ended.code)
      assert.is_not_nil(ended.err)
    end)
  end

  it(("is served %d times at once"):format(crowd), function()
    local one = told[places.crowd]
    assert.is_nil(one.error)
    assert.equal(crowd, one.served)
    assert.is_true(seen.most >= crowd)
  end)

  it("is told when it is refused", function()
    local one = told[places.refused]
    assert.same({}, one.steps)
    assert.matches(refusal, one.error, 1, true)
  end)

  it("is refused for nothing else", function()
    for _, err in ipairs(seen.refused) do
      -- A browser opens connections that it then does not use.
      assert.equal("Chromium", name)
      assert.matches("eof", err.code)
    end
  end)

  if scheme == "wss" then
    it("speaks TLS " .. version, function()
      assert.equal("TLSv" .. version, seen.tls.version)
      local tls = select(2, of "text").opened.tls
      if tls then assert.equal("TLSv" .. version, tls.version) end
      if tls and tls.subject then
        assert.equal("server.test", tls.subject)
      end
    end)
  end
end

describe("of clients that are not ours", function()
  for _, one in ipairs(clients) do
    local name, visit, refusal, can = table.unpack(one)
    for _, how in ipairs { { "ws" }, { "wss", "1.2" }, { "wss", "1.3" } } do
      local scheme, version = table.unpack(how)
      describe(("%s over %s"):format(name, version and "TLS " .. version
        or "plain TCP"), function()
        promises(name, visit, refusal, can, scheme, version)
      end)
    end
  end

  describe("Chromium", function()
    after_each(server.clean)

    -- A page of one server that visits another, which lets in only pages of
    -- 'origins'. Returns what came of it, what that one saw, the page's server.
    local function visit_other(origins)
      local home, of_home = site "wss"
      local list = { { path = "/told", steps = { { "say", "?" },
        { "close", 4000, "seen" } } } }
      local s, seen = site("wss", nil, { origins = origins(home) })
      list[1].url = s.url
      show(home, home.url, list)
      do
        local _ <close> = visitors.chromium(
          home.url:gsub("^wss", "https") .. "/", certs.ca)
        server.await(function() return of_home.results end, "the result")
      end
      s:close()
      server.finish(home)
      return of_home.results[1], seen, home
    end

    it("is let in with a page of one of 'origins', which it names",
      function()
        local told, seen, home = visit_other(function(s)
          return { "https://example.org", "https://localhost:" .. s.port }
        end)
        assert.is_nil(told.error)
        local headers = json.decode(told.steps[1]).headers
        assert.equal("https://localhost:" .. home.port, headers.origin)
        assert.matches("Chrome/", headers["user-agent"], 1, true)
        assert.same({ code = 4000, reason = "seen" }, seen.closes["/told"])
      end)

    it("brings the cookies that the page's server set", function()
      local told = visit_other(function() end)
      local headers = json.decode(told.steps[1]).headers
      assert.equal("flavour=lemon; plain=yes", headers.cookie)
    end)

    it("is not let in with a page of elsewhere", function()
      local told, seen = visit_other(function()
        return { "https://example.org" }
      end)
      assert.same({}, told.steps)
      assert.matches('"code":1006', told.error, 1, true)
      assert.same({}, seen.closes)
      local err = server.refusal(seen, 1)
      assert.same({ "upgrade", "status", 403 }, { err.kind, err.code,
        err.status })
      assert.matches("Origin", err.message, 1, true)
    end)

    it("that does not trust our authority is not served, and says so",
      function()
        local s, seen = site "wss"
        local asked = 0
        function s:onrequest() asked = asked + 1 end
        do
          local _ <close> = visitors.chromium(
            s.url:gsub("^wss", "https") .. "/")
          server.await(function()
            for _, err in ipairs(seen.refused) do
              if err.alert then
                assert.equal("certificate_unknown", err.alert)
                return true
              end
            end
          end, "its alert")
        end
        server.finish(s)
        assert.equal(0, asked)
      end)
  end)

  describe("a person with openssl s_client", function()
    local s, seen
    before_each(function() s, seen = site "wss" end)
    after_each(function()
      server.finish(s)
      server.clean()
    end)

    local function dial(version)
      return visitors.typist(s.port, { "-servername", "localhost", "-CAfile",
        certs.ca, "-verify_return_error", "-verify_hostname", "localhost",
        "-nocommands", version })
    end

    local head, frame = visitors.upgrade "/echo", visitors.frame

    for _, version in ipairs { "1.2", "1.3" } do
      it("types an upgrade over TLS " .. version, function()
        local typist <close> = dial("-tls" .. version:gsub("%.", "_"))
        typist:await "Verify return code: 0 (ok)"
        typist:type(head)
        local shown = typist:await "\r\n\r\n"
        assert.matches("TLSv" .. version, shown, 1, true)
        assert.matches("HTTP/1.1 101 Switching Protocols\r\n", shown, 1, true)
        -- RFC 6455, 1.3: the answer to the RFC's own example of a key.
        assert.matches("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
          .. "\r\n", shown, 1, true)
        typist:type(frame(1, "typed by hand"))
        typist:await "\x81\x0dtyped by hand"
        typist:type(frame(9, "anybody?"))
        typist:await "\x8a\x08anybody?"
        typist:type(frame(8, "\x03\xe8bye"))
        typist:await "\x88\x02\x03\xe8" -- the code comes back
        server.await(function() return s.count == 0 end, "the end")
        assert.same({ code = 1000, reason = "bye" }, seen.closes["/echo"])
      end)
    end

    it("may type slowly", function()
      local typist <close> = dial()
      typist:await "Verify return code: 0 (ok)"
      for at = 1, #head, 7 do
        typist:type(head:sub(at, at + 6))
        wss.sleep(0.005)
      end
      typist:await " 101 "
      for c in frame(1, "slow"):gmatch "." do
        typist:type(c)
        wss.sleep(0.005)
      end
      typist:await "\x81\x04slow"
    end)

    it("who types nonsense is told so", function()
      local typist <close> = dial()
      typist:await "Verify return code: 0 (ok)"
      typist:type "HELO example.org\r\n\r\n"
      typist:await "HTTP/1.1 400 Bad Request\r\n"
      server.await(function() return seen.refused[1] end, "the refusal")
      assert.same({ "upgrade", 400 }, { server.refusal(seen, 1).kind,
        server.refusal(seen, 1).status })
    end)

    it("who hangs up is an end with an error", function()
      do
        local typist <close> = dial()
        typist:await "Verify return code: 0 (ok)"
        typist:type(head)
        typist:await " 101 "
      end
      server.await(function() return seen.closes["/echo"] end, "the end")
      assert.equal(1006, seen.closes["/echo"].code)
    end)
  end)
end)
