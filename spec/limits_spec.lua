-- Every phase of a connection in which the other side may stop for ever, and
-- what ends it. docs/limits.md has the same rows, with the times it took once;
-- `make limits` prints them anew.

local certs = require "spec.support.certs"
local process = require "spec.support.process"
local wss = require "uvwss"

local slow = tonumber(os.getenv "UVWSS_SLOW") or 1
local most = 20 * slow -- seconds beyond the limit, on a machine that is busy
local python = "/usr/bin/python3"
local stall = "spec/support/peers/stall.py"

local trusting = assert(wss.tls { ca = certs.ca })

local function now()
  return tonumber(process.read_file "/proc/uptime":match "%S+")
end

-- ---- our client -------------------------------------------------------------

-- Of who does answer, before he stays: a busy machine must leave him the time.
local answered = 5

-- phase, behaviour of the server (spec/support/peers/stall.py), schemes, the
-- option that ends it and its value, what onclose tells.
local client_rows = {
  { "TCP", "full", { "ws" }, "open_timeout", 0.5, "timeout open" },
  { "proxy", "silent", { "ws" }, "open_timeout", 0.5, "timeout open",
    proxy = "http", says = "an HTTP proxy that says nothing" },
  { "proxy", "half proxy", { "ws" }, "open_timeout", 0.5, "timeout open",
    proxy = "http", says = "an HTTP proxy that stops within its answer" },
  { "proxy", "silent", { "ws" }, "open_timeout", 0.5, "timeout open",
    proxy = "socks5", says = "a SOCKS proxy that says nothing" },
  { "TLS", "silent", { "wss" }, "open_timeout", 0.5, "timeout open" },
  { "TLS", "half record", { "wss" }, "open_timeout", 0.5, "timeout open" },
  { "TLS", "half flight", { "wss" }, "open_timeout", 0.5, "timeout open" },
  { "TLS", "dribbled flight", { "wss" }, "open_timeout", 0.5, "timeout open" },
  { "upgrade", "silent", { "ws" }, "open_timeout", 0.5, "timeout open" },
  { "upgrade", "half head", { "ws", "wss" }, "open_timeout", 0.5,
    "timeout open" },
  { "upgrade", "endless head", { "ws", "wss" }, "open_timeout", 0.5,
    "timeout open" },
  { "upgrade", "refusal", { "ws", "wss" }, "none needed", 0, "upgrade status" },
  { "open", "no pong", { "ws", "wss" }, "ping_timeout", 0.5, "timeout ping",
    options = { ping_interval = 0.2 } },
  { "open", "deaf", { "ws", "wss" }, "ping_timeout", 0.5, "timeout ping",
    options = { ping_interval = 0.2 }, does = "sends" },
  { "closing", "no close", { "ws", "wss" }, "close_timeout", 0.5,
    "timeout close", does = "closes" },
  { "closing", "chatters", { "ws", "wss" }, "close_timeout", 0.5,
    "timeout close", does = "closes" },
  { "closing", "deaf", { "ws", "wss" }, "close_timeout", 0.5,
    "timeout drain", does = "sends and closes" },
  { "closing", "no end", { "ws", "wss" }, "close_timeout", answered,
    "clean 1000", does = "closes" },
}

-- ---- our server -------------------------------------------------------------

-- Who gets an answer (408, 503) has `close_timeout` to read it and hang up.
local told_408 = { close_timeout = 0.3 }

local server_rows = {
  { "TLS", "mute", { "wss" }, "handshake_timeout", 0.5, "timeout open" },
  { "TLS", "half hello", { "wss" }, "handshake_timeout", 0.5, "timeout open" },
  { "TLS", "hello", { "wss" }, "handshake_timeout", 0.5, "timeout open" },
  { "request", "silent", { "ws", "wss" }, "handshake_timeout", 0.5,
    "timeout open" },
  { "request", "half head", { "ws", "wss" }, "handshake_timeout", 0.5,
    "timeout open", options = told_408 },
  { "request", "endless head", { "ws", "wss" }, "handshake_timeout", 0.5,
    "timeout open", options = told_408 },
  { "decision", "asks", { "ws", "wss" }, "upgrade_timeout", 0.5,
    "timeout open", says = "`onupgrade` never answers", options = told_408 },
  { "open", "no pong", { "ws", "wss" }, "ping_timeout", 0.5, "timeout ping",
    options = { ping_interval = 0.2 } },
  { "open", "deaf", { "ws", "wss" }, "ping_timeout", 0.5, "timeout ping",
    options = { ping_interval = 0.2 }, does = "sends" },
  { "closing", "no close", { "ws", "wss" }, "close_timeout", 0.5,
    "timeout close", does = "closes" },
  { "closing", "chatters", { "ws", "wss" }, "close_timeout", 0.5,
    "timeout close", does = "closes" },
  { "closing", "deaf", { "ws", "wss" }, "close_timeout", 0.5,
    "timeout drain", does = "sends and closes" },
  { "closing", "no end", { "ws", "wss" }, "close_timeout", answered,
    "clean 1000", does = "closes", says = "answers the close and does not hang up" },
  { "server:close", "no close", { "ws", "wss" }, "grace", 0.5,
    "closed local", does = "closes all" },
}

