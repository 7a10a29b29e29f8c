-- onfragment: a message as it arrives (docs/reference.md, Handlers).

local client = require "spec.support.client"
local process = require "spec.support.process"
local server = require "spec.support.server"
local variant = require "spec.support.variant"
local wss = require "uvwss"

describe("onfragment", function()
  after_each(server.clean)

  -- What comes back of what is sent, part by part, to each side in turn.
  local function exchange(messages, options)
    local parts, whole, got = 0, {}, {}
    local s = server.listen { compress = options.compress,
      onmessage = options.server and error or server.echo }
    local ws = wss.connect(s.url, { compress = options.compress })
    local function collect(_, data, kind, last)
      parts = parts + 1
      whole[#whole + 1] = data
      assert(kind == "text" or kind == "binary")
      if not last then return end
      got[#got + 1] = { table.concat(whole), kind }
      whole = {}
      if #got == #messages then ws:close() end
    end
    if options.server then
      function s:onfragment(w, ...) collect(w, ...) end
    else
      ws.onfragment = collect
    end
    for _, m in ipairs(messages) do assert(ws:send(m[1], m[2])) end
    local ended
    function ws:onclose(_, _, err) ended = { err } end
    server.await(function() return ended end, "the end")
    assert.is_nil(ended[1])
    server.finish(s)
    return got, parts
  end

  local messages = { { "", "text" }, { "a", "binary" },
    { ("h\u{e9}llo "):rep(60000), "text" }, { "", "binary" },
    { ("\0\255"):rep(200000), "binary" }, { "z", "text" } }

  for _, compress in ipairs { false, true } do
    for _, side in ipairs { "client", "server" } do
      it(("of a %s gives every message whole and in order%s"):format(side,
        compress and ", compressed" or ""), function()
        local got, parts = exchange(messages, { compress = compress,
          server = side == "server" })
        assert.are.same(messages, got)
        assert.is_true(parts >= #messages)
      end)
    end
  end

  it("comes before the message is whole", function()
    local s = server.listen {}
    local first
    function s:onfragment(_, data, _, last) first = first or { data, last } end
    local ws = wss.connect(s.url)
    local writer = ws:stream "text"
    assert(writer:write "beginning")
    server.await(function() return first end)
    assert.are.same({ "beginning", false }, first)
    assert(writer:finish())
    ws:close()
    wss.sleep(0)
    s:close()
    wss.run()
  end)

  it("goes before onmessage, and a connection's own before the server's",
    function()
      local called = {}
      local function note(name)
        return function() called[#called + 1] = name end
      end
      local s = server.listen { onmessage = note "server's message",
        onfragment = note "server's fragment" }
      local own = {}
      function s:onopen(ws)
        own[#own + 1] = ws
        if #own == 2 then ws.onmessage = note "own message" end
        if #own == 3 then
          ws.onmessage = note "own message"
          ws.onfragment = note "own fragment"
        end
      end
      for i = 1, 3 do
        local ws <close> = wss.connect(s.url)
        ws:send "x"
        server.await(function() return #called == i end)
      end
      assert.are.same({ "server's fragment", "own message", "own fragment" },
        called)
      server.finish(s)
    end)

  it("leaves whole messages to receive", function()
    local s = server.listen { onmessage = server.echo }
    local ws = wss.connect(s.url)
    local parts = 0
    function ws:onfragment() parts = parts + 1 end
    wss.run(function()
      ws:send(("x"):rep(100000))
      assert.are.equal(100000, #assert(ws:receive(60)))
      assert.are.equal(0, parts)
      ws:close()
      s:close()
    end)
  end)

  it("may pause in the middle of a message, and go on", function()
    local s = server.listen {}
    local got, paused = 0, 0
    function s:onfragment(ws, data)
      got = got + #data
      paused = paused + 1
      ws:pause()
      wss.timer(0, function() ws:resume() end)
    end
    local ws = wss.connect(s.url)
    ws:send(("x"):rep(1 << 20))
    server.await(function() return got == 1 << 20 end)
    assert.is_true(paused > 1)
    ws.onclose = function() end
    ws:close()
    server.finish(s)
  end)

  it("is bounded by max_message over the whole message", function()
    for _, compress in ipairs { false, true } do
      local s = server.listen { max_message = 100000, compress = compress }
      local got, ended = 0, nil
      function s:onfragment(_, data) got = got + #data end
      function s:onclose(_, _, _, err) ended = err end
      local ws = wss.connect(s.url, { compress = compress })
      local writer = ws:stream "binary"
      for _ = 1, 30 do writer:write(("x"):rep(10000)) end
      local code
      function ws:onclose(c) code = c end
      server.await(function() return ended and code end)
      assert.are.same({ "limit", "message_size", 1009 },
        { ended.kind, ended.code, code })
      assert.is_true(got <= 100000)
      server.finish(s)
    end
  end)

  it("stops at text that is not UTF-8", function()
    local s = server.listen {}
    local got, ended = "", nil
    function s:onfragment(_, data) got = got .. data end
    function s:onclose(_, _, _, err) ended = err end
    server.call(s, { { { "upgrade" }, { "frame", 1, "616263", { fin = false } },
      { "frame", 0, "ff64", {} }, { "until", 8 }, { "drain" } } })
    server.await(function() return ended end)
    assert.are.same({ "protocol", "utf8", "abc" },
      { ended.kind, ended.code, got })
    server.finish(s)
  end)

  it("that goes away in the middle takes the rest with it", function()
    local s = server.listen {}
    local seen = {}
    function s:onfragment(ws, data)
      seen[#seen + 1] = data
      ws.onfragment = nil
      s.onfragment = nil
      s.onmessage = function(_, _, m) seen[#seen + 1] = m end
    end
    local ws = wss.connect(s.url)
    local writer = ws:stream "text"
    writer:write "one"
    server.await(function() return #seen == 1 end)
    writer:finish "two"
    ws:send "three"
    server.await(function() return #seen == 2 end)
    assert.are.same({ "one", "three" }, seen)
    ws.onclose = function() end
    ws:close()
    server.finish(s)
  end)

  it("raising closes with 1011, as every handler", function()
    local s = server.listen {}
    function s:onfragment() error "no" end
    local heard
    wss.onerror = function(err) heard = err end
    local ws = wss.connect(s.url)
    ws:send "x"
    local code
    function ws:onclose(c) code = c end
    server.await(function() return code end)
    assert.are.equal(1011, code)
    assert.matches("no", heard)
    wss.onerror = nil
    server.finish(s)
  end)

  if not variant then
    for _, flag in ipairs { "", "--compress" } do
      it("lets a message through that is larger than memory " .. flag,
        function()
          local words = { "lua5.4", "spec/long/stream.lua", "--mib=128" }
          if flag ~= "" then words[4] = flag end
          local output, status = process.run(words)
          assert.are.same({ "exit", 0, "" },
            { status.how, status.code, status.stderr })
          assert.matches("^128 MiB through client and server", output)
        end)
    end
  end

  it("leaves nothing behind", function() client.zero_ledger() end)
end)
