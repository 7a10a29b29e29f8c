-- The reference names what the code has, and nothing else.

local certs = require "spec.support.certs"
local peers = require "spec.support.peers"
local process = require "spec.support.process"
local wss = require "uvwss"

local reference = assert(process.read_file "docs/reference.md")

local function has(text)
  assert.is_truthy(reference:find(text, 1, true),
    "docs/reference.md does not have " .. text)
end

local function source(name)
  return assert(process.read_file(name), name)
end

-- The strings in the braces that follow 'start' in a C source.
local function strings_after(text, start)
  local _, stop = text:find(start, 1, true)
  assert.is_truthy(stop, start)
  local list = {}
  for s in text:match("%b{}", stop):gmatch "\"([^\"]*)\"" do
    list[#list + 1] = s
  end
  assert.is_true(#list > 0)
  return list
end

-- The methods that a luaL_Reg of that name lists.
local function methods_in(name)
  local list = {}
  local body = source(name):match "luaL_Reg methods%[%] = (%b{})"
  for s in body:gmatch "{\"([%l_]+)\", " do list[#list + 1] = s end
  assert.is_true(#list > 0)
  return list
end

-- What stands under a heading, up to the next of its rank or above.
local function section(heading)
  local rank = #heading:match "^#+"
  local _, from = reference:find("\n" .. heading .. "\n", 1, true)
  assert.is_truthy(from, heading)
  local to = #reference
  for at, marks in reference:gmatch "\n()(#+) " do
    if at > from and #marks <= rank then
      to = at - 1
      break
    end
  end
  return reference:sub(from, to)
end

-- The rows of its tables: what stands in backquotes at the beginning, and
-- the second column.
local function rows(text)
  local found = {}
  for name, second in text:gmatch "\n| `([%l_]+)` | ([^\n|]*) |" do
    found[name] = second
  end
  return found
end

local function same_names(expected, found)
  local names = {}
  for _, name in ipairs(expected) do names[name] = true end
  for name in pairs(names) do
    assert.is_truthy(found[name], name .. " is not documented")
  end
  for name in pairs(found) do
    assert.is_true(names[name], name .. " is documented, but is not there")
  end
end

local options_c = source "csrc/lua/options.c"
  .. source "csrc/lua/options_tls.c"
local handlers_h = source "csrc/lua/handlers.h"
local handler_names = {}
for name in handlers_h:match "#define HANDLER_NAMES (.-)\n\n"
  :gmatch "\"(%l+)\"" do
  handler_names[#handler_names + 1] = name
end

local function options_of(fn)
  return strings_after(options_c:sub((options_c:find("\nvoid " .. fn, 1,
    true))), "names[] = ")
end

describe("the reference has", function()
  it("every function and field of the module", function()
    for name, value in pairs(wss) do
      has(type(value) == "function" and ("`wss.%s("):format(name)
        or ("`wss.%s`"):format(name))
    end
    has "### `wss.onerror`"
  end)

  it("every method", function()
    for _, name in ipairs(methods_in "csrc/lua/websocket.c") do
      has(("`ws:%s("):format(name))
    end
    for _, name in ipairs(methods_in "csrc/lua/writer.c") do
      has(("`writer:%s("):format(name))
    end
    for _, name in ipairs(methods_in "csrc/lua/tls.c") do
      has(("`tls:%s("):format(name))
    end
    for _, name in ipairs(methods_in "csrc/lua/server.c") do
      has(("`server:%s("):format(name))
    end
    has "`timer:cancel()`"
  end)

  it("every handler, and no other", function()
    local found = {}
    for name in section "### Handlers":gmatch "\n| `ws:(%l+)%(" do
      found[name] = true
    end
    assert.are.equal(8, #handler_names)
    same_names(handler_names, found)
    for _, name in ipairs(handler_names) do
      assert.matches("`" .. name .. "`", section "## Options of `connect`", 1,
        true)
    end
  end)

  it("every handler of a server, and no other", function()
    local names, found = {}, {}
    for name in source "csrc/lua/server.h"
      :match "#define SERVER_HANDLER_NAMES (.-)\n\n":gmatch "\"(%l+)\"" do
      names[#names + 1] = name
    end
    assert.are.equal(10, #names)
    for name in section "### Handlers of a server"
      :gmatch "`server:(on%l+)%(" do
      found[name] = true
    end
    same_names(names, found)
    for _, name in ipairs(names) do
      assert.matches("`" .. name .. "`", section "## Options of `listen`", 1,
        true)
    end
  end)

  it("every field of a connection, and no other", function()
    local fields = strings_after(source "csrc/lua/websocket.c", "fields[] = ")
    local found = rows(section "### Fields":match "^(.-)`ws%.tls`")
    same_names(fields, found)
  end)

  it("every field of a server and of a request, and no other", function()
    same_names(strings_after(source "csrc/lua/server.c", "fields[] = "),
      rows(section "### Fields of a server"))
    local fields = {}
    for name in source "csrc/lua/request.c"
      :match "static bool push_request%(.-\n}"
      :gmatch "setfield%(L, %-2, \"(%l+)\"" do
      fields[#fields + 1] = name
    end
    local text = section "### Requests":gsub("`path`, `query`",
      "`path` | x |\n| `query`")
    same_names(fields, rows(text))
  end)

  it("everything about TLS and certificates", function()
    local text = section "### Fields":match "`ws%.tls`.*"
    local tls_c = source "csrc/lua/tls.c":match "\nvoid push_cert%(.*"
    local count = 0
    for name in tls_c:gmatch "%(L, %-?%d?,? ?\"(%l[%l%d_]+)\"" do
      assert.matches("`" .. name .. "`", text, 1, true)
      count = count + 1
    end
    assert.is_true(count >= 16)
    for name in source "csrc/lua/handlers.c"
      :match "void push_step.-\n}":gmatch "setfield%(L, %-2, \"(%l+)\"" do
      has("`" .. name .. "`")
    end
  end)

  it("every option of connect, and no other", function()
    local expected = options_of "options_client"
    local found = rows(section "## Options of `connect`")
    same_names(expected, found)
  end)

  it("every option of listen, and no other", function()
    same_names(options_of "options_server",
      rows(section "## Options of `listen`"))
  end)

  it("every field of compress, and no other, and their defaults", function()
    local code = source "csrc/lua/options.c":match "\nstatic void compress%(.-\n}"
    local found = rows(section "## Compression")
    same_names(strings_after(code, "names[] = "), found)
    for name, value in pairs { level = code:match "out%->level = (%d+)",
      mem_level = code:match "out%->mem_level = (%d+)",
      min_size = source "csrc/base/limits.h"
        :match "LIMIT_DEFLATE_BYTES (%d+)u" } do
      assert.are.equal(value, found[name]:match "^%S+")
    end
  end)

  it("the version of every library", function()
    local text = section "### `wss.versions()` → table"
    for name in pairs(wss.versions()) do
      assert.matches("`" .. name .. "`", text, 1, true)
    end
  end)

  it("every option of TLS, and no other", function()
    same_names(options_of "options_tls(", rows(section "## TLS options"))
    same_names(options_of "options_tls_server(",
      rows(section "## TLS options of a server"))
  end)

  it("every option of reconnecting, and no other", function()
    local expected = {}
    local rules = source "lua/uvwss/retry.lua":match "local rules = (%b{})"
    for name in rules:gmatch "\n  (%l+) = {" do
      expected[#expected + 1] = name
    end
    same_names(expected, rows(section "## Reconnecting"))
  end)

  it("the defaults that the code has", function()
    local limits = { BASE_KIB = 1024, BASE_MIB = 1024 * 1024 }
    for name, value in source "csrc/base/limits.h"
      :gmatch "#define (LIMIT_[%u_]+) ([^\n/]+)" do
      local factor, unit = value:match "^%((%d+)u %* ([%u_]+)%)"
      limits[name] = factor and tonumber(factor) * limits[unit]
        or tonumber(value:match "%d+")
    end
    local found = rows(section "## Options of `connect`")
    local of_listen = rows(section "## Options of `listen`")
    for option, limit in pairs {
      max_message = limits.LIMIT_MESSAGE_BYTES,
      max_buffered = limits.LIMIT_BUFFERED_BYTES,
      high_water = limits.LIMIT_HIGH_WATER_BYTES,
      low_water = limits.LIMIT_LOW_WATER_BYTES,
      max_header = limits.LIMIT_HEADER_BYTES,
      open_timeout = limits.LIMIT_OPEN_TIMEOUT_MS // 1000,
      close_timeout = limits.LIMIT_CLOSE_TIMEOUT_MS // 1000,
      ping_interval = limits.LIMIT_PING_INTERVAL_MS // 1000,
      ping_timeout = limits.LIMIT_PING_TIMEOUT_MS // 1000,
    } do
      assert.are.equal(tostring(limit), found[option], option)
      assert.are.equal(tostring(limit), of_listen[option
        :gsub("^open_", "handshake_")], option)
    end
    assert.are.equal(tostring(limits.LIMIT_UPGRADE_TIMEOUT_MS // 1000),
      of_listen.upgrade_timeout)
    assert.are.equal(tostring(limits.LIMIT_BACKLOG), of_listen.backlog)
    assert.are.equal(tostring(limits.LIMIT_TOPICS), of_listen.max_topics)
    assert.are.equal(tostring(limits.LIMIT_CHAIN_DEPTH),
      rows(section "## TLS options").max_depth)
    found = rows(section "## Reconnecting")
    local policy = require "uvwss.retry".new()
    for _, name in ipairs { "min", "max", "factor", "stable" } do
      assert.are.equal(tostring(policy[name]), found[name], name)
    end
  end)

  it("every row of the statistics", function()
    local found = section "### `wss.stats()` → table"
    for name in pairs(wss.stats()) do
      assert.matches("`" .. name .. "`", found, 1, true)
    end
    found = section "### `ws:stats()` → table"
    local fn = source "csrc/lua/websocket.c":match "static int ws_stats.-\n}"
    local count = 0
    for name in fn:gmatch "\"([%l_]+)\"" do
      assert.matches("`" .. name .. "`", found, 1, true)
      count = count + 1
    end
    assert.are.equal(10, count)
    found = section "### `server:stats()` → table"
    count = 0
    for name in source "csrc/lua/server.c":match "static int server_stats.-\n}"
      :gmatch "set_count%(L, \"([%l_]+)\"" do
      assert.matches("`" .. name .. "`", found, 1, true)
      count = count + 1
    end
    assert.are.equal(21, count)
  end)

  it("every kind of error, and no other", function()
    local kinds = {}
    for name in source "csrc/base/err.h"
      :match "#define BASE_KIND_MAP(.-)\n\n":gmatch "\"(%l+)\"" do
      kinds[#kinds + 1] = name
    end
    assert.are.equal(11, #kinds)
    same_names(kinds, rows(section "## Errors"))
  end)

  it("every code and every field of errors", function()
    local text = section "## Errors"
    local count = 0
    local function code(name)
      assert.matches("`" .. name .. "`", text, 1, true)
      count = count + 1
    end
    for name in source "csrc/base/err.h":match "#define BASE_ERR_MAP(.-)\n\n"
      :gmatch "%u+, \"([%l_]+)\"" do
      code(name)
    end
    local list = process.run { "sh", "-c", "ls csrc/*/*.c" }
    for name in list:gmatch "[^\n]+" do
      local c = source(name)
      for found in c:gmatch
        "base_error_new%(%s*BASE_KIND_%u+,%s*\"([%w_]+)\"" do
        code(found)
      end
      for found in c:gmatch
        "base_error_%l+%(%s*[%w>-]+,%s*\"([%l_]+)\"" do
        code(found)
      end
    end
    for name in source "csrc/net/shake.c":gmatch "fail%(k, \"([%l_]+)\"" do
      code(name)
    end
    for name in source "csrc/engine/connection.c"
      :gmatch "late%(\"(%l+)\"" do
      code(name)
    end
    for name in source "csrc/tls/codes.h":match "#define CODE_MAP(.-)\n\n"
      :gmatch "%u, \"([%l_%d]+)\"" do
      if name ~= "memory" then code(name) end
    end
    for name in source "csrc/tls/verdict.h"
      :match "#define TLS_FLAW_MAP(.-)\n\n":gmatch "%u, \"([%l_%d]+)\"" do
      code(name)
    end
    assert.is_true(count > 150, count)
  end)

  it("every option of the commands", function()
    local connect = section "### `uvwss connect URL`"
    local check = section "### `uvwss check URL`"
    local in_check = { json = true, quiet = true, timeout = true,
      proxy = true, time = true }
    for _, option in ipairs(require "uvwss.cli.connect".options) do
      assert.matches("`--" .. option.name .. "[ `]",
        (connect:gsub("| `", "`")))
      if option.short then
        assert.matches("`-" .. option.short .. "`", connect, 1, true)
      end
    end
    for _, name in ipairs { "serve [URL]", "certs DIR [NAME …]" } do
      local text = section("### `uvwss " .. name .. "`"):gsub("| `", "`")
      for _, option in ipairs(
        require("uvwss.cli." .. name:match "%l+").options) do
        if not option.hidden then
          assert.matches("`%-%-" .. option.name:gsub("%-", "%%-") .. "[ `]",
            text)
        end
      end
    end
    for _, option in ipairs(require "uvwss.cli.check".options) do
      assert.matches("`--" .. option.name .. "[ `]",
        in_check[option.name] and check or connect)
    end
  end)

  it("every field of the report of uvwss check", function()
    local text = section "### `uvwss check URL`":gsub("`, `", "` | x |\n| `")
    local found = rows(text:match "The object of (.-)\n\nIn `tls`")
    local body = source "lua/uvwss/cli/inquiry.lua"
      :match "function inquiry%.plain.-return (%b{})"
    local fields = {}
    for name in body:sub(2):gsub("%b{}", ""):gmatch "([%l_]+) = " do
      fields[#fields + 1] = name
    end
    assert.is_true(#fields >= 18)
    same_names(fields, found)
  end)

  it("headings for all that it links to", function()
    local anchors = {}
    for heading in ("\n" .. reference):gmatch "\n#+ ([^\n]+)" do
      anchors[heading:lower():gsub("[^%w%s_-]", ""):gsub(" ", "-")] = true
    end
    for link in reference:gmatch "%]%(#([^)]+)%)" do
      assert.is_true(anchors[link], link)
    end
  end)
end)

-- What it says beyond names, and no other spec has.
describe("as the reference says,", function()
  local server, url
  setup(function()
    server = peers.echo {}
    url = ("ws://127.0.0.1:%d/"):format(server.port)
  end)
  teardown(function() server:stop() end)

  it("receive in a handler raises, and a coroutine may wait there", function()
    local ws, err, got = wss.connect(url)
    function ws:onopen()
      err = select(2, pcall(self.receive, self))
      wss.spawn(function()
        self:send "x"
        got = self:receive(30)
        self:close()
      end)
    end
    wss.run()
    assert.matches("inside a handler, use wss.spawn", err)
    assert.are.equal("x", got)
  end)

  it("a message goes to who waits in receive, before onmessage", function()
    local ws, order = wss.connect(url), {}
    function ws:onmessage(data)
      order[#order + 1] = "handler " .. data
      self:close()
    end
    ws:send "1"
    ws:send "2"
    wss.spawn(function() order[1] = "coroutine " .. ws:receive() end)
    wss.run()
    assert.are.same({ "coroutine 1", "handler 2" }, order)
  end)

  it("run with a function goes on until nothing is left", function()
    local late = false
    assert.are.equal("done", wss.run(function()
      wss.timer(0.01, function() late = true end)
      return "done"
    end))
    assert.is_true(late)
  end)

  it("no message is delivered after close", function()
    local ws, got = wss.connect(url), 0
    for _ = 1, 10 do ws:send "x" end
    function ws:onmessage()
      got = got + 1
      self:close()
    end
    wss.run()
    assert.are.equal(1, got)
  end)

  it("a file that cannot be used ends it, in onclose, without a redial",
    function()
      for _, case in ipairs {
        { { ca = "/nowhere/ca.crt" }, "io", "ENOENT", "/nowhere/ca.crt" },
        { { ca = "README.md" }, "tls", "no_certificate" },
      } do
        local ws, err = wss.connect("wss://127.0.0.1:1/",
          { tls = case[1], reconnect = true })
        function ws.onreconnect() error "must not wait" end
        function ws:onclose(_, _, e) err = e end
        wss.run()
        assert.are.same({ case[2], case[3], case[4] },
          { err.kind, err.code, err.path })
        local tls
        tls, err = wss.tls(case[1])
        assert.is_nil(tls)
        assert.are.equal(case[3], err.code)
      end
    end)

  it("the code is 1005 where the peer sent none", function()
    local raw <close> = peers.raw {
      { { "upgrade" }, { "frame", 8, "" }, { "until", 8 } } }
    local seen
    wss.connect(("ws://127.0.0.1:%d/"):format(raw.port), {
      onclose = function(_, code, reason, err) seen = { code, reason, err } end,
    })
    wss.run()
    assert.are.same({ 1005, "" }, seen)
  end)

  it("a reconnect by hand needs no option, and tells no onreconnect",
    function()
      local opens = 0
      local ws = wss.connect(url)
      function ws.onreconnect() error "must not be called" end
      function ws:onopen(info)
        opens = opens + 1
        assert.are.equal(opens, info.attempt)
        if opens == 1 then self:reconnect() else self:close() end
      end
      wss.run()
      assert.are.equal(2, opens)
    end)

  it("headers do not go to another origin, nor a redirect out of TLS",
    function()
      local other <close> = peers.raw { { { "upgrade" }, { "until", 8 },
        { "frame", 8, "03e8" } } }
      local first <close> = peers.raw { { { "status", 307,
        { Location = ("http://127.0.0.1:%d/there"):format(other.port) } } } }
      local ws = wss.connect(("ws://127.0.0.1:%d/"):format(first.port),
        { redirects = 1, headers = { ["X-Token"] = "secret" } })
      function ws:onopen() self:close() end
      wss.run()
      local function request(peer)
        local fact
        repeat fact = peers.told(peer) until fact.event == "request"
        return fact.headers["x-token"]
      end
      assert.are.same({ "secret", nil }, { request(first), request(other) })
      assert.are.equal(1000, select(2, ws:receive()).close)

      local plain <close> = peers.raw({ { { "tls" }, { "status", 307,
        { Location = ("ws://127.0.0.1:%d/"):format(other.port) } } } },
        { tls = certs "server" })
      local err
      ws = wss.connect(("wss://127.0.0.1:%d/"):format(plain.port),
        { redirects = 1, tls = { ca = certs.ca } })
      function ws:onclose(_, _, e) err = e end
      wss.run()
      assert.are.same({ "upgrade", "redirect" }, { err.kind, err.code })
    end)

  it("pins count where nothing else does", function()
    local secure <close> = peers.echo { tls = certs "server" }
    local at = ("wss://127.0.0.1:%d/"):format(secure.port)
    local ws = wss.connect(at, { tls = { insecure = true } })
    ws:send "x"
    ws:receive()
    assert.is_false(ws.tls.verified)
    local pin = ws.tls.chain[1].spki_sha256
    ws:close()
    wss.run()
    for _, case in ipairs { { pin, nil },
      { "sha256/" .. ("A"):rep(43) .. "=", "pin_mismatch" } } do
      ws = wss.connect(at, { tls = { insecure = true, pins = case[1] } })
      ws:send "x"
      local err = select(2, ws:receive())
      assert.are.equal(case[2] or "text", err.code or err)
      ws:close()
      wss.run()
    end
  end)
end)
