local certs = require "spec.support.certs"
local command = require "spec.support.command"
local json = require "dkjson"
local process = require "spec.support.process"
local wss = require "uvwss"

local python = "/usr/bin/python3"

-- `uvwss serve …`, listening.
local function serve(...)
  return process.start { "bin/uvwss", "serve", ready = "^listening on .*:(%d+)$",
    ... }
end

-- The same with --json; its first line is `child.first`.
local function serve_json(...)
  local child = process.start { "bin/uvwss", "serve", "--json", ready = false,
    ... }
  local line = child:line()
  if not line then child:fail "it does not listen" end
  child.first = assert(json.decode(line))
  child.port = child.first.port
  return child
end

-- Its next event of that name.
local function event(child, name)
  for line in child.line, child do
    local told = assert(json.decode(line))
    if told.event == name then return told end
  end
  error("never told: " .. name, 2)
end

local function url(child, scheme)
  return ("%s://127.0.0.1:%d/"):format(scheme or "ws", child.port)
end

-- Connect; returns the WebSocket once it is open. What ends it is at `ended`.
local function connect(where, options)
  local ws = wss.connect(where, options)
  ws.ended = false
  function ws:onclose(...) self.ended = { ... } end
  while ws.state == "connecting" do wss.step() end
  assert(ws.state == "open", ws.ended and tostring(ws.ended[3]))
  return ws
end

local function run_until(test)
  local timer = wss.timer(60, function() error "nothing came of it" end)
  while not test() do
    wss.step()
    wss.sleep(0.001)
  end
  timer:cancel()
end

local function echo(where, options, data, kind)
  local got
  local ws = wss.connect(where, options)
  ws:send(data or "hello", kind or "text")
  function ws:onmessage(...)
    got = { ... }
    self:close()
  end
  local err
  function ws:onclose(_, _, e) err = e end
  wss.run()
  return got, err
end

-- Exit status and standard error of a server that is told to end.
local function finish(child, signal)
  child:signal(signal or "TERM")
  local how, code = child:wait()
  assert.equal("exit", how)
  return code, child:stderr()
end