-- Nobody is told of a caller who wanted no WebSocket: he is gone when no
-- transport is left, so that each of these runs alone.
local kept_row = { "next request", "kept", { "ws", "wss" },
  "handshake_timeout", 0.5, "gone" }

local stops = {
  full = "a queue of callers that is full",
  silent = "says nothing",
  mute = "says nothing",
  ["half record"] = "stops within the first record",
  ["half flight"] = "stops within its first flight",
  ["dribbled flight"] = "sends its first flight a byte every 50 ms",
  ["half hello"] = "stops within its ClientHello",
  hello = "never answers the server's flight",
  ["half head"] = "stops within its head",
  ["endless head"] = "sends a header without end, a byte every 50 ms",
  refusal = "refuses, with a body that never comes whole",
  ["no pong"] = "answers no ping",
  deaf = "does not read, and megabytes wait for it",
  ["no close"] = "does not answer the close",
  chatters = "sends messages instead of a close",
  ["no end"] = "answers the close and does not hang up",
  kept = "asks for a page, and then for nothing",
}

-- ---- what happens -------------------------------------------------------------

local function word(err, code)
  return err and err.kind .. " " .. err.code or "clean " .. code
end

local function act(ws, row)
  local does = row.does or ""
  if does:find "sends" then
    for _ = 1, 8 do assert(ws:send(("x"):rep(4 << 20), "binary")) end
  end
  if does:find "closes$" then ws:close() end
end

local function options_of(row, more)
  local options = { open_timeout = nil, ping_interval = false,
    close_timeout = row[4] == "close_timeout" and row[5] or 60 }
  for name, value in pairs(row.options or {}) do options[name] = value end
  for name, value in pairs(more) do options[name] = value end
  if row[4]:find "_timeout" then options[row[4]] = row[5] end
  return options
end

local results, finished = {}, false

