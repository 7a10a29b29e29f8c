local certs = require "spec.support.certs"
local peers = require "spec.support.peers"
local process = require "spec.support.process"
local wss = require "uvwss"

local python = "/usr/bin/python3"
local tls = certs "server"

local function frame_server(port, rate)
  return process.start { python, "examples/frames/server.py",
    "--port", port, "--rate", rate, "--cert", tls.cert, "--key", tls.key }
end

local function frame_client(port, count, ca, ...)
  return process.start { "lua5.4", "examples/frames/client.lua",
    ("wss://127.0.0.1:%d/"):format(port), ca or certs.ca, count, ready = false,
    ... }
end

-- One of our own servers; `url` has port 0.
local function our_server(name, url, ...)
  return process.start { "lua5.4", "examples/" .. name, url,
    ready = "^listening on .*:(%d+)$", ... }
end

-- Certificates as `uvwss certs` makes them.
local function made_certs()
  local dir = process.directory()
  local _, status = process.run { "bin/uvwss", "certs", dir.path }
  assert.are.equal(0, status.code, status.stderr)
  return dir
end

local function uvwss(input, ...)
  local words = { "bin/uvwss", ... }
  local dir <close> = process.directory()
  words.stdin = process.write_file(dir.path .. "/input", input)
  local output, status = process.run(words)
  return output, status.code, status.stderr
end