describe("uvwss serve", function()
  it("sends messages back, and says who came and went", function()
    local child <close> = serve "ws://127.0.0.1:0"
    assert.same({ "hello", "text" }, echo(url(child)))
    assert.same({ "\0\xFF", "binary" }, echo(url(child), nil, "\0\xFF",
      "binary"))
    local code, said = finish(child)
    assert.equal(0, code)
    local line = "uvwss: 127%.0%.0%.1 port %d+: "
    assert.matches("^" .. line .. "open\n" .. line .. "closed with 1000\n"
      .. line .. "open\n" .. line .. "closed with 1000\n$", said)
  end)

  it("says less with --quiet", function()
    local child <close> = serve("-q", "ws://127.0.0.1:0")
    assert.same({ "hello", "text" }, echo(url(child)))
    assert.same({ 0, "" }, { finish(child) })
  end)

  it("reads nothing from whom does not read", function()
    local child <close> = serve("-q", "ws://127.0.0.1:0")
    local ws = connect(url(child), { max_buffered = 1 << 30 })
    local data, count, sent = ("x"):rep(1 << 20), 100, 0
    ws:pause()
    for _ = 1, count do
      ws:send(data, "binary", function() sent = sent + 1 end)
    end
    -- What the kernel holds, and a message or two: the rest stays with us.
    local before
    repeat
      before = sent
      wss.sleep(0.3)
    until sent == before and sent > 0
    assert.is_true(sent < count)
    local came = 0
    function ws:onmessage(bytes)
      assert(bytes == data)
      came = came + 1
      if came == count then self:close() end
    end
    ws:resume()
    wss.run()
    assert.equal(count, came)
  end)

  it("broadcasts to everybody", function()
    local child <close> = serve("--broadcast", "ws://127.0.0.1:0")
    local got, all = {}, {}
    for i = 1, 3 do
      all[i] = connect(url(child))
      all[i].onmessage = function(_, data) table.insert(got, i .. data) end
    end
    all[2]:send "x"
    run_until(function() return #got == 3 end)
    table.sort(got)
    assert.same({ "1x", "2x", "3x" }, got)
    for _, ws in ipairs(all) do ws:close() end
    wss.run()
  end)

  it("agrees to subprotocols, looks at origins, and bounds messages",
    function()
      local child <close> = serve("--subprotocol", "a", "--subprotocol", "b",
        "--origin", "https://good.example", "--max-message", "1K",
        "ws://127.0.0.1:0")
      local ws = connect(url(child), { subprotocols = { "x", "b" },
        origin = "https://good.example" })
      assert.equal("b", ws.subprotocol)
      ws:send(("x"):rep(1025))
      wss.run()
      assert.equal(1009, ws.ended[1])
      local _, err = echo(url(child), { origin = "https://bad.example" })
      assert.equal(403, err.status)
      local _, said = finish(child)
      assert.matches("open, subprotocol b\n", said)
      assert.matches("port %d+: lost: [^\n]*max_message", said)
      assert.matches("port %d+: refused: [^\n]*Origin", said)
    end)

  it("listens on a local socket", function()
    local dir <close> = process.directory()
    local where = "ws+unix://" .. dir.path .. "/socket"
    local child <close> = process.start { "bin/uvwss", "serve", where,
      ready = "^listening on (ws%+unix:.*)$" }
    assert.same({ "hello", "text" }, echo(where))
    local code, said = finish(child)
    assert.equal(0, code)
    assert.matches("^uvwss: local: open\n", said)
  end)

  it("tells programs what happens", function()
    local child <close> = serve_json("--certs", certs.dir, "--client-ca",
      certs.ca, "wss://127.0.0.1:0")
    assert.same({ event = "listening", port = child.port,
      url = "wss://127.0.0.1:" .. child.port }, child.first)
    local own = certs "client"
    assert.is_truthy(echo(url(child, "wss") .. "x?y=z",
      { tls = { ca = certs.ca, cert = own.cert, key = own.key } }))
    local open, close = event(child, "open"), event(child, "close")
    assert.same({ "/x", "y=z", "TLSv1.3" },
      { open.path, open.query, open.tls.version })
    assert.matches("^CN=client", open.tls.client)
    assert.same({ 1000, true }, { close.code, close.clean })
    assert.same(open.peer, close.peer)
    echo(url(child, "wss"), { tls = { ca = certs.ca } })
    local refused = event(child, "refused")
    assert.same({ "tls", "127.0.0.1" },
      { refused.error.kind, refused.peer.ip })
    assert.matches("certificate", refused.error.message)
    assert.same({ 0, "" }, { finish(child) })
  end)

  it("demands certificates of clients, and says whom it refused", function()
    local child <close> = serve("--cert", certs "server".cert, "--key",
      certs "server".key, "--client-ca", certs.ca, "wss://127.0.0.1:0")
    local _, err = echo(url(child, "wss"), { tls = { ca = certs.ca } })
    assert.same({ "tls", "tlsv13_alert_certificate_required" },
      { err.kind, err.code })
    local own = certs "client"
    assert.is_truthy(echo(url(child, "wss"),
      { tls = { ca = certs.ca, cert = own.cert, key = own.key } }))
    local _, said = finish(child)
    assert.matches("^uvwss: 127%.0%.0%.1 port %d+: refused: a client's "
      .. "certificate is required", said)
    assert.matches("port %d+: open, TLSv1%.3, client CN=client", said)
  end)

  it("goes on when nobody reads what it prints", function()
    local dir <close> = process.directory()
    local child <close> = process.start { "sh", "-c", 'mkfifo "$1"; '
      .. '{ read -r line <"$1"; echo "$line"; } & '
      .. 'exec bin/uvwss serve --json ws://127.0.0.1:0 >"$1"', "sh",
      dir.path .. "/fifo", ready = '"port":(%d+)' }
    assert.is_nil(child:line()) -- its reader has gone
    for _ = 1, 3 do
      assert.same({ "hello", "text" }, echo(url(child)))
    end
    assert.equal(0, (finish(child)))
  end)

  for _, signal in ipairs { "TERM", "INT", "HUP" } do
    it("ends well with SIG" .. signal, function()
      local child <close> = serve("-q", "ws://127.0.0.1:0")
      local ws = connect(url(child))
      child:signal(signal)
      wss.run()
      assert.same({ 1001 }, { ws.ended[1], ws.ended[3] })
      assert.same({ "exit", 0 }, { child:wait() })
    end)
  end


  it("ends at once with a second signal", function()
    local child <close> = serve_json "ws://127.0.0.1:0"
    local ws = connect(url(child))
    event(child, "open")
    local begun = os.time()
    child:signal "TERM"
    -- Our client, whose loop does not run, answers no close: the server would
    -- wait for five seconds. It has begun once nobody is accepted any more.
    assert.equal("refused\n", (process.run { python, "-c", [[
import socket, sys
while True:
    try:
        socket.create_connection(("127.0.0.1", int(sys.argv[1]))).close()
    except ConnectionRefusedError:
        break
print("refused")]], child.port }))
    child:signal "TERM"
    assert.is_false(event(child, "close").clean)
    assert.same({ "exit", 0 }, { child:wait() })
    assert.is_true(os.time() - begun < 5)
    wss.run()
    assert.is_truthy(ws.ended)
  end)

  it("says why it cannot listen", function()
    local first <close> = serve("ws://127.0.0.1:0")
    local where = "ws://127.0.0.1:" .. first.port
    local output, status = command.run { "serve", where }
    assert.same({ "", 1 }, { output, status.code })
    assert.matches("^uvwss: could not listen on [^\n]*address already in use",
      status.stderr)
    status = select(2, command.run { "serve", "--certs", "/nowhere" })
    assert.equal(1, status.code)
    assert.matches("/nowhere/server%.crt", status.stderr)
    status = select(2, command.run { "serve", "--static", "/nowhere" })
    assert.equal(1, status.code)
    assert.matches("^uvwss: cannot serve '/nowhere': there is no such folder\n",
      status.stderr)
    local objects
    objects, status = command.json { "serve", "--json", where }
    assert.equal(1, status.code)
    assert.same({ "error", "connect", "EADDRINUSE" }, { objects[1].event,
      objects[1].error.kind, objects[1].error.code })
  end)
end)

-- ---- static pages ------------------------------------------------------------

-- Requests exactly as they are given; for each a table of what came.
local requester = [[
import http.client, json, sys
out = []
for word in sys.argv[2:]:
    method, path = word.split(" ", 1)
    c = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=60)
    c._validate_path = lambda url: None
    c.putrequest(method, path)
    c.endheaders()
    r = c.getresponse()
    out.append({"status": r.status, "body": r.read().decode("latin-1"),
                "headers": {k.lower(): v for k, v in r.getheaders()}})
    c.close()
print(json.dumps(out))
]]