local function tell(role, scheme, row, began)
  local result = { role = role, scheme = scheme, row = row, began = began }
  results[#results + 1] = result
  result.number = #results
  return function(what)
    assert(not result.what, "told twice")
    result.what, result.at = what, now()
    result.took = result.at - result.began
  end, result
end

local function run_client(row, scheme, ports)
  local port = assert(ports[row[2] .. " " .. scheme],
    row[2] .. " " .. scheme .. " is no behaviour")
  local over, result = tell("client", scheme, row, now())
  local url = ("%s://localhost:%d/"):format(scheme, port)
  local proxy = row.proxy and ("%s://127.0.0.1:%d"):format(row.proxy, port)
  if row[2] == "full" then url = url:gsub("localhost", "127.0.0.1") end
  wss.connect(url, options_of(row, {
    tls = trusting, proxy = proxy,
    onmessage = function() end,
    onopen = function(ws)
      result.began = now()
      act(ws, row)
    end,
    onclose = function(_, code, _, err) over(word(err, code)) end,
  }))
end

-- Both ends of what is slow, at once: servers of ours, and callers for them.
local function start_server(row, scheme, callers, servers)
  local over, result = tell("server", scheme, row, math.huge)
  local identity = certs "server"
  local server
  server = assert(wss.listen(scheme .. "://127.0.0.1:0", options_of(row, {
    tls = scheme == "wss" and { cert = identity.cert, key = identity.key }
      or nil,
    onupgrade = row[2] == "asks" and function()
      repeat wss.sleep(0.05) until finished
    end or nil,
    onrequest = function()
      result.began, result.seen = now(), true
      return 200, nil, "a page"
    end,
    onmessage = function() end,
    onopen = function(_, ws)
      result.began, result.seen = now(), true
      act(ws, row)
      if row.does == "closes all" then server:close(row[5]) end
    end,
    onclose = function(_, _, code, _, err) over(word(err, code)) end,
    onrefused = function(_, err) over(word(err)) end,
  })))
  servers[#servers + 1] = server
  callers[#callers + 1] = row[2] .. " " .. scheme
  callers[#callers + 1] = tostring(server.port)
  result.port = server.port
  return over, result
end

local function await(condition)
  local patience = now() + 2 * most
  while not condition() and now() < patience do wss.sleep(0.01) end
end

local function all_told()
  for _, result in ipairs(results) do
    if not result.what then return false end
  end
  return true
end

local function caller_words()
  return { python, stall, certs.ca, "clients", ready = false }
end

-- Since when each caller calls, where no event of ours tells.
local function read_times(near, servers)
  for _ = 1, #servers do
    local at, port = near:line():match "^stuck ([%d.]+) (%d+)$"
    for _, result in ipairs(results) do
      if result.port == tonumber(port) and not result.seen then
        result.began = tonumber(at)
        result.took = result.at and result.at - result.began
      end
    end
  end
end

local function run_kept(scheme)
  local callers, servers = caller_words(), {}
  local over, result = start_server(kept_row, scheme, callers, servers)
  local near <close> = process.start(callers)
  await(function() return result.seen end)
  await(function() return wss.stats().transports == 0 end)
  over(wss.stats().transports == 0 and "gone" or "there")
  servers[1]:close(0)
  return near
end

-- The loop's clock stands still within a pass, which may be a long one: a time
-- that begins at its end is over so much earlier.
local longest = 0
local function watch_passes()
  local last = now()
  return wss.timer(0, function()
    longest, last = math.max(longest, now() - last), now()
  end, 0.01)
end

local ran
local function run_all()
  if ran then return results end
  ran = true
  local identity = certs "server"
  local names, ports = {}, {}
  for name in process.run { python, stall, "names" }:gmatch "[^\n]+" do
    names[#names + 1] = name
  end
  local far <close> = process.start { python, stall, identity.cert,
    identity.key, "servers" }
  for i, name in ipairs(names) do ports[name] = far.ports[i] end
  local callers, servers = caller_words(), {}
  wss.run(function()
    local watch = watch_passes()
    for _, row in ipairs(server_rows) do
      for _, scheme in ipairs(row[3]) do
        start_server(row, scheme, callers, servers)
      end
    end
    local near <close> = process.start(callers) -- they want this loop
    for _, row in ipairs(client_rows) do
      for _, scheme in ipairs(row[3]) do run_client(row, scheme, ports) end
    end
    await(all_told)
    watch:cancel()
    finished = true
    for _, server in ipairs(servers) do server:close(0) end
    read_times(near, servers)
    await(function() return wss.stats().transports == 0 end)
    for _, scheme in ipairs(kept_row[3]) do run_kept(scheme) end
  end)
  return results
end

-- ---- the table --------------------------------------------------------------

local function line_of(result, took)
  local row = result.row
  local option = row[4]
  if option:find "_timeout" then
    option = ("`%s`"):format(option)
  elseif option == "grace" then
    option = "`grace`"
  end
  return ("| %s | %s | %s | %s | %s | %s | %s |"):format(result.role,
    result.scheme, row[1], row.says or stops[row[2]],
    row[5] > 0 and ("%s = %g"):format(option, row[5]) or option,
    result.what or "nothing", took)
end

describe("whoever stops in the middle", function()
  it("is noticed in time, whatever he does, and it is said why", function()
    for _, result in ipairs(run_all()) do
      local row = result.row
      local label = line_of(result, result.took and ("%.2f"):format(
        result.took) or "?")
      assert.are.equal(row[6], result.what, label)
      -- The clock has steps of 10 ms, as the loop's has of 1 ms.
      assert.is_true(result.took >= row[5] - 0.03 - longest, label)
      assert.is_true(result.took <= row[5] + most, label)
    end
    for name, n in pairs(wss.stats()) do assert.are.equal(0, n, name) end
  end)

  it("is in docs/limits.md, row by row", function()
    local documented = {}
    for line in io.lines "docs/limits.md" do
      local cells = line:match "^(| [cs]%l+ | wss? | .*|) [%d.]+ |$"
      if cells then documented[#documented + 1] = cells end
    end
    local wanted = {}
    for _, result in ipairs(run_all()) do
      wanted[#wanted + 1] = (line_of(result, ""):gsub("  |$", ""))
    end
    table.sort(documented)
    table.sort(wanted)
    assert.are.same(wanted, documented)
  end)

  if os.getenv "UVWSS_TABLE" then
    it("prints the table", function()
      table.sort(run_all(), function(a, b)
        if a.role ~= b.role then return a.role < b.role end
        return a.number < b.number
      end)
      print "\n| role | | phase | the other side | ended by | error | seconds |"
      print "|---|---|---|---|---|---|--:|"
      for _, result in ipairs(run_all()) do
        print(line_of(result, ("%.2f"):format(result.took or -1)))
      end
    end)
  end
end)