-- The lines of a child up to one that matches, that one included; or all.
local function lines_of(child, last)
  local list = {}
  for line in child.line, child do
    list[#list + 1] = line
    if last and line:find(last) then break end
  end
  return table.concat(list, "\n") .. "\n"
end

local function is_empty(dir)
  return (process.run { "ls", "-A", dir.path }) == ""
end

describe("the example of frames", function()
  it("registers again and misses nothing when its server was killed",
    function()
      local server = frame_server(0, 1000)
      local client <close> = frame_client(server.port, 6000)
      local before = lines_of(client, "^1000 frames$")
      server:stop "KILL"
      local second <close> = frame_server(server.port, 0)
      local after = lines_of(client)
      local how, status = client:wait()
      assert.matches("connected to 127.0.0.1:%d+ at dial 1: TLSv1.3, ", before)
      assert.matches("chain: CN=server.test <%- CN=uvwss test intermediate "
        .. "<%- CN=uvwss test CA\n", before)
      assert.matches("registered demo 0\n", before)
      assert.matches("lost it: .-; attempt 1 in", after)
      assert.matches("connected to .-: registered demo %d%d%d%d\n", after)
      assert.matches("\n6000 of 6000 frames, 3828084 bytes of payload, "
        .. "2 connections: every frame once, in order", after)
      assert.are.same({ "exit", 0 }, { how, status })
      assert.matches("^registered demo, from frame %d%d%d%d on$",
        second:line())
    end)

  it("does not take what is damaged, cut, or out of turn", function()
    local good = process.run { python, "-c", "import sys; "
      .. "sys.path.insert(0, 'examples/frames'); import server; "
      .. "print(server.frame(1).hex())" }
    for _, case in ipairs {
      { "00000001000000006100000000", "its checksum is wrong" },
      { "000000020000000061e8b7be43", "of another length than it says" },
      { "0000", "shorter than an empty frame" },
      { good:match "%x+", "frame 0 was due, and came frame 1\n" },
    } do
      local server <close> = peers.raw(
        { { { "tls" }, { "upgrade" }, { "frame", 2, case[1] }, { "until", 8 } } },
        { tls = tls })
      local client <close> = frame_client(server.port, 10)
      local said = lines_of(client)
      assert.are.same({ "exit", 1 }, { client:wait() })
      assert.matches("0 of 10 frames, .*" .. case[2]:gsub("%p", "%%%0"), said)
    end
  end)

  it("is refused where it does not register", function()
    local server <close> = frame_server(0, 0)
    local code, reason
    local ws = wss.connect(("wss://127.0.0.1:%d/"):format(server.port),
      { tls = { ca = certs.ca } })
    ws:send "good day"
    function ws:onclose(...) code, reason = ... end
    wss.run()
    assert.are.same({ 1008, "register NAME FROM is wanted first" },
      { code, reason })
  end)
end)

describe("the server of frames", function()
  local dir, server
  setup(function()
    dir = made_certs()
    server = process.start { "lua5.4", "examples/frames/server.lua",
      "wss://127.0.0.1:0", dir.path, 0 }
  end)
  teardown(function()
    server:stop()
    dir:remove()
  end)

  it("serves a client that has a certificate", function()
    local client <close> = frame_client(server.port, 1500,
      dir.path .. "/ca.crt", dir.path .. "/client.crt",
      dir.path .. "/client.key")
    local said = lines_of(client)
    assert.are.same({ "exit", 0 }, { client:wait() })
    assert.matches("\n1500 of 1500 frames, %d+ bytes of payload, "
      .. "1 connection: every frame once, in order", said)
    assert.matches("^registered demo, from frame 0 on: CN=client,",
      server:line())
  end)

  it("refuses one that has none, and one of another CA", function()
    for _, case in ipairs {
      { code = "tls/tlsv13_alert_certificate_required",
        why = "tls/peer_did_not_return_a_certificate" },
      { code = "tls/tlsv1_alert_unknown_ca", why = "certificate/unknown_issuer",
        certs "client".cert, certs "client".key },
    } do
      local client <close> = frame_client(server.port, 10,
        dir.path .. "/ca.crt", table.unpack(case))
      local said = lines_of(client)
      assert.are.same({ "exit", 1 }, { client:wait() })
      assert.matches("^refused, " .. case.code .. ": ", said)
      assert.matches("^refused, " .. case.why .. ": ", server:line())
    end
  end)

  it("goes on from any frame, and makes what the other server makes",
    function()
      local ws <close> = wss.connect(("wss://127.0.0.1:%d/"):format(
        server.port), { tls = { ca = dir.path .. "/ca.crt",
          cert = dir.path .. "/client.crt", key = dir.path .. "/client.key" } })
      ws:send "register spec 498"
      assert.are.equal("registered spec 498", assert(ws:receive(60)))
      for number = 498, 500 do
        local data, kind = assert(ws:receive(60))
        assert.are.equal("binary", kind)
        local checked = process.run { python, "-c", "import sys, zlib; "
          .. "sys.path.insert(0, 'examples/frames'); import server; "
          .. "print(len(server.frame(int(sys.argv[1]))))", number }
        assert.are.equal(#data, math.tointeger(tonumber(checked)))
        assert.are.equal(number, (">I4"):unpack(data, 5))
      end
    end)

  it("wants a registration, and only one", function()
    for _, words in ipairs { { "good day" }, { "register a -1" },
      { "register a 4294967296" }, { "register a 0", "register a 0" } } do
      local ws <close> = wss.connect(("wss://127.0.0.1:%d/"):format(
        server.port), { tls = { ca = dir.path .. "/ca.crt",
          cert = dir.path .. "/client.crt", key = dir.path .. "/client.key" } })
      for _, word in ipairs(words) do ws:send(word) end
      local data, err
      repeat data, err = ws:receive(60) until not data
      assert.are.same({ 1008, "register NAME FROM is wanted first" },
        { err.close, err.reason })
    end
  end)
end)

describe("the echo server", function()
  it("sends back", function()
    local server <close> = our_server("echo.lua", "ws://127.0.0.1:0")
    assert.are.equal("one\ntwo\n", (uvwss("one\ntwo\n", "connect", "--wait", "3",
      ("ws://127.0.0.1:%d/"):format(server.port))))
  end)

  it("has TLS if it has a certificate", function()
    local server <close> = our_server("echo.lua", "wss://127.0.0.1:0", tls.cert,
      tls.key)
    assert.are.equal("one\n", (uvwss("one\n", "connect", "--wait", "3", "--ca", certs.ca,
      ("wss://127.0.0.1:%d/"):format(server.port))))
  end)
end)

describe("the chat", function()
  local server, url
  before_each(function()
    server = our_server("chat/server.lua", "ws://127.0.0.1:0")
    url = ("ws://127.0.0.1:%d/"):format(server.port)
  end)
  after_each(function() server:stop() end)

  -- What comes up to a line, that one included.
  local function until_line(ws, last)
    local lines = {}
    repeat
      lines[#lines + 1] = assert(ws:receive(60))
    until lines[#lines] == last
    return lines
  end

  it("names the address of its page, which is served there", function()
    local page = server:line():match "^open (http://.*/) in a browser$"
    local output, status = process.run { python, "-c", "import sys; "
      .. "from urllib.request import urlopen; r = urlopen(sys.argv[1]); "
      .. "print(r.headers['content-type']); "
      .. "sys.stdout.write(r.read().decode())", page }
    assert.are.equal(0, status.code, status.stderr)
    assert.are.equal("text/html; charset=utf-8\n"
      .. process.read_file "examples/chat/index.html", output)
    assert.matches("new WebSocket", output, 1, true)
  end)

  it("tells everybody what each says, and who comes last what was said",
    function()
      local ann <close> = wss.connect(url .. "?name=Ann%20%C3%84")
      until_line(ann, "* Ann Ä comes in")
      local bob <close> = wss.connect(url .. "?x=1&name=Bob")
      until_line(bob, "* Bob comes in")
      ann:send "hello\27[2J"
      assert.are.same({ "* Bob comes in", "Ann Ä: hello [2J" },
        until_line(ann, "Ann Ä: hello [2J"))
      bob:send(("ä"):rep(501))
      assert.are.same({ "Bob: " .. ("ä"):rep(500) },
        until_line(ann, "Bob: " .. ("ä"):rep(500)))
      bob:close()
      until_line(ann, "* Bob has left")
      local cid <close> = wss.connect(url)
      assert.are.same({ "* Ann Ä comes in", "* Bob comes in",
        "Ann Ä: hello [2J", "Bob: " .. ("ä"):rep(500), "* Bob has left",
        "* somebody comes in" }, until_line(cid, "* somebody comes in"))
    end)

  it("lets no other site's page in", function()
    local own = "http://127.0.0.1:" .. server.port
    for _, case in ipairs { { own }, { "http://evil.example", 403 },
      { "https://127.0.0.1:" .. server.port, 403 }, { "null", 403 } } do
      local ws <close> = wss.connect(url, { origin = case[1] })
      local data, err = ws:receive(60)
      assert.are.equal(case[2], err and err.status, case[1])
      assert.are.equal(case[2] == nil, data ~= nil)
    end
  end)
end)

describe("the server with a rotating certificate", function()
  it("takes a new one when the files change, and drops nobody", function()
    local dir <close> = made_certs()
    local cert, key = dir.path .. "/server.crt", dir.path .. "/server.key"
    local server <close> = our_server("rotate.lua", "wss://127.0.0.1:0", cert,
      key, 0.05)
    local url = ("wss://127.0.0.1:%d/"):format(server.port)
    local options = { tls = { ca = dir.path .. "/ca.crt" } }
    local old <close> = wss.connect(url, options)
    old:send "one"
    assert.are.equal("one", assert(old:receive(60)))
    -- A key that is not the certificate's changes nothing.
    local good = process.read_file(key)
    process.write_file(key, process.read_file(dir.path .. "/client.key"))
    assert.matches("^the old certificate stays: ", server:line())
    process.write_file(key, good)
    local _, status = process.run { "bin/uvwss", "certs", "--force", "-q",
      dir.path }
    assert.are.equal(0, status.code)
    repeat
      local line = assert(server:line())
    until line == "a new certificate"
    local new <close> = wss.connect(url, options)
    new:send "two"
    assert.are.equal("two", assert(new:receive(60)))
    assert.are_not.equal(old.tls.chain[1].sha256, new.tls.chain[1].sha256)
    assert.are.equal(new.tls.chain[1].pem:gsub("%s", ""),
      (process.read_file(cert):match "^.-%-%-%-%-%-END CERTIFICATE%-%-%-%-%-"
        :gsub("%s", "")))
    old:send "three"
    assert.are.equal("three", assert(old:receive(60)))
  end)
end)

describe("the demo", function()
  local function demo(env)
    local dir = process.directory()
    env = env or {}
    env.TMPDIR = dir.path
    local output, status = process.run { "sh", "examples/demo.sh", env = env }
    assert.is_true(is_empty(dir))
    return output, status
  end

  it("verifies, carries on, refuses, and says so", function()
    local output, status = demo()
    assert.are.equal("", status.stderr)
    assert.are.equal(0, status.code)
    assert.matches("client | 6000 of 6000 frames", output, 1, true)
    assert.matches("client | refused, certificate/unknown_issuer: [^\n]* "
      .. "trusted", output)
    assert.matches("client | 3000 of 3000 frames", output, 1, true)
    assert.matches("client | refused, tls/tlsv13_alert_certificate_required",
      output, 1, true)
    assert.matches("all as it should be: verified, carried on, refused\n",
      output)
    assert.matches("\n    demo | a chat, for your browser: "
      .. "http://127.0.0.1:%d+/ [^\n]*\n$", output)
  end)

  it("fails when its client does something else", function()
    local _, status = demo { CLIENT = "false" }
    assert.are.equal(1, status.code)
    assert.matches("the client was not content", status.stderr)
    _, status = demo { CLIENT = "true" }
    assert.are.equal(1, status.code)
    assert.matches("the client spoke to the impostor", status.stderr)
  end)

  it("leaves the chat running with --stay, until it is interrupted",
    function()
      local dir = process.directory()
      local child <close> = process.start { "sh", "examples/demo.sh", "--stay",
        env = { TMPDIR = dir.path }, ready = false }
      local said = lines_of(child, "Ctrl%-C")
      local port = said:match "http://127.0.0.1:(%d+)/ %("
      if not port then child:fail("no chat:\n" .. said) end
      local ws <close> = wss.connect(("ws://127.0.0.1:%s/?name=demo")
        :format(port))
      ws:send "still there"
      repeat said = assert(ws:receive()) until said == "demo: still there"
      ws:close()
      wss.run()
      child:signal "INT"
      lines_of(child)
      assert.are.same({ "exit", 0 }, { child:wait() })
      assert.is_true(is_empty(dir))
    end)

  it("leaves nothing behind when it is interrupted", function()
    local dir = process.directory()
    local child <close> = process.start { "sh", "examples/demo.sh",
      env = { TMPDIR = dir.path }, ready = "listens on 127.0.0.1:(%d+)" }
    lines_of(child, "1000 frames")
    child:signal "TERM"
    lines_of(child)
    assert.are.same({ "exit", 143 }, { child:wait() })
    assert.is_true(is_empty(dir))
    local ws, err = wss.connect(("ws://127.0.0.1:%d/"):format(child.port))
    function ws:onclose(_, _, e) err = e end
    wss.run()
    assert.are.equal("ECONNREFUSED", err.code)
  end)
end)

-- ---- what is printed in the documents ---------------------------------------

local function blocks(name, language)
  local list = {}
  local text = assert(process.read_file(name))
  for kind, body in text:gmatch "\n```(%l+)\n(.-)\n```" do
    if kind == language then list[#list + 1] = body end
  end
  return list
end

-- Those that begin with the module are complete; the others are pieces.
local function programs(name)
  local whole, pieces = {}, {}
  for _, body in ipairs(blocks(name, "lua")) do
    table.insert(body:find("require \"uvwss\"", 1, true) and whole or pieces,
      body)
  end
  return whole, pieces
end

-- Run a program as it is printed, but for the peer's address; its output.
local function run(body, port, folder)
  local dir <close> = process.directory()
  body = body:gsub("feed%.example", "127.0.0.1:" .. port)
    :gsub("127%.0%.0%.1:8443", "127.0.0.1:" .. port)
    :gsub("/tmp/certs", ((folder or certs.dir):gsub("%%", "%%%%")))
  local name = process.write_file(dir.path .. "/program.lua", body)
  local output, status = process.run { "timeout", "60", "lua5.4", name,
    env = { SSL_CERT_FILE = certs.ca } }
  assert.are.same({ "exit", 0, "" },
    { status.how, status.code, status.stderr })
  return output
end

describe("every Lua block", function()
  for _, name in ipairs { "README.md", "docs/reference.md" } do
    it("of " .. name .. " is Lua", function()
      local list = blocks(name, "lua")
      assert.is_true(#list > 0)
      for _, body in ipairs(list) do assert(load(body, "=" .. name, "t")) end
    end)
  end
end)

describe("README.md", function()
  local whole, pieces = programs "README.md"
  local shell = blocks("README.md", "sh")

  it("has three programs, which are run here, and no other", function()
    assert.are.same({ 3, 0 }, { #whole, #pieces })
  end)

  it("has a program, and what it needs, that work as they stand", function()
    local commands = shell[1]
    local name = whole[1]:match "^%-%- (%S+)"
    assert.matches("\nuvwss certs /tmp/certs .*\nlua5.4 " .. name .. "$",
      commands)
    local made <close> = made_certs()
    -- Its own server: any port will do.
    local body = whole[1]:gsub("%(\"wss://127.0.0.1:8443\"",
      "(\"wss://127.0.0.1:0\"")
      :gsub("\"wss://127.0.0.1:8443/\"", "server.url .. \"/\"")
    local output = run(body, 0, made.path)
    assert.are.equal("TLSv1.3, CN=localhost,O=uvwss development\n"
      .. "text\tHELLO\nclosed\t1000\tnil\n", output)
    assert.matches("It prints\n\n" .. output:gsub("[^\n]+", "    %0") .. "\n",
      process.read_file "README.md", 1, true)
  end)

  it("has a script for the command's server", function()
    local made <close> = made_certs()
    local server <close> = process.start { "bin/uvwss", "serve", "--certs",
      made.path, "wss://127.0.0.1:0", ready = "^listening on .*:(%d+)$" }
    assert.are.equal("line 1\ttext\n6\tline 2\n6\tline 3\n",
      run(whole[2], server.port, made.path))
  end)

  it("has a server that publishes", function()
    local body = whole[3]:gsub("localhost:8080", "localhost:0")
      :gsub("wss.timer%(1, (.-), 1%)", [[
      wss.timer(0.01, %1, 0.01)
      for _, path in ipairs { "/news", "/none" } do
        local ws = wss.connect(server.url .. path)
        function ws:onmessage(data) print(data) self:close() end
        function ws:onclose(_, _, err)
          print(path, err and err.status)
          if path == "/news" then os.exit(true, true) end
        end
      end]])
    local output = run(body, 0)
    assert.matches("/none\t404\n", output)
    assert.matches("%d\n/news\tnil\n", output)
  end)

  it("quotes a refusal's sentence as it is", function()
    local server <close> = peers.echo { tls = tls }
    local ws, err = wss.connect(("wss://127.0.0.1:%d/"):format(server.port),
      { tls = { ca = certs.ca, server_name = "example.test" } })
    function ws:onclose(_, _, e) err = e end
    wss.run()
    assert.are.same({ "certificate", "hostname_mismatch" },
      { err.kind, err.code })
    assert.matches("\n\n    " .. tostring(err) .. "\n\n",
      process.read_file "README.md", 1, true)
  end)

  it("names targets of make, files and folders that exist", function()
    local text = process.read_file "README.md"
    local help = process.run { "make", "-s", "help" }
    for target in text:gmatch "`make (%l+)`" do
      assert.matches("\n" .. target .. " ", "\n" .. help, 1, true)
    end
    for path in text:gmatch "| `([%l/]+)/` |" do
      assert.is_truthy(os.rename(path, path), path)
    end
    for path in text:gmatch "%]%(([^)#]+)%)" do
      assert.is_truthy(process.read_file(path), path)
    end
  end)
end)

describe("docs/reference.md", function()
  local whole, pieces = programs "docs/reference.md"

  it("has three programs and two pieces, which are run here", function()
    assert.are.same({ 3, 2 }, { #whole, #pieces })
  end)

  it("tells how to look a month ahead", function()
    local body = "local wss = require \"uvwss\"\n" .. pieces[1]
      :gsub("\"ca%.crt\"", ("%q"):format(certs.ca))
      :gsub("\"server%.crt\"", ("%q"):format(tls.cert))
    assert.are.equal("good for a month\n", run(body, 0))
  end)

  it("begins with a program that works", function()
    local server <close> = peers.echo { tls = tls }
    assert.are.equal("subscribe\nclosed\t1000\t\n",
      run(whole[1], server.port))
  end)

  it("has the same as a script, which works too", function()
    local server <close> = peers.echo { tls = tls, close_after = 1 }
    assert.are.equal("text\t9\nclosed in good order\n",
      run(whole[2], server.port))
  end)

  it("has a server of frames for those with a certificate", function()
    local body = whole[3]:gsub("0%.0%.0%.0:8443", "127.0.0.1:0")
      :gsub("server%.crt", tls.cert):gsub("server%.key", tls.key)
      :gsub("clients%.crt", certs.ca):gsub("\nwss.run", [[

      local tls = { ca = "]] .. certs.ca .. [[", cert = "]]
        .. certs "client".cert .. [[", key = "]] .. certs "client".key .. [[" }
      for _, path in ipairs { "/frames", "/none" } do
        local ws = wss.connect(server.url .. path,
          { tls = tls, subprotocols = { "frames.v1" } })
        function ws:onopen() self:send "frame" end
        function ws:onmessage(data)
          print(data, self.subprotocol)
          self:close()
        end
        function ws:onclose(_, _, err)
          print(path, err and err.status)
          if path == "/frames" then server:close() end
        end
      end
      wss.run]])
    local output = run(body, 0)
    assert.matches("/none\t404\n", output)
    assert.matches("frame\tframes.v1\n", output)
    assert.matches("127.0.0.1\t1000\tnil\n", output)
    assert.matches("/frames\tnil\n", output)
  end)

  it("tells how to drive the loop from another", function()
    local fired, polled = 0, 0
    wss.timer(0.001, function() fired = fired + 1 end)
    assert(load(pieces[2], "=piece", "t", { wss = wss,
      poll = function(fd, seconds)
        assert.are.equal("number", type(fd))
        assert.is_true(seconds >= 0)
        polled = polled + 1
      end }))()
    assert.are.equal(1, fired)
    assert.is_true(polled > 0)
  end)
end)