local function request(port, words)
  local output, status = process.run { python, "-c", requester, port,
    table.unpack(words) }
  assert.equal(0, status.code, status.stderr)
  return assert(json.decode(output))
end

describe("uvwss serve --static", function()
  local dir, child, long
  setup(function()
    dir = process.directory()
    local root = dir.path .. "/root"
    assert(os.execute(("mkdir -p %s/sub/empty %s/.git %s/.well-known"):format(
      root, root, root)))
    long = ("0123456789"):rep(30000)
    process.write_file(dir.path .. "/secret", "no")
    process.write_file(root .. "/index.html", "<p>root")
    process.write_file(root .. "/a b.txt", "blank")
    process.write_file(root .. "/100%.txt", "percent")
    process.write_file(root .. "/empty.css", "")
    process.write_file(root .. "/LONG.BIN", long)
    process.write_file(root .. "/.git/config", "no")
    process.write_file(root .. "/.hidden", "no")
    process.write_file(root .. "/.well-known/x.json", "{}")
    process.write_file(root .. "/sub/index.html", "<p>sub")
    assert(os.execute(("cd %s && ln -s ../secret out && ln -s / all && "
      .. "ln -s sub/index.html in.html && mkfifo fifo"):format(root)))
    child = serve("--static", root, "ws://127.0.0.1:0")
  end)
  teardown(function()
    child:stop()
    dir:remove()
  end)

  it("answers with files and their types", function()
    local cases = {
      { "/", "<p>root", "text/html; charset=utf-8" },
      { "/?a=b", "<p>root", "text/html; charset=utf-8" },
      { "/index.html", "<p>root", "text/html; charset=utf-8" },
      { "/sub/", "<p>sub", "text/html; charset=utf-8" },
      { "/in.html", "<p>sub", "text/html; charset=utf-8" },
      { "/a%20b.txt", "blank", "text/plain; charset=utf-8" },
      { "/100%25.txt", "percent", "text/plain; charset=utf-8" },
      { "/%73ub/%69ndex.html", "<p>sub", "text/html; charset=utf-8" },
      { "/empty.css", "", "text/css; charset=utf-8" },
      { "/LONG.BIN", long, "application/octet-stream" },
      { "/.well-known/x.json", "{}", "application/json; charset=utf-8" },
    }
    local words = {}
    for i, case in ipairs(cases) do words[i] = "GET " .. case[1] end
    for i, answer in ipairs(request(child.port, words)) do
      local case = cases[i]
      assert.same({ 200, case[3], "nosniff" }, { answer.status,
        answer.headers["content-type"],
        answer.headers["x-content-type-options"] }, case[1])
      assert.is_true(answer.body == case[2], case[1])
    end
  end)

  it("answers HEAD with the same, but for the body", function()
    local answer = request(child.port, { "HEAD /LONG.BIN" })[1]
    assert.same({ 200, "", tostring(#long) }, { answer.status, answer.body,
      answer.headers["content-length"] })
  end)

  it("sends who asks for a folder to the folder", function()
    local answers = request(child.port, { "GET /sub", "GET /sub/empty",
      "GET /sub/empty/" })
    assert.same({ 301, "/sub/" },
      { answers[1].status, answers[1].headers.location })
    assert.same({ 301, "/sub/empty/" },
      { answers[2].status, answers[2].headers.location })
    assert.equal(404, answers[3].status)
  end)

  it("gives nothing that is not below the folder, hidden, or no file",
    function()
      local paths = {
        "/nothing", "/index.html/", "/fifo", "/out", "/all/etc/passwd",
        "/../secret", "/sub/../../secret", "/%2e%2e/secret", "/.%2E/secret",
        "/..%2fsecret", "/%2e%2e%2fsecret", "/..%5csecret", "/sub/..",
        "/sub/../index.html", "/./index.html", "//index.html", "//secret",
        "/sub//index.html", "/" .. dir.path .. "/secret",
        "/%2f" .. dir.path .. "/secret", "/index.html%00", "/%00", "/%",
        "/%2", "/%zz", "/a%20b.txt%", "/.git/config", "/.hidden",
        "/.git", "/%2egit/config", "/.well-known/../index.html",
        "/" .. ("a"):rep(5000),
      }
      local words = {}
      for i, path in ipairs(paths) do words[i] = "GET " .. path end
      for i, answer in ipairs(request(child.port, words)) do
        -- 400, where the engine has refused it before.
        assert.is_true(answer.status == 404 or answer.status == 400,
          paths[i] .. ": " .. answer.status)
        assert.is_nil(answer.body:find("no$"), paths[i])
        assert.is_nil(answer.headers.location)
      end
    end)

  it("upgrades on the same port", function()
    assert.same({ "hello", "text" }, echo(url(child)))
    assert.same({ "hello", "text" }, echo(url(child) .. "sub/"))
  end)

  it("is left out unless it is wanted", function()
    local plain <close> = serve "ws://127.0.0.1:0"
    assert.equal(426, request(plain.port, { "GET /" })[1].status)
  end)
end)

-- ---- workers -----------------------------------------------------------------

local function children_of(pid)
  local list = {}
  local output = process.run { "sh", "-c",
    "grep -l \"^PPid:[[:space:]]*$1\\$\" /proc/[0-9]*/status 2>/dev/null",
    "sh", pid }
  for number in output:gmatch "/proc/(%d+)/" do
    list[#list + 1] = math.tointeger(tonumber(number))
  end
  return list
end

describe("uvwss serve --workers", function()
  -- All of them listen when it returns.
  local function start(count)
    local child = serve_json("--workers", count, "ws://127.0.0.1:0")
    local numbers = {}
    for _ = 2, count do
      local told = event(child, "listening")
      assert.equal(child.port, told.port)
      numbers[#numbers + 1] = told.worker
    end
    table.sort(numbers)
    assert.equal(count - 1, #numbers)
    for i, number in ipairs(numbers) do assert.equal(i + 1, number) end
    return child
  end

  -- None of them is there any more once nobody holds their output.
  local function all_end(child)
    while child:line() do end
  end

  it("shares a port that the first one picked", function()
    local child <close> = start(3)
    assert.equal(2, #children_of(child.pid))
    local seen, count = {}, 0
    for _ = 1, 200 do
      assert.is_truthy(echo(url(child)))
      local who = event(child, "open").worker or 1
      if not seen[who] then
        seen[who], count = true, count + 1
      end
      if count == 3 then break end
    end
    assert.equal(3, count)
    assert.equal(0, (finish(child)))
  end)

  it("ends together, with 1001 to the clients of all", function()
    local child <close> = start(4)
    local all = {}
    for i = 1, 12 do all[i] = connect(url(child)) end
    child:signal "TERM"
    wss.run()
    for _, ws in ipairs(all) do
      assert.same({ 1001 }, { ws.ended[1], ws.ended[3] })
    end
    all_end(child)
    assert.same({ "exit", 0 }, { child:wait() })
  end)

  it("ends with its first process, whatever that dies of", function()
    local child <close> = start(3)
    child:signal "KILL"
    all_end(child)
  end)

  it("ends, and says so, when one of them dies", function()
    local child <close> = start(3)
    local ws = connect(url(child))
    assert(os.execute("kill -KILL " .. children_of(child.pid)[1]))
    local told = event(child, "error")
    assert.matches("worker [23] has ended", told.error.message)
    wss.run()
    assert.is_truthy(ws.ended)
    all_end(child)
    assert.same({ "exit", 1 }, { child:wait() })
  end)

  it("hands its options on to all of them", function()
    local dir <close> = process.directory()
    process.write_file(dir.path .. "/it's", "text")
    local child <close> = serve("--workers", 3, "--static", dir.path,
      "--certs", certs.dir, "--client-ca", certs.ca, "--client-ca",
      certs.file "other-ca.crt", "--max-message=1K", "--quiet",
      "wss://localhost:0")
    local own = certs "client"
    local ok = 0
    for _ = 1, 12 do
      local got, err = echo(("wss://localhost:%d/"):format(child.port),
        { tls = { ca = certs.ca, cert = own.cert, key = own.key } })
      assert.is_truthy(got, tostring(err))
      _, err = echo(("wss://localhost:%d/"):format(child.port),
        { tls = { ca = certs.ca } })
      assert.equal("tls", err.kind)
      ok = ok + 1
    end
    assert.equal(12, ok)
  end)
end)

describe("uvwss serve says what is wrong with", function()
  local function is_refused(words, ...)
    local output, status = command.run { "serve", table.unpack(words) }
    assert.equal(2, status.code, status.stderr)
    assert.equal("", output)
    for _, part in ipairs { ... } do
      assert.truthy(status.stderr:match "^[^\n]+":find(part, 1, true),
        status.stderr)
    end
  end

  it("a second URL", function()
    is_refused({ "ws://a:1", "ws://b:2" }, "one URL is enough", "ws://b:2")
  end)
  it("a URL that nobody can listen on", function()
    is_refused({ "http://127.0.0.1:1" }, "scheme")
    is_refused({ "ws://127.0.0.1:99999" }, "port")
  end)
  it("a certificate without TLS, and TLS without a certificate", function()
    is_refused({ "wss://127.0.0.1:0" }, "'--certs'", "'--cert'")
    is_refused({ "--certs", "x", "ws://127.0.0.1:0" }, "wss")
    is_refused({ "--client-ca", "x" }, "'--client-ca'", "'--cert'")
    is_refused({ "--key", "x" }, "'--key'", "'--cert'")
    is_refused({ "--certs", "x", "--cert", "x" }, "exclude")
  end)
  it("modes that exclude each other", function()
    is_refused({ "--echo", "--broadcast" }, "exclude")
    is_refused({ "--broadcast", "--workers", "2" }, "'--workers'")
    is_refused({ "--workers", "2", "ws+unix:///tmp/x" }, "'--workers'")
  end)
  it("numbers that are none", function()
    for _, value in ipairs { "0", "-1", "x", "1.5", "257", "" } do
      is_refused({ "--workers=" .. value }, "'--workers'", "256")
    end
    for _, value in ipairs { "0", "x", "1T", "5G", "99999999999999999999" } do
      is_refused({ "--max-message=" .. value }, "'--max-message'", "bytes")
    end
  end)
  it("an origin that is none", function()
    is_refused({ "--origin", "a b" }, "'--origin'")
  end)
end)

describe("uvwss.cli.static", function()
  local static = require "uvwss.cli.static"

  it("makes paths of files of paths of URLs, or nothing", function()
    for path, wanted in pairs {
      ["/"] = "", ["/a"] = "a", ["/a/"] = "a/", ["/a/b.c"] = "a/b.c",
      ["/%41%20%25"] = "A %", ["/a%2525"] = "a%25", ["/..."] = false,
      ["/a..b"] = "a..b", [""] = false, ["a"] = false, ["*"] = false,
      ["//"] = false, ["/a//"] = false, ["/."] = false, ["/.."] = false,
      ["/a/../b"] = false, ["/%2e"] = false, ["/a%2fb"] = false,
      ["/a%2Fb"] = false, ["/a%00b"] = false, ["/%"] = false,
      ["/%4"] = false, ["/%4x"] = false, ["/a\\..\\b"] = "a\\..\\b",
    } do
      assert.equal(wanted or nil, static.locate(path), path)
    end
  end)
end)
