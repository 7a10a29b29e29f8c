-- Misuse raises, the world returns: every public function, each argument in
-- its turn of every wrong type; every option likewise; every method of what is
-- closed. What is generated covers the real tables of methods, so that a new
-- one without a row here fails.

local certs = require "spec.support.certs"
local peers = require "spec.support.peers"
local process = require "spec.support.process"
local wss = require "uvwss"

-- ---- what is right --------------------------------------------------------

local function nothing() end

-- Arguments: a type, with "?" if nil will do. `good` is a call that is right.
local rows = {
  wss = {
    connect = { "string", "table?", good = { "ws://127.0.0.1:1/" } },
    listen = { "string", "table?", good = { "ws://127.0.0.1:0" } },
    tls = { "table", good = { {} } },
    run = { "function", good = { nothing } },
    stop = { good = {} },
    spawn = { "function", good = { nothing } },
    sleep = { "number", good = { 0 } },
    timer = { "number", "function", "number?", good = { 0, nothing } },
    signal = { "string", "function", good = { "TERM", nothing } },
    pollfd = { good = {} },
    timeout = { good = {} },
    step = { good = {} },
    stats = { good = {} },
    versions = { good = {} },
  },
  WebSocket = {
    send = { "string", "string?", "function?", good = { "x" } },
    stream = { "string?", good = {} },
    receive = { "number?", good = { 0 } },
    messages = { good = {} },
    ping = { "string?", good = {} },
    pause = { good = {} },
    resume = { good = {} },
    reconnect = { good = {} },
    close = { "number?", "string?", good = {} },
    terminate = { good = {} },
    stats = { good = {} },
  },
  Server = {
    publish = { "string", "string", "string?", good = { "topic", "x" } },
    broadcast = { "string", "string?", good = { "x" } },
    connections = { good = {} },
    reload = { "table?", good = {}, says = "table or wss.tls" },
    close = { "number?", good = {} },
    stats = { good = {} },
  },
  Tls = {
    reload = { good = {} },
    verify = { "string", "string?", "table?", good = { "no certificate" } },
  },
  Timer = { cancel = { good = {} } },
  Signal = { close = { good = {} } },
  Writer = {
    write = { "string", "function?", good = { "x" } },
    finish = { "string?", "function?", good = { "x" } },
  },
}

-- A connection that a server accepted has what a client has, but one method,
-- and two more. What it has not raises: never a silent nothing.
local server_only = {
  subscribe = { "string", good = { "topic" } },
  unsubscribe = { "string", good = { "topic" } },
}
local client_only = { reconnect = true }
rows.Accepted = {}
for name, row in pairs(rows.WebSocket) do
  if not client_only[name] then rows.Accepted[name] = row end
end
for name, row in pairs(server_only) do rows.Accepted[name] = row end
local class_of = { Accepted = "WebSocket" }

-- wss.run() takes no argument, or a function.
local absent_is_fine = { run = true }

