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

local function frame_client(port, count)
  return process.start { "lua5.4", "examples/frames/client.lua",
    ("wss://127.0.0.1:%d/"):format(port), certs.ca, count, ready = false }
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
    assert.matches("client | refused, certificate/unknown_issuer: "
      .. "[^\n]*\"another CA\"[^\n]* trusted", output)
    assert.matches("all as it should be: verified, carried on, refused\n$",
      output)
  end)

  it("fails when its client does something else", function()
    local _, status = demo { LUA = "false" }
    assert.are.equal(1, status.code)
    assert.matches("the client was not content", status.stderr)
    _, status = demo { LUA = "true" }
    assert.are.equal(1, status.code)
    assert.matches("the client spoke to the impostor", status.stderr)
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
local function run(body, port)
  local dir <close> = process.directory()
  body = body:gsub("feed%.example", "127.0.0.1:" .. port)
    :gsub("127%.0%.0%.1:8443", "127.0.0.1:" .. port)
    :gsub("/tmp/certs", (certs.dir:gsub("%%", "%%%%")))
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

  it("has two programs, which are run here, and no other", function()
    assert.are.same({ 2, 0 }, { #whole, #pieces })
  end)

  it("has a program, and what it needs, that work as they stand", function()
    local commands = shell[1]
    assert.matches("sh spec/certs/make.sh /tmp/certs\n", commands, 1, true)
    assert.matches("lua5.4 " .. whole[1]:match "^%-%- (%S+)", commands, 1, true)
    local command = commands:match "\n(examples/frames/server.py.-) &\n"
      :gsub("8443", "0"):gsub("/tmp/certs", (certs.dir:gsub("%%", "%%%%")))
    local server <close> = process.start { "sh", "-c", "exec " .. command }
    local output = run(whole[1], server.port)
    assert.matches("^connected to CN=server.test, TLSv1.3\n"
      .. "text\t19\nbinary\t12\nbinary\t19\nbinary\t26\nclosed\t1000\tnil\n$",
      output)
    output = run(whole[2], server.port)
    assert.matches("^registered script 0\ttext\n0\t0\n1\t7\n2\t14\n$", output)
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

  it("has two programs and one piece, which are run here", function()
    assert.are.same({ 2, 1 }, { #whole, #pieces })
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

  it("tells how to drive the loop from another", function()
    local fired, polled = 0, 0
    wss.timer(0.001, function() fired = fired + 1 end)
    assert(load(pieces[1], "=piece", "t", { wss = wss,
      poll = function(fd, seconds)
        assert.are.equal("number", type(fd))
        assert.is_true(seconds >= 0)
        polled = polled + 1
      end }))()
    assert.are.equal(1, fired)
    assert.is_true(polled > 0)
  end)
end)
