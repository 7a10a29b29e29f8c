--- One input against the public interface: what it says is done twice over in
-- the same state, with the same outcomes, and nothing is left of it. C hands
-- over what Lua cannot make; `spec/fuzz/options/` has the values, the rules of
-- docs/reference.md, and what outcomes must be like.

local calls = require "options.calls"
local good_values = require "options.good"
local judge = require "options.judge"
local rules = require "options.rules"
local values = require "options.values"
local wss = require "uvwss"

local must = judge.must
local things = ... -- of C

local function nothing() end

-- ---- names and good values --------------------------------------------------

local files = { keylog = true, ca = true, cert = true, key = true, crl = true,
  client_ca = true, ocsp = true }
judge.note = things.note

local known_text = { staple = true, require = true, ["/dev/null"] = true }
for _, text in pairs(things.pem) do known_text[text] = true end

local pem = things.pem
local good = good_values(pem)

local function names_of(of)
  local list = {}
  for name in pairs(of) do list[#list + 1] = name end
  table.sort(list)
  return list
end

local names = {}
for _, of in pairs { rules.connect, rules.listen, rules.tls, rules.tls_server,
  rules.compress, rules.reconnect, rules.query, rules.identity } do
  names[of] = names_of(of)
end

-- ---- tables of options ------------------------------------------------------

local misses = {
  function(name) return name .. "\0x" end,
  function(name) return name:upper() end,
  function(name) return name:sub(1, -2) end,
  function(name) return name .. "s" end,
  function(name) return name .. ("s"):rep(70000) end,
  function(_, v) return v:raw() end,
  function(_, v) return v:value() end,
  function(name) return name .. "\27" end,
  function(name) return ("é"):rep(9) .. name end,
  function(name) return "\xFF" .. name end,
}

local table_of

local function good_value(v, name)
  if name == "compress" then return table_of(v, rules.compress) end
  if name == "reconnect" then return table_of(v, rules.reconnect) end
  if name == "tls" then
    local which = v:byte() % 4
    if which == 3 then return v:box(v:byte() % 2 + 1) end
    return table_of(v, which == 0 and rules.tls_server or rules.tls)
  end
  return good[name] and v:pick(good[name]) or nothing
end

function table_of(v, of)
  local t = {}
  for _ = 1, v:byte() % 9 do
    local how, name = v:byte(), v:pick(names[of])
    if how % 8 == 7 then name = v:pick(misses)(name, v) end
    if how == 6 then name = v:value() end
    local value
    if how < 170 then value = good_value(v, name) else value = v:value() end
    if name ~= nil and name == name then t[name] = value end
  end
  return v:byte() % 16 == 15 and v:meddling(t) or t
end

-- What wss.tls returned, of a client and of a server.
function values:box(i)
  self.boxes[i] = self.boxes[i] or assert(wss.tls(i == 1
    and { insecure = true }
    or { cert = pem.leaf, key = pem.key, tickets = true }))
  return self.boxes[i]
end

-- Nothing outside is touched: no file is made, no name is looked up.
local function tame(t, seen, deep)
  if type(t) ~= "table" or seen[t] then return end
  seen[t] = true
  local changed = {}
  for key, value in next, t do
    local inside = deep or files[key]
    if type(value) == "string" and inside and not known_text[value]
      and not value:find("^/dev/null/") then
      changed[key] = "/dev/null/" .. value
    elseif key == "proxy" and type(value) == "string"
      and not rules.proxies[value] then
      changed[key] = "x" .. value
    end
    tame(value, seen, inside)
  end
  for key, value in pairs(changed) do rawset(t, key, value) end
end

-- ---- calling, as from a line of a user's file -------------------------------

local chunks = {}

local function chunk_of(access)
  local chunk = chunks[access]
  if not chunk then
    chunk = assert(load("local o = ... return table.pack(o" .. access
      .. "(select(2, ...)))", "=user"))
    chunks[access] = chunk
  end
  return chunk
end

local function in_coroutine(chunk, ...)
  local co = coroutine.create(chunk)
  local ok, got = coroutine.resume(co, ...)
  local waits = coroutine.status(co) == "suspended"
  if waits then got = { n = 1, "waits" } end
  return ok, got, waits
end

-- As table.pack has it of pcall.
local function call(v, object, access, args)
  tame(args, {})
  local how = v:byte() % 8 == 7 and in_coroutine or pcall
  local ok, got, waits = how(chunk_of(access), object,
    table.unpack(args, 1, args.n))
  v.receives = v.receives or waits and access == ":receive"
  if not ok then return { n = 2, false, got } end
  return { n = got.n + 1, true, table.unpack(got, 1, got.n) }
end

-- What was refused leaves nothing; returns what was made.
local function check(v, object, access, args, faults, fails)
  local before, wild = wss.stats(), v.wild > 0
  local got = call(v, object, access, args)
  local word = judge.outcome(got, faults, wild, fails)
  v.log[#v.log + 1] = access .. " " .. word
  if word ~= "accepted" and not wild and not faults.drives then
    judge.same_ledger(before, wss.stats())
  end
  if word == "accepted" then return got[2] end
end

-- ---- scenes: connect, listen, tls -------------------------------------------

local urls = {
  connect = { "ws://127.0.0.1:1/", "wss://127.0.0.1:1/x?y", "ws://[::1]:1/",
    "ws+unix:///dev/null/x%0A%FF.sock:/a", bad = { "http://127.0.0.1/", "ws://",
    "ws://u:p@127.0.0.1/", "ws://127.0.0.1:1/#f", "", "ws://127.0.0.1:65536/",
    "ws://127.0.0.1/" .. ("x"):rep(9000), "ws://\xFF/", "ws://a b/", "\0" } },
  listen = { "ws://127.0.0.1:0", "wss://127.0.0.1:0", "ws://192.0.2.1:0",
    "ws+unix:///dev/null/x%0A%FF.sock", bad = { "ws://127.0.0.1:0/path", "http://x",
    "", "ws://127.0.0.1:0?x", "ws://127.0.0.1:99999", "ws://\xFF" } },
}

local function url_of(v, name, faults)
  local how = v:byte()
  if how < 220 then return v:pick(urls[name]) end
  if how < 240 then
    judge.add(faults, "#1", "")
    faults.sure = true
    return v:pick(urls[name].bad)
  end
  local s = v:value()
  if type(s) == "string" then s = "?" .. s end
  judge.add(faults, "#1", type(s) == "string" and "" or "string expected")
  faults.sure = true
  return s
end

-- A server's, if one of its own options is there; nil if it may be either.
local function is_server(t)
  for _, name in ipairs { "sni", "client_ca", "verify_client", "tickets" } do
    if t[name] ~= nil then return true end
  end
  if type(t.ocsp) == "string" and t.ocsp ~= "staple" and t.ocsp ~= "require"
    and t.cert ~= nil then
    return true
  end
  return false
end

local function tls_faults(v, t, of, faults)
  if t ~= nil and rawequal(t, v.boxes[1]) then
    if of == rules.tls_server then
      judge.add(faults, "insecure", "unknown option '")
    end
    faults.unsure = true
  elseif t ~= nil and rawequal(t, v.boxes[2]) then
    if of == rules.tls then judge.add(faults, nil, "unknown option '") end
    faults.unsure = true
  elseif type(t) == "table" then
    judge.faults_of(t, of, faults)
    faults.unsure = next(t) ~= nil
  elseif t ~= nil then
    judge.add(faults, "tls", "table or wss.tls expected, got " .. type(t))
  end
end

local function options_of(v, of, faults)
  local t
  if v:byte() < 240 then t = table_of(v, of) else t = v:value() end
  judge.seen("options", t)
  if type(t) == "table" and v.wild == 0 then
    tame(t, {})
    judge.faults_of(t, of, faults)
  elseif t ~= nil then
    judge.add(faults, "#2", "table expected")
  end
  return t
end

local function finish(object, steps)
  for _ = 1, steps do pcall(wss.step) end
  if object.terminate then object:terminate() else object:close(0) end
end

local function connect(v)
  local faults = {}
  local url = url_of(v, "connect", faults)
  local t = options_of(v, rules.connect, faults)
  if type(t) == "table" and v.wild == 0 then
    tls_faults(v, t.tls, rules.tls, faults)
  end
  local ws = check(v, wss, ".connect", { n = 2, url, t }, faults)
  if ws ~= nil then
    must(v.wild > 0 or ws.state == "connecting" and ws.url == url, "state")
    finish(ws, v:byte() % 4)
  end
end

local function listen(v)
  local faults = {}
  local url = url_of(v, "listen", faults)
  local t = options_of(v, rules.listen, faults)
  local tls = v.wild == 0 and type(t) == "table" and t.tls or nil
  if type(t) == "table" and v.wild == 0 and t.tls == false then tls = false end
  if type(url) == "string" and url:find "^wss" then
    if tls == nil then
      judge.add(faults, "tls", "needs a certificate")
    else
      tls_faults(v, tls, rules.tls_server, faults)
    end
  elseif tls ~= nil then
    judge.add(faults, "tls", "this URL has no TLS")
  end
  local server = check(v, wss, ".listen", { n = 2, url, t }, faults, true)
  if server ~= nil then
    must(server.state == "listening", "state")
    finish(server, v:byte() % 4)
  end
end

local function query(v, box)
  local faults, t = {}, v:byte() % 4 > 0 and table_of(v, rules.query) or nil
  if t and v.wild == 0 then
    tame(t, {})
    judge.faults_of(t, rules.query, faults)
  end
  local chain = v:pick { pem.leaf, pem.chain, "x", pem.leaf:sub(1, -40) }
  local name = v:pick { "example.com", "127.0.0.1", "", "a b" }
  judge.may_add(faults, "onverify must return true or false, not a nil",
    -- of Lua's function that is one of the values
    "bad argument #1 to 'rawlen' (table or string expected, got boolean)")
  check(v, box, ":verify", { n = 3, chain, name, t }, faults, true)
end

local function tls(v)
  local faults = {}
  local of = v:byte() % 2 == 0 and rules.tls or rules.tls_server
  local t
  if v:byte() < 240 then t = table_of(v, of) else t = v:value() end
  if type(t) ~= "table" then
    judge.add(faults, "#1", "table expected")
  elseif v.wild == 0 then
    tame(t, {})
    judge.faults_of(t, is_server(t) and rules.tls_server or rules.tls, faults)
  end
  local unsure = type(t) == "table" and next(t) ~= nil
  local box = check(v, wss, ".tls", { n = 1, t }, faults, unsure)
  if box ~= nil then
    check(v, box, ":reload", { n = 0 }, {}, true)
    query(v, box)
  end
end

-- ---- scenes: functions, methods, fields -------------------------------------

-- It would wait, or begin what has an end of its own.
local function is_long(name, args)
  local n = tonumber(args[1])
  if name == "sleep" then return n and n > 0.002 and n < math.huge end
  return name == "receive" and (not n or n > 0.002)
end

local function arguments(v, name, row, faults)
  local args = { n = v:byte() % (#row + 2) }
  for i = 1, args.n do
    local list = calls.good[name]
    args[i] = v:byte() < 130 and list and v:pick(list) or v:value()
    if type(args[i]) == "function" or row[i] and v:byte() < 40
      and row[i](nothing) == nil then
      args[i] = nothing -- what is called returns, and does nothing
    end
  end
  for i, rule in ipairs(row) do
    local says = rule(args[i])
    judge.seen(name .. i, args[i], says)
    judge.add(faults, "#" .. i, says)
  end
  return args
end

-- Timers and signals, for which the loop waits.
local function unmake(v)
  for _, made in ipairs(v.made or {}) do (made.cancel or made.close)(made) end
  v.made = v.made and {}
end

-- One call of 'object', a table of functions or something with methods.
local function any_call(v, object, of, access, fails)
  local faults = {}
  local name = v:pick(calls.names(of))
  local args = arguments(v, name, of[name], faults)
  if name == "run" and args.n == 0 then faults = {} end
  if is_long(name, args) then return end
  if name == "run" then unmake(v) end
  faults.drives = name == "receive" or name == "run" or name == "sleep"
  if name == "receive" and v.receives then
    judge.may(faults, "another is receiving from this connection")
  end
  v.timed = v.timed or faults.drives
  local made = check(v, object, access .. name, args, faults, fails)
  if made ~= nil and (name == "timer" or name == "signal") then
    v.made[#v.made + 1] = made
  end
  return made
end

local function some(v, fn)
  for _ = 1, 1 + v:byte() % 6 do fn() end
end

local function functions(v)
  v.made = {}
  some(v, function() any_call(v, wss, calls.wss, ".") end)
  unmake(v)
end

local function fields(v, object, known)
  local name, value = v:value(), v:value()
  if type(value) == "function" then value = nothing end
  if v:byte() < 130 then name = v:pick(known) end
  local says
  if type(name) == "string" and name:find "^on" then
    local is = (" " .. known.handlers .. " "):find(" " .. name .. " ", 1, true)
    says = not is and "unknown handler '" or value ~= nil
      and type(value) ~= "function" and "function expected, got " or nil
  elseif name == nil or name ~= name then
    says = "a field's name cannot be nil or NaN"
  elseif known.fixed[name] then
    says = known.fixed[name] == "method" and "is a method"
      or "can only be read"
  end
  local ok, text = pcall(known.set, object, name, value)
  local faults = {}
  judge.add(faults, nil, says)
  v.log[#v.log + 1] = "field " .. judge.outcome({ n = 1, ok, text }, faults,
    v.wild > 0)
  if ok and says == nil then
    local got = object[name]
    must(rawequal(got, value) or value ~= value and got ~= got,
      "a field is not what it was set to:", got, "for", value)
  end
end

local set = load("local o, name, value = ... o[name] = value", "=user")
local function known_of(handlers, read_only, methods)
  local known = { handlers = handlers, set = set, fixed = {}, "own", "on",
    "onopen\0x", "onx" }
  for name in handlers:gmatch "%w+" do known[#known + 1] = name end
  for name in read_only:gmatch "%w+" do known.fixed[name] = "field" end
  for name in pairs(methods) do known.fixed[name] = "method" end
  for _, name in ipairs(calls.names(known.fixed)) do
    known[#known + 1] = name
  end
  return known
end
local client_fields = known_of(rules.client_handlers,
  "state url subprotocol buffered peer request error tls",
  { send = 1, close = 1, subscribe = 1 })
local server_fields = known_of(rules.server_handlers, "url port count state",
  { publish = 1, reload = 1 })

-- What comes of it the network says, and when.
local function step(v)
  v.timed = true
  pcall(wss.step)
end

local function client(v)
  local ws = wss.connect("ws://127.0.0.1:1/", { onclose = nothing })
  things.objects = { ws, nothing }
  some(v, function()
    local how = v:byte() % 8
    if how == 0 then fields(v, ws, client_fields)
    elseif how == 1 then step(v)
    elseif how == 2 then
      local writer = ws:stream(v:pick { "text", "binary" })
      if writer then any_call(v, writer, calls.writer, ":", true) end
    else any_call(v, ws, calls.client, ":", true) end
  end)
  ws:terminate()
end

local function server(v)
  local s = assert(wss.listen("ws://127.0.0.1:0", { slow_consumer = v:pick {
    "close", "drop", "wait" } }))
  things.objects = { s, nothing }
  some(v, function()
    if v:byte() % 4 == 0 then fields(v, s, server_fields)
    else any_call(v, s, calls.server, ":", true) end
  end)
  s:close(0)
end

-- Both ends of a connection that is open, or was.
local function accepted(v)
  local s = assert(wss.listen("ws://127.0.0.1:0"))
  local ws = wss.connect(s.url, { onmessage = nothing, onclose = nothing })
  repeat wss.step() until s.count == 1 and ws.state == "open"
  local other = s:connections()()
  things.objects = { s, other, nothing }
  some(v, function()
    local how = v:byte() % 4
    if how == 0 then any_call(v, s, calls.server, ":", true)
    elseif how == 1 then step(v)
    else any_call(v, other, calls.accepted, ":", true) end
  end)
  ws:terminate()
  s:close(0)
end

local scenes = { connect, listen, tls, connect, functions, client, server,
  accepted }

-- ---- one input --------------------------------------------------------------

-- Finalizers may begin something new.
local function see_through()
  for _ = 1, 20 do
    pcall(wss.run)
    collectgarbage()
    if judge.is_zero(wss.stats()) then return end
  end
  judge.zero(wss.stats())
end

things.objects = { nothing }
function things.meddle()
  pcall(function()
    wss.connect("ws://127.0.0.1:1/", { onclose = nothing }):terminate()
  end)
  collectgarbage()
end

local function play(data)
  local v = values.new(data, things)
  v.log, v.boxes = {}, {}
  local scene = v:pick(scenes)
  scene(v)
  return table.concat(v.log, "\n"), v.wild > 0 or v.timed
end

local function once(data)
  local log, wild = play(data)
  things.objects = { nothing }
  see_through()
  return log, wild
end

return function(data)
  wss.onerror = nothing
  local first, wild = once(data)
  local second = once(data)
  must(wild or first == second, "two outcomes:", first, "and", second)
  return first
end