-- One value of each type; no string that could pass for a number.
local values = {
  ["nil"] = { n = 1 },
  boolean = { true, n = 1 },
  number = { 42, n = 1 },
  string = { "pineapple", n = 1 },
  table = { {}, n = 1 },
  ["function"] = { nothing, n = 1 },
  userdata = { io.stdout, n = 1 },
  thread = { coroutine.create(nothing), n = 1 },
}
local type_names = {}
for name in pairs(values) do type_names[#type_names + 1] = name end
table.sort(type_names)

-- ---- calling, as from a line of a user's file -----------------------------

local chunk = [[
local object = ...

local result = object%s(select(2, ...))
return result]]
local field_chunk = assert(load(
  "local object, name, value = ...\n\nobject[name] = value", "=user"))

local function calling(holder, name, ...)
  return pcall(assert(load(chunk:format("." .. name), "=user")), holder, ...)
end

local function calling_method(object, name, ...)
  return pcall(assert(load(chunk:format(":" .. name), "=user")), object, ...)
end

-- It raised, on line 3 of the user's file, and says `what`.
local function raised(ok, message, what, label)
  assert.is_false(ok, label .. " did not raise")
  assert.are.equal("string", type(message), label)
  assert.are.equal("user:3: ", message:sub(1, 8), label .. ": " .. message)
  assert.is_truthy(message:find(what, 1, true),
    ("%s: %q does not say %q"):format(label, message, what))
end

local function shown(wanted)
  return (wanted:gsub("?", ""))
end

local function expected(row, wanted)
  return (row.says or wanted) .. " expected"
end

-- Every call that has one argument of a wrong type; `fn(label, position,
-- wanted, arguments)`.
local function each_wrong(name, row, fn)
  for position, wanted in ipairs(row) do
    for _, given in ipairs(type_names) do
      local optional = wanted:sub(-1) == "?"
      if given ~= shown(wanted) and not (given == "nil" and optional) then
        local arguments = table.pack(table.unpack(row.good, 1, #row.good))
        for i = 1, position - 1 do
          if arguments[i] == nil then -- an optional one in front
            arguments[i] = ({ string = "text", number = 0,
              table = {} })[shown(row[i])]
          end
        end
        -- `kind` is the only optional string in front of another.
        if name == "send" and position == 3 then arguments[2] = "text" end
        if name == "close" and position == 2 then arguments[1] = 1000 end
        arguments[position] = values[given][1]
        arguments.n = math.max(arguments.n, position)
        fn(("%s, argument %d, a %s"):format(name, position, given), position,
          shown(wanted), arguments)
      end
    end
  end
end

-- ---- objects --------------------------------------------------------------

local function annotated()
  local classes, class = {}, nil
  for line in io.lines "lua/uvwss/init.lua" do
    class = line:match "^%-%-%-@class uvwss%.(%w+)$" or class
    if not line:match "^%-%-%-" then class = nil end
    local field = line:match "^%-%-%-@field (%w+) fun%(self"
    if class and field then
      classes[class] = classes[class] or {}
      classes[class][field] = true
    end
  end
  return classes
end

local function methods_of(object)
  local index = getmetatable(object).__index
  if type(index) ~= "function" then return index end
  local methods = {}
  local _, members = debug.getupvalue(index, 1) -- numbers are fields
  for name, member in pairs(members) do
    if type(member) == "function" then methods[name] = member end
  end
  return methods
end

local function names(t)
  local list = {}
  for name in pairs(t) do list[#list + 1] = name end
  table.sort(list)
  return list
end

-- A server, and both ends of a connection of it that is open.
local function served()
  local server = assert(wss.listen("wss://127.0.0.1:0", {
    tls = certs "server" }))
  local client = wss.connect(("wss://localhost:%d/"):format(server.port),
    { tls = { ca = certs.ca }, onclose = nothing })
  repeat wss.sleep(0.001) until server.count == 1
    and client.state == "open"
  return server, server:connections()(), client
end

-- Objects of each class; nothing listens where WebSocket dials.
local function objects()
  local server, accepted, other_end = served()
  other_end.onmessage = nothing
  local ws = wss.connect("ws://127.0.0.1:1/", { onclose = nothing })
  return { WebSocket = ws, Tls = assert(wss.tls {}), Server = server,
    Accepted = accepted, Timer = wss.timer(1000, nothing), Signal = wss.signal("HUP", nothing),
    Writer = assert(ws:stream "binary") }
end

local function done_with(these)
  these.WebSocket:terminate()
  these.Timer:cancel()
  these.Signal:close()
  these.Server:close(0)
  wss.run()
end

local function zero_ledger()
  collectgarbage()
  for name, count in pairs(wss.stats()) do
    assert.are.equal(0, count, name)
  end
end

-- ---- the specs ------------------------------------------------------------

describe("misuse", function()
  local live
  before_each(function() live = objects() end)
  after_each(function()
    done_with(live)
    zero_ledger()
  end)

  it("is specified for every function there is", function()
    local functions = {}
    for name, value in pairs(wss) do
      if type(value) == "function" then functions[name] = true end
    end
    functions.onerror = nil
    assert.are.same(names(functions), names(rows.wss))
    local documented = annotated()
    for class, object in pairs(live) do
      local methods = {}
      for name in pairs(methods_of(object)) do
        if not (class == "WebSocket" and server_only[name])
          and not (class == "Accepted" and client_only[name]) then
          methods[name] = true
        end
      end
      assert.are.same(names(methods), names(rows[class]), class)
      assert.are.same(names(methods_of(object)),
        names(documented[class_of[class] or class]),
        class .. " as it is annotated")
    end
  end)

  for name, row in pairs(rows.wss) do
    it("of wss." .. name .. " raises, naming the argument", function()
      local calls = 0
      each_wrong(name, row, function(label, position, wanted, arguments)
        local ok, message = calling(wss, name,
          table.unpack(arguments, 1, arguments.n))
        raised(ok, message, ("bad argument #%d to '%s'"):format(position,
          name), label)
        raised(ok, message, wanted .. " expected", label)
        calls = calls + 1
      end)
      if #row > 0 and row[1]:sub(-1) ~= "?" and not absent_is_fine[name] then
        local ok, message = calling(wss, name)
        raised(ok, message, "bad argument #1 to '" .. name, name)
      end
      assert.is_true(calls >= 6 * #row)
    end)
  end

  for class, methods in pairs(rows) do
    for name, row in pairs(class ~= "wss" and methods or {}) do
      it("of " .. class .. ":" .. name .. " raises, naming the argument",
        function()
          local object = live[class]
          each_wrong(name, row, function(label, position, wanted, arguments)
            local ok, message = calling_method(object, name,
              table.unpack(arguments, 1, arguments.n))
            raised(ok, message, ("bad argument #%d to '%s'"):format(position,
              name), label)
            raised(ok, message, expected(row, wanted), label)
          end)
        end)

      it("of " .. class .. "." .. name .. " with another self raises",
        function()
          local object = live[class]
          for _, given in ipairs(type_names) do
            local ok, message = calling(object, name, values[given][1],
              table.unpack(row.good))
            raised(ok, message, "bad argument #1 to '" .. name .. "'",
              name .. " of a " .. given)
          end
          for other, foreign in pairs(live) do
            if (class_of[other] or other) ~= (class_of[class] or class) then
              local ok, message = calling(object, name, foreign,
                table.unpack(row.good))
              raised(ok, message, "bad argument #1 to '" .. name .. "'",
                name .. " of " .. other)
              raised(ok, message, "uvwss."
                .. (class_of[class] or class):lower() .. " expected",
                name .. " of " .. other)
            end
          end
          raised(false, select(2, calling(object, name)), "bad argument #1",
            name)
        end)
    end
  end

  it("of metamethods raises too, and crashes nothing", function()
    for class, object in pairs(live) do
      local meta = getmetatable(object)
      for _, event in ipairs { "__gc", "__close", "__tostring", "__index",
        "__newindex" } do
        if type(meta[event]) == "function" then
          for _, given in ipairs(type_names) do
            assert.is_false(pcall(meta[event], values[given][1], "x", 1),
              class .. event)
          end
          assert.is_false(pcall(meta[event]))
        end
      end
    end
  end)

  it("of topics, which only a server's connections have, raises", function()
    for name in pairs(server_only) do
      local ok, message = calling_method(live.WebSocket, name, "topic")
      raised(ok, message, "connections of a server", name)
    end
  end)

  it("of reconnect, which only a client has, raises", function()
    local ok, message = calling_method(live.Accepted, "reconnect")
    raised(ok, message, "only a client can dial", "reconnect")
  end)

  it("of reload, where there is no TLS, raises", function()
    local server = assert(wss.listen "ws://127.0.0.1:0")
    for _, given in ipairs { false, {} } do
      local ok, message = calling_method(server, "reload", given or nil)
      raised(ok, message, "this server has no TLS", "reload")
    end
    server:close()
  end)

  describe("of values in range", function()
    -- method or function, arguments, what the message must say
    local cases = {
      { "close", { 0 }, "#1 to 'close' (not a close code" },
      { "close", { 999 }, "not a close code" },
      { "close", { 1004 }, "not a close code" },
      { "close", { 1005 }, "not a close code" },
      { "close", { 1006 }, "not a close code" },
      { "close", { 1015 }, "not a close code" },
      { "close", { 2999 }, "not a close code" },
      { "close", { 5000 }, "not a close code" },
      { "close", { -1000 }, "not a close code" },
      { "close", { math.maxinteger }, "not a close code" },
      { "close", { 1000.5 }, "#1 to 'close' (number has no integer" },
      { "close", { 1000, ("x"):rep(124) }, "#2 to 'close' (a reason has" },
      { "close", { 1000, "\xFF" }, "#2 to 'close' (a reason must be" },
      { "ping", { ("x"):rep(126) }, "#1 to 'ping' (at most 125" },
      { "send", { "x", "blob" }, "#2 to 'send' (\"text\" or \"binary\"" },
      { "send", { "x", "" }, "#2 to 'send'" },
      { "stream", { "Text" }, "#1 to 'stream' (\"text\" or \"binary\"" },
      { "receive", { -1 }, "#1 to 'receive' (seconds" },
      { "receive", { 0 / 0 }, "#1 to 'receive' (seconds" },
      { "receive", { math.huge }, "#1 to 'receive' (seconds" },
    }
    for _, case in ipairs(cases) do
      local given = {}
      for i, value in ipairs(case[2]) do
        given[i] = type(value) == "string" and #value > 20
          and #value .. " bytes" or ("%q"):format(value)
      end
      it(("raises: ws:%s(%s)"):format(case[1], table.concat(given, ", ")),
        function()
          local ok, message = calling_method(live.WebSocket, case[1],
            table.unpack(case[2]))
          raised(ok, message, case[3], case[1])
          assert.are.equal("connecting", live.WebSocket.state)
        end)
    end

    it("raises: what is neither text nor binary, to many too", function()
      local server = live.Server
      for _, bad in ipairs { "blob", "", "TEXT" } do
        raised(false, select(2, calling_method(server, "publish", "a", "x",
          bad)), "#3 to 'publish' (\"text\" or \"binary\"", "publish")
        raised(false, select(2, calling_method(server, "broadcast", "x",
          bad)), "#2 to 'broadcast' (\"text\" or \"binary\"", "broadcast")
      end
    end)

    for _, bad in ipairs { -1, 0 / 0, math.huge } do
      it(("raises: %s seconds"):format(bad), function()
        raised(false, select(2, calling_method(live.Server, "close", bad)),
          "#1 to 'close' (seconds", "close")
        assert.are.equal("listening", live.Server.state)
        raised(false, select(2, calling(wss, "sleep", bad)),
          "#1 to 'sleep' (seconds", "sleep")
        raised(false, select(2, calling(wss, "timer", bad, nothing)),
          "#1 to 'timer' (seconds", "timer")
        raised(false, select(2, calling(wss, "timer", 1, nothing, bad)),
          "#3 to 'timer' (", "timer")
      end)
    end

    it("raises: a timer that repeats without any time", function()
      raised(false, select(2, calling(wss, "timer", 1, nothing, 0)),
        "#3 to 'timer' (a repeat must be more than 0", "timer")
    end)
  end)

  -- An object, its handlers, the fields that can only be read.
  local with_fields = {
    WebSocket = { { "onopen", "onmessage", "onreconnect", "ondrain", "onping",
      "onpong", "onclose" }, { "state", "url", "subprotocol", "buffered",
      "peer", "request", "error", "tls" } },
    Server = { { "onupgrade", "onrequest", "onrefused", "onopen", "onmessage",
      "ondrain", "onping", "onpong", "onclose" }, { "url", "port", "count",
      "state" } },
  }
  with_fields.Accepted = with_fields.WebSocket
  for class, both in pairs(with_fields) do
    local handlers, fields = table.unpack(both)
    describe("of fields of " .. class, function()
      local object
      before_each(function() object = live[class] end)

      for _, name in ipairs(handlers) do
        it("raises where " .. name .. " is no function", function()
          local before = object[name]
          for _, given in ipairs(type_names) do
            if given ~= "function" and given ~= "nil" then
              local ok, message = pcall(field_chunk, object, name,
                values[given][1])
              raised(ok, message, ("handler '%s': function expected, got %s")
                :format(name, given), name)
              assert.are.equal(before, object[name])
            end
          end
          object[name] = nothing
          assert.are.equal(nothing, object[name])
          object[name] = nil
          assert.is_nil(object[name])
          object.onclose = nothing
        end)
      end

      it("raises where a handler is unknown", function()
        for _, name in ipairs { "onmesage", "onerror", "on", "onOpen",
          class == "Server" and "onreconnect" or "onupgrade",
          class == "Server" and "onlisten" or "onrequest" } do
          local ok, message = pcall(field_chunk, object, name, nothing)
          raised(ok, message, "unknown handler '" .. name .. "'", name)
        end
      end)

      it("raises where one can only be read", function()
        for _, name in ipairs(fields) do
          for _, value in ipairs { 1, false, "x" } do
            local ok, message = pcall(field_chunk, object, name, value)
            raised(ok, message, "field '" .. name .. "' can only be read",
              name)
          end
        end
      end)

      it("raises where it is a method", function()
        for name in pairs(methods_of(object)) do
          local ok, message = pcall(field_chunk, object, name, nothing)
          raised(ok, message, "'" .. name .. "' is a method", name)
        end
      end)

      it("raises where the name can be none", function()
        for _, name in ipairs { 0 / 0 } do
          local ok, message = pcall(field_chunk, object, name, 1)
          raised(ok, message, "name", "NaN")
        end
        raised(false, select(2, pcall(field_chunk, object, nil, 1)),
          "name", "nil")
      end)

      it("leaves all others to the user", function()
        for _, key in ipairs { "name", 1, 2.5, true, object, nothing,
          "-on" } do
          assert.is_nil(object[key])
          object[key] = "mine"
          assert.are.equal("mine", object[key])
          object[key] = nil
          assert.is_nil(object[key])
        end
        assert.is_nil(object[nil])
      end)
    end)
  end

  it("of fields of other objects raises, which have none", function()
    for _, class in ipairs { "Tls", "Timer", "Writer" } do
      assert.is_false(pcall(field_chunk, live[class], "x", 1), class)
    end
  end)
end)

-- ---- options --------------------------------------------------------------

-- The types that an option takes, and values in no range of its.
local seconds = { "number", bad = { -1, 0, 0 / 0, math.huge, 4000001 } }
local seconds_or_false = { "number", "false",
  bad = { -1, 0 / 0, math.huge, 4000001 } }
local size = { "number", bad = { -1, 1.5, 0 / 0, math.huge, math.maxinteger } }
local handler = { "function" }
local text = { "string", bad = { "NUL\0byte" } }
local list = { "string", "table",
  bad = { { 1 }, { "x", {} }, { "x\0" }, { x = "x" }, { "x", y = "y" },
    { "x", [3] = "z" } } }
local boolean = { "boolean" }
local crl_check = { "string", bad = { "", "Leaf", "all", "leaf\0" } }
local function window(least, most)
  return { "number", bad = { least - 1, most + 1, 9.5, 1 << 32, math.huge } }
end
local compress_options = {
  level = window(0, 9), mem_level = window(1, 9), min_size = size,
  server_no_context_takeover = boolean, client_no_context_takeover = boolean,
  server_max_window_bits = window(8, 15),
  client_max_window_bits = window(8, 15),
}
local connect_options = {
  subprotocols = { "string", "table",
    bad = { "no token", "", { "a", "a" }, { 1 }, { "a,b" } } },
  headers = { "table", bad = { { x = 1 }, { x = { 1 } }, { x = { y = "z" } },
    { "x" }, { [1.5] = "x" }, { ["a b"] = "x" }, { [""] = "x" }, { x = "a\r\nb: c" },
    { x = "a\0b" }, { Host = "x" }, { upgrade = "x" }, { Connection = "x" },
    { ["Sec-WebSocket-Key"] = "x" }, { x = { "a", "b\n" } } } },
  origin = { "string", bad = { "a\r\nb", "", "a\0b" } },
  tls = { "table" },
  reconnect = { "boolean", "table", bad = { { min = 0 }, { min = "x" },
    { max = 0 }, { factor = 0.5 }, { jitter = 1 }, { attempts = 0 },
    { attempts = 1.5 }, { stable = -1 }, { mim = 1 },
    { min = 2, max = 1 }, { random = 1 }, { 1 } } },
  open_timeout = seconds, close_timeout = seconds,
  ping_interval = seconds_or_false, ping_timeout = seconds_or_false,
  max_message = size, max_buffered = size, high_water = size,
  low_water = size, max_header = size,
  compress = { "boolean", "table" },
  proxy = { "string", bad = { "", "x", "ftp://a:1", "http://", "a:1",
    "http://a:99999", "http://a\0b:1" } },
  redirects = { "number", bad = { -1, 1.5, 21, 1 << 32 } },
  onopen = handler, onmessage = handler, onreconnect = handler,
  onfragment = handler, ondrain = handler, onping = handler,
  onpong = handler, onclose = handler,
}
local version = { "string", bad = { "", "1", "1.4", "TLSv1.2", "1.2\0" } }
local tls_options = {
  ca = list, system_ca = boolean, cert = text, key = text, password = text,
  server_name = text, pins = list, min_version = version,
  max_version = version, ciphers = text, ciphersuites = text, groups = text,
  alpn = list, session = boolean, keylog = text,
  max_depth = { "number", bad = { -1, 1.5, 101, 1 << 32, math.huge } },
  strict = boolean, insecure = boolean, trace = handler, crl = list,
  crl_check = crl_check, onverify = handler,
  ocsp = { "string", bad = { "", "Staple", "always", "staple\0" } },
}

local listen_options = {
  subprotocols = connect_options.subprotocols,
  origins = { "string", "table", bad = { "", "no origin", "https://",
    "https://a.example/path", { "https://a.example", 1 }, { "https://a\0" } } },
  tls = { "table" },
  handshake_timeout = seconds, upgrade_timeout = seconds,
  close_timeout = seconds, ping_interval = seconds_or_false,
  ping_timeout = seconds_or_false, max_message = size, max_buffered = size,
  high_water = size, low_water = size, max_header = size,
  compress = { "boolean", "table" },
  backlog = { "number", bad = { -1, 1.5, 65536, 1 << 32 } },
  max_connections = size, max_topics = size, reuse_port = boolean,
  slow_consumer = { "string", bad = { "", "Close", "waits", "drop\0" } },
  onupgrade = handler, onrequest = handler, onrefused = handler,
  onopen = handler, onmessage = handler, onfragment = handler,
  ondrain = handler, onping = handler,
  onpong = handler, onclose = handler,
}
local server_tls_options = {
  cert = text, key = text, password = text,
  sni = { "table", bad = { { "x" }, { ["a.example"] = "x" },
    { ["a.example"] = {} } } },
  client_ca = list,
  verify_client = { "string", bad = { "", "yes", "required", "none\0" } },
  ocsp = text, min_version = version, max_version = version, ciphers = text,
  ciphersuites = text, groups = text, alpn = list, tickets = boolean,
  keylog = text,
  max_depth = { "number", bad = { -1, 1.5, 101, 1 << 32, math.huge } },
  strict = boolean, trace = handler, crl = list, crl_check = crl_check,
}

local function takes(rule, given)
  for _, wanted in ipairs(rule) do
    if wanted == given then return true end
  end
  return given == "nil"
end

-- The fields of a class of options as they are annotated.
local function annotated_options(class)
  local found, inside = {}, false
  for line in io.lines "lua/uvwss/init.lua" do
    if line:match "^%-%-%-@class" or not line:match "^%-%-%-" then
      inside = line == "---@class uvwss." .. class
    end
    if inside then
      local name = line:match "^%-%-%-@field ([%w_]+)"
      if name then found[name] = true end
    end
  end
  return found
end

describe("an option", function()
  after_each(zero_ledger)

  local function connect(options)
    return calling(wss, "connect", "ws://127.0.0.1:1/", options)
  end
  local function through_tls(options)
    return connect { tls = options }
  end
  local function tls(options)
    return calling(wss, "tls", options)
  end

  local function listen(options)
    return calling(wss, "listen", "ws://127.0.0.1:0", options)
  end
  local function listen_tls(options)
    return calling(wss, "listen", "wss://127.0.0.1:0", { tls = options })
  end

  it("is specified here if it is annotated", function()
    assert.are.same(names(annotated_options "ServerOptions"),
      names(listen_options))
    assert.are.same(names(annotated_options "ServerTlsOptions"),
      names(server_tls_options))
    assert.are.same(names(annotated_options "Options"), names(connect_options))
    assert.are.same(names(annotated_options "TlsOptions"), names(tls_options))
    assert.are.same(names(annotated_options "CompressOptions"),
      names(compress_options))
  end)

  local function generated(kind, options, ways)
    for name, rule in pairs(options) do
      it(("'%s' of %s raises where its type or value is wrong")
        :format(name, kind), function()
        for _, way in ipairs(ways) do
          for _, given in ipairs(type_names) do
            if not takes(rule, given) then
              local ok, message = way { [name] = values[given][1] }
              raised(ok, message, "'" .. name .. "'", name .. " = " .. given)
            end
          end
          for _, bad in ipairs(rule.bad or {}) do
            local ok, message = way { [name] = bad }
            raised(ok, message, "'" .. name .. "'", name .. " = "
              .. tostring(bad))
          end
        end
      end)

      it(("'%s' of %s, misspelt, is unknown and suggested"):format(name, kind),
        function()
          for _, way in ipairs(ways) do
            local slip = name:sub(1, -2) .. "x"
            if options[slip] then slip = name .. "x" end
            local ok, message = way { [slip] = true }
            raised(ok, message, ("unknown option '%s' (did you mean '")
              :format(slip), slip)
          end
        end)
    end
  end
  generated("connect", connect_options, { connect })
  generated("tls", tls_options, { tls, through_tls })
  generated("listen", listen_options, { listen })
  generated("tls of a server", server_tls_options, { listen_tls })
  generated("compress", compress_options, {
    function(options) return connect { compress = options } end,
    function(options) return listen { compress = options } end,
  })

  it("that resembles none is unknown without a suggestion", function()
    for _, way in ipairs { connect, tls, through_tls, listen, listen_tls } do
      local ok, message = way { pineapples = true }
      raised(ok, message, "unknown option 'pineapples'", "pineapples")
      assert.is_nil(message:find "did you mean")
    end
  end)

  it("is suggested as the issue says", function()
    local ok, message = connect { tsl = {} }
    raised(ok, message, "unknown option 'tsl' (did you mean 'tls'?)", "tsl")
  end)

  it("has a name", function()
    for _, way in ipairs { connect, tls, through_tls, listen, listen_tls } do
      for _, key in ipairs { 1, 1.5, true, nothing } do
        local ok, message = way { [key] = "x" }
        raised(ok, message, "options have names", tostring(key))
      end
    end
  end)

  it("low_water is not above high_water, and follows it down", function()
    local ok, message = connect { high_water = 1, low_water = 1 << 40 }
    raised(ok, message, "'low_water' (1099511627776) is above 'high_water' (1)",
      "low_water")
    ok, message = connect { low_water = 1 << 40 }
    raised(ok, message, "'low_water' (1099511627776)", "low_water")
    local ws
    ok, ws = connect { high_water = 100, onclose = nothing }
    assert.is_true(ok, ws)
    ws:terminate()
    wss.run()
  end)

  it("outbox of reconnect is one of two words", function()
    for _, bad in ipairs { "all", "", "unsent\0", 1, true, {} } do
      local ok, message = connect { reconnect = { outbox = bad } }
      raised(ok, message, "'outbox'", tostring(bad))
    end
  end)

  it("low_water of a server is not above high_water either", function()
    local ok, message = listen { high_water = 1, low_water = 2 }
    raised(ok, message, "'low_water' (2) is above 'high_water' (1)",
      "low_water")
  end)

  it("of a server's tls raises in wss.tls, too, where it is one", function()
    for _, name in ipairs { "sni", "client_ca", "verify_client",
      "tickets" } do
      for _, given in ipairs(type_names) do
        if not takes(server_tls_options[name], given) then
          local ok, message = tls { [name] = values[given][1] }
          raised(ok, message, "'" .. name .. "'", name .. " = " .. given)
        end
      end
    end
    local ok, message = tls { tickets = false, pins = "x" }
    raised(ok, message, "unknown option 'pins'", "tickets")
  end)

  it("tls loaded for the wrong role raises", function()
    local of_client = assert(wss.tls { ca = certs.ca })
    local of_server = certs "server"
    of_server.tickets = false
    of_server = assert(wss.tls(of_server))
    local ok, message = listen_tls(of_client)
    raised(ok, message, "'ca'", "a client's")
    ok, message = calling(wss, "connect", "wss://127.0.0.1:1/",
      { tls = of_server })
    raised(ok, message, "'tickets'", "a server's")
  end)

  it("tls is what a wss server needs, and no other may have", function()
    local ok, message = calling(wss, "listen", "wss://127.0.0.1:0", {})
    raised(ok, message, "option 'tls': a wss server needs a certificate", "wss")
    ok, message = calling(wss, "listen", "ws://127.0.0.1:0", { tls = {} })
    raised(ok, message, "option 'tls': this URL has no TLS", "ws")
    for _, name in ipairs { "sni", "client_ca", "verify_client", "tickets" } do
      local given = name == "tickets" and true or name == "sni" and {} or "none"
      ok, message = connect { tls = { [name] = given } }
      raised(ok, message, "unknown option '" .. name .. "'", name)
    end
  end)

  it("names in reconnect are suggested too", function()
    local ok, message = connect { reconnect = { mim = 1 } }
    raised(ok, message, "'reconnect': unknown option 'mim' (did you mean 'min'",
      "reconnect")
  end)

  it("tls takes no other object of ours", function()
    local timer = wss.timer(1000, nothing)
    local ok, message = connect { tls = timer }
    raised(ok, message, "option 'tls'", "tls")
    ok, message = listen_tls(timer)
    raised(ok, message, "option 'tls'", "tls")
    timer:cancel()
    wss.run()
  end)

  it("that the world makes wrong is returned", function()
    for _, options in ipairs { { ca = "/nowhere" }, { cert = "/nowhere" },
      { ciphers = "nonsense" }, { groups = "nonsense" }, { pins = "nonsense" },
      { min_version = "1.3", max_version = "1.2" } } do
      local loaded, err = wss.tls(options)
      assert.is_nil(loaded)
      assert.are.equal("table", type(err))
      assert.is_true(#tostring(err) > 10 and #err.kind > 0 and #err.code > 0)
    end
  end)
end)

-- ---- URLs -----------------------------------------------------------------

describe("a URL", function()
  after_each(zero_ledger)

  local urls = {
    "", " ", "x", "ws", "ws:", "ws:/", "ws://", "ws:///", "ws:///path",
    "//host", "host:80", "http://a", "https://a", "wss+unix:///x", "ws//a",
    "ws:a", " ws://a", "ws://a ", "ws://a b", "ws://a/b c", "ws://a/\n",
    "ws://a\0", "ws://a/\0", "ws://a/é", "ws://é", "ws://a:0", "ws://a:65536",
    "ws://a:-1", "ws://a:x", "ws://a:99999999999999999999", "ws://:80",
    "ws://u@a", "ws://u:p@a", "ws://@a", "ws://a/#f", "ws://a#", "ws://[::1",
    "ws://::1", "ws://[]", "ws://[::g]", "ws://[1.2.3.4]", "ws://[::1]x",
    "ws://a\\b", "ws://a/%", "ws://a/%g0", "ws://a/\"", "ws://a/<", "ws://a|b",
    "ws://" .. ("a"):rep(300), "ws://a/" .. ("b"):rep(9000),
    "ws://a\r\nHost: b/", "ws://a/\r\nX: y",
  }
  for _, url in ipairs(urls) do
    local name = ("%q"):format(#url > 40 and url:sub(1, 20) .. "…" or url)
    it("that is malformed raises: " .. name:gsub("\n", "n"), function()
      local ok, message = calling(wss, "connect", url)
      if ok then -- what was made shall not hang the others
        message:terminate()
        pcall(wss.run)
      end
      raised(ok, message, "bad argument #1 to 'connect' (the URL", name)
    end)
  end

  -- For listening there is no path, and another port is possible.
  local elsewhere = { "ws://127.0.0.1:0/path", "ws://127.0.0.1:0?q",
    "ws://127.0.0.1:0/?q", "wss://*:0/x", "ws+unix://", "ws+unix:x",
    "ws+unix:///", "ws+unix:///x\0", "ws+unix://host/path",
    "ws+unix:///" .. ("x"):rep(200), "ws+unix:///tmp/x:/resource" }
  for _, url in ipairs(urls) do
    if url ~= "ws://a:0" then table.insert(elsewhere, url) end
  end
  for _, url in ipairs(elsewhere) do
    local name = ("%q"):format(#url > 40 and url:sub(1, 20) .. "…" or url)
    it("to listen on that is malformed raises: " .. name:gsub("\n", "n"),
      function()
        local ok, message = calling(wss, "listen", url)
        if ok and message then message:close(0) end
        raised(ok, message, "bad argument #1 to 'listen' (", name)
      end)
  end

  it("to listen on that is right does not raise, however odd", function()
    for _, url in ipairs { "WS://127.0.0.1:0", "ws://127.0.0.1:0/",
      "ws://[::1]:0", "ws://*:0/" } do
      local ok, server = calling(wss, "listen", url)
      assert.is_true(ok, server)
      assert.are.equal("userdata", type(server))
      server:close(0)
    end
    wss.run()
  end)

  it("that is right does not, however odd", function()
    for _, url in ipairs { "WS://127.0.0.1:1", "ws://127.0.0.1:1?q",
      "ws://[::1]:1/", "wss://127.0.0.1:1/%20?a=b&c=%00;d",
      "ws://127.0.0.1:1/a;b//.." } do
      local ok, ws = calling(wss, "connect", url, { onclose = nothing })
      assert.is_true(ok, ws)
      assert.are.equal(url, ws.url)
      ws:terminate()
    end
    wss.run()
  end)
end)

-- ---- closed objects -------------------------------------------------------

describe("a closed connection", function()
  after_each(zero_ledger)

  -- What each method gives on it.
  local function refuses(result)
    assert.is_nil(result[1])
    assert.are.equal("closed", result[2].kind)
    assert.is_true(#tostring(result[2]) > 0)
  end
  local function is_silent(result) assert.are.equal(0, result.n) end
  local after = {
    send = refuses, stream = refuses, receive = refuses, ping = refuses,
    reconnect = refuses, pause = is_silent, resume = is_silent,
    close = is_silent, terminate = is_silent,
    stats = function(result)
      assert.are.equal("integer", math.type(result[1].bytes_in))
    end,
    messages = function(result)
      assert.is_nil((result[1](table.unpack(result, 2, result.n))))
    end,
  }

  it("is specified for every method", function()
    assert.are.same(names(rows.WebSocket), names(after))
  end)

  local endings = {
    ["cleanly"] = function()
      local peer <close> = peers.echo { mode = "echo" }
      local ws = wss.connect(("ws://127.0.0.1:%d/"):format(peer.port))
      local writer = assert(ws:stream())
      assert(writer:finish "x")
      assert.are.equal("x", (ws:receive(30)))
      ws:close()
      wss.run()
      return ws, writer
    end,
    ["because it was terminated"] = function()
      local ws = wss.connect("ws://127.0.0.1:1/", { onclose = nothing })
      local writer = assert(ws:stream())
      ws:terminate()
      wss.run()
      return ws, writer
    end,
    ["because nobody was there"] = function()
      local peer <close> = peers.refuse()
      local ws = wss.connect(("ws://127.0.0.1:%d/"):format(peer.port),
        { onclose = nothing })
      local writer = assert(ws:stream())
      wss.run()
      return ws, writer
    end,
  }
  for how, ending in pairs(endings) do
    for name, check in pairs(after) do
      it(("that ended %s answers %s as it should, twice"):format(how, name),
        function()
          local ws = ending()
          assert.are.equal("closed", ws.state)
          for _ = 1, 2 do
            local arguments = rows.WebSocket[name].good
            if name == "receive" and how == "because nobody was there" then
              -- It gives what ended it.
              local data, err = ws:receive()
              assert.is_nil(data)
              assert.are.equal(ws.error, err)
            else
              check(table.pack(ws[name](ws, table.unpack(arguments))))
            end
          end
          assert.are.equal("closed", ws.state)
        end)
    end

    it("that ended " .. how .. " still checks, reads, writes and closes",
      function()
        local ws, writer = ending()
        for name, row in pairs(rows.WebSocket) do
          each_wrong(name, row, function(label, position, _, arguments)
            local ok, message = calling_method(ws, name,
              table.unpack(arguments, 1, arguments.n))
            raised(ok, message, ("bad argument #%d"):format(position), label)
          end)
        end
        for _, name in ipairs { "write", "finish" } do
          local ok, err = writer[name](writer, "x")
          assert.is_nil(ok)
          assert.are.equal("closed", err.kind)
        end
        assert.are.equal(0, ws.buffered)
        assert.matches("^WebSocket %(ws://.*, closed%)$", tostring(ws))
        for _, field in ipairs { "url", "subprotocol", "peer", "request",
          "error", "tls" } do
          local _ = ws[field]
        end
        ws.mine = 1
        assert.are.equal(1, ws.mine)
        ws.onmessage = nothing
        do
          local scoped <close> = ws
          assert(scoped)
        end
      end)
  end

  it("refuses while it is closing just so", function()
    local peer <close> = peers.echo { mode = "echo" }
    local ws = wss.connect(("ws://127.0.0.1:%d/"):format(peer.port))
    local seen = 0
    function ws:onopen()
      local writer = assert(self:stream())
      assert(writer:write "x")
      self:close()
      for _, name in ipairs { "send", "stream", "ping", "reconnect" } do
        refuses(table.pack(self[name](self,
          table.unpack(rows.WebSocket[name].good))))
        seen = seen + 1
      end
      refuses(table.pack(writer:write "y"))
      for _, name in ipairs { "pause", "resume", "close" } do
        is_silent(table.pack(self[name](self)))
      end
      assert(writer:finish())
    end
    wss.run()
    assert.are.equal(4, seen)
    assert.is_nil(ws.error)
  end)
end)

describe("a closed server", function()
  after_each(zero_ledger)

  local function is_silent(result) assert.are.equal(0, result.n) end
  local function nobody(result) assert.are.equal(0, result[1]) end
  local after = {
    publish = nobody, broadcast = nobody, close = is_silent,
    connections = function(result) assert.is_nil((result[1]())) end,
    reload = function(result) assert.is_true(result[1]) end,
    stats = function(result) assert.are.equal(1, result[1].accepted) end,
  }

  it("is specified for every method", function()
    assert.are.same(names(rows.Server), names(after))
  end)

  local function closed()
    local server, accepted = served()
    server:close(0)
    wss.run()
    assert.are.equal("closed", server.state)
    return server, accepted
  end

  for name, check in pairs(after) do
    it("answers " .. name .. " as it should, twice", function()
      local server = closed()
      for _ = 1, 2 do
        check(table.pack(server[name](server,
          table.unpack(rows.Server[name].good))))
      end
      assert.are.equal("closed", server.state)
    end)
  end

  it("still checks, reads, writes and closes", function()
    local server = closed()
    for name, row in pairs(rows.Server) do
      each_wrong(name, row, function(label, position, _, arguments)
        local ok, message = calling_method(server, name,
          table.unpack(arguments, 1, arguments.n))
        raised(ok, message, ("bad argument #%d"):format(position), label)
      end)
    end
    assert.matches("^Server %(wss://127%.0%.0%.1:%d+, closed%)$",
      tostring(server))
    assert.are.equal(0, server.count)
    assert.are.equal("integer", math.type(server.port))
    server.mine, server.onmessage = 1, nothing
    assert.are.equal(1, server.mine)
    do
      local scoped <close> = server
      assert(scoped)
    end
  end)

  it("leaves connections that answer as closed ones do", function()
    local _, accepted = closed()
    assert.are.equal("closed", accepted.state)
    for _, name in ipairs { "send", "stream", "receive", "ping",
      "subscribe" } do
      local result, err = accepted[name](accepted,
        table.unpack(rows.Accepted[name].good))
      assert.is_nil(result)
      assert.are.equal("closed", err.kind)
    end
    assert.is_false(accepted:unsubscribe "topic")
    assert.are.same({ "GET", "/" }, { accepted.request.method,
      accepted.request.path })
    assert.are.equal("TLSv1.3", accepted.tls.version)
  end)
end)

describe("a timer", function()
  after_each(zero_ledger)

  it("may be cancelled before, during and after, more than once", function()
    local fired, timer = 0, nil
    timer = wss.timer(0, function()
      fired = fired + 1
      timer:cancel()
      timer:cancel()
    end, 0.001)
    local other = wss.timer(0, function() fired = fired + 100 end)
    other:cancel()
    other:cancel()
    wss.run()
    timer:cancel()
    assert.are.equal(1, fired)
  end)
end)

describe("waiting in the wrong place", function()
  after_each(zero_ledger)

  it("raises in a handler: run, step, sleep, receive", function()
    local ws = wss.connect("ws://127.0.0.1:1/", { onclose = nothing })
    local said = {}
    wss.timer(0, function()
      for _, call in ipairs { { wss, "run" }, { wss, "step" },
        { wss, "sleep", 0 }, { ws, "receive", ws } } do
        local ok, message = calling(table.unpack(call))
        said[#said + 1] = { ok, message }
      end
      ws:terminate()
    end)
    wss.run()
    assert.are.equal(4, #said)
    for i, name in ipairs { "run", "step", "sleep", "receive" } do
      raised(said[i][1], said[i][2], name .. " cannot wait here", name)
    end
  end)

  it("raises where two receive at once", function()
    local peer <close> = peers.echo { mode = "silent" }
    local ws = wss.connect(("ws://127.0.0.1:%d/"):format(peer.port))
    wss.spawn(function() ws:receive() end)
    local ok, message
    wss.spawn(function()
      ok, message = calling_method(ws, "receive")
      ws:close()
    end)
    wss.run()
    raised(ok, message, "another is receiving", "receive")
  end)
end)

-- A finalizer that was made before everything runs after everything.
local after_the_end = [[
local by_hand, first, ending = %s, %s, %q
local wss = not first and require "uvwss"
local last = setmetatable({}, { __gc = function(self)
  local n = 0
  local function try(f, ...)
    local ok, message = pcall(f, ...)
    assert(ok or type(message) == "string")
    n = n + 1
  end
  for _, object in ipairs(self.objects) do
    for _, name in ipairs { "send", "stream", "receive", "messages", "ping",
      "pause", "resume", "reconnect", "close", "terminate", "stats", "write",
      "finish", "cancel", "reload", "verify", "publish", "broadcast", "connections",
      "subscribe", "unsubscribe" } do
      local method = self.methods[object][name]
      if method then
        try(method, object)
        try(method, object, "x")
        try(method, object, "x", "y")
        try(method, object, 1000)
      end
    end
    try(function() object.onclose = type end)
    try(function() object.onupgrade = type end)
    try(function() return object.count, object.request, object.url end)
    try(function() object.mine = 1 end)
    try(function() return object.state end)
    try(tostring, object)
    try(getmetatable(object).__gc, object)
    try(getmetatable(object).__close or type, object)
  end
  try(wss.connect, "ws://127.0.0.1:1/")
  try(wss.connect, "wss://127.0.0.1:1/")
  try(wss.tls, {})
  try(wss.listen, "ws://127.0.0.1:0")
  try(wss.run)
  try(wss.stop)
  try(wss.step)
  try(wss.spawn, print)
  try(wss.sleep, 0)
  try(wss.timer, 0, print)
  try(wss.pollfd)
  try(wss.timeout)
  try(wss.stats)
  try(wss.versions)
  io.stdout:write("tried ", n > 50 and "all" or n, "\n")
end })
wss = wss or require "uvwss"
local server = wss.listen("ws://127.0.0.1:0")
wss.connect(server.url, { onclose = function() end }):send("x")
repeat wss.step() until server.count == 1
local accepted = server:connections()()
accepted:subscribe("all")
assert(server:publish("all", ("z"):rep(10000000)) == 1)
local ws = wss.connect("ws://127.0.0.1:1/")
local other = wss.connect("ws://127.0.0.1:1/", { onclose = function() end })
local writer = ws:stream()
writer:write(("x"):rep(100000))
ws:send(("y"):rep(100000), "binary", function() print "called" end)
last.objects = { ws, other, writer, wss.timer(1000, print), wss.tls {}, server,
  accepted }
last.methods = {}
for _, object in ipairs(last.objects) do
  local index = getmetatable(object).__index
  last.methods[object] = type(index) == "table" and index
    or select(2, debug.getupvalue(index, 1))
end
other:terminate()
wss.step()
if by_hand then
  for _, object in ipairs(last.objects) do
    getmetatable(object).__gc(object)
  end
end
if ending == "os.exit" then os.exit(0, true) end
]]

describe("a finalizer that comes last", function()
  for _, ending in ipairs { "the end of the script", "os.exit" } do
    for _, by_hand in ipairs { false, true } do
      for _, first in ipairs { false, true } do
        it(("at %s may try everything, and nothing crashes%s%s"):format(ending,
          by_hand and ", even if __gc was called by hand" or "",
          first and ", when it is older than the module" or ""),
          function()
            local output, status = process.run { "lua5.4", "-e",
              after_the_end:format(by_hand, first, ending) }
            assert.are.equal("exit 0", status.how .. " " .. status.code,
              status.stderr)
            assert.are.equal("", status.stderr)
            assert.are.equal("tried all\n", output)
          end)
      end
    end
  end
end)

describe("what only a finalizer makes, at the end of the state,", function()
  it("leaks nothing and crashes nothing", function()
    local output, status = process.run { "lua5.4", "-e", [[
      local wss = require "uvwss"
      setmetatable({}, { __gc = function()
        local tls = wss.tls {}
        print(wss.connect("wss://127.0.0.1:1/", { tls = tls }).state)
        print(wss.connect("wss://127.0.0.1:1/"):stream("text"):write("x"))
        wss.timer(0, print)
        wss.spawn(print)
        print(wss.listen("ws://127.0.0.1:0", { onclose = print }).state)
      end })
    ]] }
    assert.are.equal("exit 0", status.how .. " " .. status.code,
      status.stderr)
    assert.are.equal("", status.stderr)
    assert.are.equal("connecting\ntrue\nlistening\n", output)
  end)
end)
