--- The conformance suite's machine: rows of spec/rfc6455/cases against our
-- client and our server, through the raw peers of peers/conform.py.
--
-- A row is { name, section, … }. The name is the promise, the section the
-- RFC's that it follows from. What the peer does, after an opening handshake:
--   send       a list of frames (conform.frame), strings of bytes, and steps
--              of conform.py; frames are masked where the peer is a client.
--              All bytes between two steps are one piece of input
--   tail       the steps at the end, instead of those that fit the outcome
--   behind     true: without waiting for the end of the opening handshake,
--              so that the frames come in one piece with its last line
--   request    of the handshake, as bytes (our server only)
--   response   the same (our client only); $ACCEPT and $KEY are filled in
-- What must be seen, and nothing else:
--   messages   { data, kind } of each one delivered
--   pings, pongs  payloads that onping and onpong are told
--   frames     { opcode, payload } of each frame ours sends, but for its close;
--              false: whatever `check` finds right
--   fault      a name of conform.faults: what is wrong. Ours closes with its
--              code, is the first to hang up, and reports its error
--   close      without a fault: the code ours sends, false for a close without
--              one, "none" for no close frame
--   said       the reason ours sends, where that is looked at
--   onclose    the code, the reason, and the kind and code of the error
--   status     of our server's answer (101), with `headers` (false: not there)
--              and `refused`, the kind and code that onrefused is told
--   refused    of our client's handshake: the kind and code of the error
--   check      function(told, seen), for everything else
-- How it is run:
--   role       "client" or "server" (ours), where it is not for both
--   over       "ws" or "wss", where it is not for both
--   once       true: uncut only, since nothing is sent that could be cut
--   options    of connect and listen
--   open, message  function(ws, seen), function(ws, data, seen): what our side
--              does
-- A row where nothing says how it ends is closed with 1000 by the peer.

local assert = require "luassert"
local certs = require "spec.support.certs"
local json = require "dkjson"
local process = require "spec.support.process"
local server = require "spec.support.server"
local variant = require "spec.support.variant"
local wss = require "uvwss"

local conform = {}

conform.sections = { "04_request", "04_response", "05_framing", "05_control",
  "05_fragmentation", "06_sending", "07_closing", "08_utf8", "10_limits" }
conform.cuts = { "whole", "bytes", "random" }
local roles <const>, ways <const> = { "client", "server" }, { "ws", "wss" }
local patience <const> = 60 * (tonumber(os.getenv "UVWSS_SLOW") or 1)
local at_once <const> = 64
-- Random cuts are the same every time, unless another word is given.
local seed <const> = os.getenv "UVWSS_SEED" or "6455"

-- What is wrong: the code of our close, and the kind and code of the error.
conform.faults = {
  bits = { 1002, "protocol", "reserved_bits" },
  opcode = { 1002, "protocol", "opcode" },
  mask = { 1002, "protocol", "mask" },
  control = { 1002, "protocol", "control_length" },
  fragmentation = { 1002, "protocol", "fragmentation" },
  length = { 1002, "protocol", "frame_length" },
  code = { 1002, "protocol", "close_code" },
  utf8 = { 1007, "protocol", "utf8" },
  size = { 1009, "limit", "message_size" },
}

-- ---- frames -----------------------------------------------------------------

local Frame = {}

---A frame: `fin` (true), `rsv` (0 to 7), `key` (of four bytes), `mask` (true
---or false, whatever the role), `len` (what it claims) and `wide` (16 or 64
---bits for it), `cut` (so many bytes of the payload are sent).
function conform.frame(opcode, payload, more)
  local f = setmetatable({ opcode = opcode, payload = payload or "",
    fin = true, rsv = 0 }, Frame)
  for name, value in pairs(more or {}) do f[name] = value end
  return f
end

---A close frame's payload.
function conform.code(code, reason)
  return string.pack(">I2", code) .. (reason or "")
end

local function masked(data, key)
  local parts, k = {}, string.unpack("<I4", key)
  for at = 1, #data - 3, 4 do
    parts[#parts + 1] = string.pack("<I4", string.unpack("<I4", data, at) ~ k)
  end
  for at = #data - #data % 4 + 1, #data do
    parts[#parts + 1] = string.char(data:byte(at)
      ~ key:byte((at - 1) % 4 + 1))
  end
  return table.concat(parts)
end

local function encoded(f, by_client)
  local mask, payload = f.mask, f.payload
  if mask == nil then mask = by_client end
  local n = f.len or #payload
  local wide = f.wide or (n > 65535 or n < 0) and 64 or n > 125 and 16
  local head = string.pack("BB", (f.fin and 128 or 0) | f.rsv << 4 | f.opcode,
    (mask and 128 or 0) | (wide == 64 and 127 or wide == 16 and 126 or n))
  if wide then head = head .. string.pack(wide == 64 and ">I8" or ">I2", n) end
  if mask then
    local key = f.key or "\x37\xfa\x21\x3d" -- RFC 6455, 5.7
    head, payload = head .. key, masked(payload, key)
  end
  return head .. payload:sub(1, f.cut or -1)
end

-- ---- scripts ----------------------------------------------------------------

local function hex(s)
  return (s:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

local function bytes(s)
  return (s:gsub("%x%x", function(x) return string.char(tonumber(x, 16)) end))
end

-- Merge what is sent between two steps.
local function steps_of(list, by_client)
  local steps, pending = {}, {}
  local function flush()
    if pending[1] then
      steps[#steps + 1] = { "send", hex(table.concat(pending)) }
      pending = {}
    end
  end
  for _, item in ipairs(list) do
    if getmetatable(item) == Frame then
      pending[#pending + 1] = encoded(item, by_client)
    elseif type(item) == "string" then
      pending[#pending + 1] = item
    else
      flush()
      steps[#steps + 1] = item
    end
  end
  flush()
  return steps
end

conform.key = "dGhlIHNhbXBsZSBub25jZQ=="
local plain_request = "GET / HTTP/1.1\r\nHost: localhost\r\n"
  .. "Upgrade: websocket\r\nConnection: Upgrade\r\n"
  .. "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
  .. conform.key .. "\r\n\r\n"
local plain_response = "HTTP/1.1 101 Switching Protocols\r\n"
  .. "Upgrade: websocket\r\nConnection: Upgrade\r\n"
  .. "Sec-WebSocket-Accept: $ACCEPT\r\n\r\n"

local function opens(row)
  if row.role == "server" and row.status then return row.status == 101 end
  return not row.refused
end

-- Does the row leave its end to us?
local function is_left(row)
  return opens(row) and not row.fault and row.close == nil and not row.onclose
end

local function tail_of(row, role)
  if row.tail then return row.tail end
  if not opens(row) or row.fault or row.close == "none" then
    return { { "eof" } }
  end
  if role == "server" then return { { "until", 8 }, { "eof" } } end
  return { { "until", 8 }, { "fin" }, { "eof" } }
end

local function script_of(row, role)
  local by_client = role == "server"
  local hello = by_client and (row.request or plain_request)
    or row.response or plain_response
  local list = { table.unpack(row.send or {}) }
  if is_left(row) then
    list[#list + 1] = conform.frame(8, conform.code(1000))
  end
  if not opens(row) then -- there is nothing but the handshake
    table.insert(list, 1, hello)
  elseif row.behind then
    table.insert(list, 1, hello)
  elseif row.request or row.response then
    table.insert(list, 1, hello)
    table.insert(list, 2, { "head" })
  else
    table.insert(list, 1, { "put", hex(hello) })
    table.insert(list, 2, { "head" })
  end
  if row.behind and by_client then list[#list + 1] = { "head" } end
  if by_client and not opens(row) then list[#list + 1] = { "head" } end
  table.move(tail_of(row, role), 1, #tail_of(row, role), #list + 1, list)
  return steps_of(list, by_client)
end

-- ---- our side ---------------------------------------------------------------

local function new_seen(row)
  return { row = row, messages = {}, pings = {}, pongs = {}, opened = 0,
    closed = 0 }
end

local function kind_of(err)
  return err and { err.kind, err.code } or nil
end

-- Handlers that take notes of a connection.
local function handlers(notes)
  return {
    onopen = function(ws, info)
      local seen = notes(ws)
      seen.opened = seen.opened + 1
      seen.subprotocol = ws.subprotocol
      seen.request, seen.info = ws.request, info
      if seen.row.open then seen.row.open(ws, seen) end
    end,
    onmessage = function(ws, data, kind)
      local seen = notes(ws)
      table.insert(seen.messages, { data, kind })
      if seen.row.message then seen.row.message(ws, data, seen) end
    end,
    onping = function(ws, payload) table.insert(notes(ws).pings, payload) end,
    onpong = function(ws, payload) table.insert(notes(ws).pongs, payload) end,
    onclose = function(ws, code, reason, err)
      local seen = notes(ws)
      seen.closed = seen.closed + 1
      seen.close = { code, reason, table.unpack(kind_of(err) or {}) }
      seen.err = err
    end,
  }
end

local function options_of(row)
  local options = { ping_interval = false, close_timeout = patience }
  for name, value in pairs(row.options or {}) do options[name] = value end
  return options
end

-- What a server hears belongs to the job whose address it is.
local function listen(row, way, tls, all_seen)
  local options = options_of(row)
  local function by_ip(ip)
    local a, b, c = ip:match "^127%.(%d+)%.(%d+)%.(%d+)$"
    return all_seen[(tonumber(a) - 1) * 65536 + tonumber(b) * 256
      + tonumber(c)]
  end
  local notes = handlers(function(ws) return by_ip(ws.peer.ip) end)
  for name, f in pairs(notes) do
    options[name] = function(_, ...) return f(...) end
  end
  function options.onrefused(_, err, peer)
    by_ip(peer.ip).refused = kind_of(err)
  end
  options.tls = way == "wss" and tls or nil
  options.handshake_timeout = options.handshake_timeout or patience
  return assert(wss.listen(way .. "://127.0.0.1:0", options))
end

local function dial(row, way, port, number, seen)
  local options = options_of(row)
  options.tls = way == "wss" and { insecure = true } or nil
  options.open_timeout = options.open_timeout or patience
  for name, f in pairs(handlers(function() return seen end)) do
    options[name] = f
  end
  return wss.connect(("%s://127.0.0.1:%d/%d%s"):format(way, port, number,
    row.target or ""), options)
end

-- ---- a run ------------------------------------------------------------------

-- With a collection at every call into Lua the one cut is as good as another:
-- what Lua sees is the same.
local function is_run(row, way, cut)
  if row.over and row.over ~= way then return false end
  if row.once then return cut == "whole" end
  return variant ~= "gc" or cut == "random"
end

-- The jobs of one role, and the scripts they follow.
local function plan(rows, role)
  local scripts, jobs = {}, {}
  for index, row in ipairs(rows) do
    scripts[index] = setmetatable({}, { __jsontype = "array" })
    if not row.role or row.role == role then
      scripts[index] = script_of(row, role)
      for _, way in ipairs(ways) do
        for _, cut in ipairs(conform.cuts) do
          if is_run(row, way, cut) then
            jobs[#jobs + 1] = { case = index, tls = way == "wss", cut = cut,
              seed = table.concat({ row[1], role, way, seed }, " "),
              row = row, way = way }
          end
        end
      end
    end
  end
  return scripts, jobs
end

local function write_jobs(name, scripts, jobs)
  local list = {}
  for i, job in ipairs(jobs) do
    list[i] = { case = job.case, tls = job.tls, cut = job.cut,
      seed = job.seed, port = job.port }
  end
  local pair = certs "server"
  process.write_file(name, json.encode { cert = pair.cert, key = pair.key,
    patience = patience, at_once = at_once, cases = scripts, jobs = list })
end

local function start(how, dir, ready)
  return process.start { "/usr/bin/python3", "spec/support/peers/conform.py",
    how, dir .. "/jobs", dir .. "/result", ready = ready }
end

local function result(dir, child)
  local deadline = os.time() + 10 * patience
  local text
  repeat
    wss.sleep(0.01)
    text = process.read_file(dir .. "/result")
    if child:stderr() ~= "" then error(child:stderr(), 0) end
    if os.time() > deadline then error("the peers never ended", 0) end
  until text
  return json.decode(text)
end

local function run_servers(scripts, jobs)
  local seen, servers = {}, {}
  local tls = assert(wss.tls(certs "server"))
  for number, job in ipairs(jobs) do
    -- One for all that want nothing in particular.
    local id = (job.row.options and job.case or "") .. job.way
    servers[id] = servers[id] or listen(job.row, job.way, tls, seen)
    job.port, seen[number] = servers[id].port, new_seen(job.row)
  end
  local dir <close> = process.directory()
  write_jobs(dir.path .. "/jobs", scripts, jobs)
  local child <close> = start("call", dir.path, false)
  local told = result(dir.path, child)
  local function all_ended()
    for _, s in pairs(servers) do
      if s.count > 0 or s:stats().handshaking > 0 then return false end
    end
    return true
  end
  server.await(all_ended, "the end of all connections")
  for _, s in pairs(servers) do s:close(0) end
  wss.run()
  return told, seen
end

local function run_clients(scripts, jobs)
  local seen, open = {}, {}
  local dir <close> = process.directory()
  write_jobs(dir.path .. "/jobs", scripts, jobs)
  local child <close> = start("serve", dir.path, "^ready (%d+)")
  local function room()
    for number, ws in pairs(open) do
      if ws.state == "closed" then open[number] = nil end
    end
    local n = 0
    for _ in pairs(open) do n = n + 1 end
    return n < at_once
  end
  for number, job in ipairs(jobs) do
    while not room() do wss.sleep(0.001) end
    seen[number] = new_seen(job.row)
    open[number] = dial(job.row, job.way, child.ports[job.tls and 2 or 1],
      number, seen[number])
  end
  wss.run()
  return result(dir.path, child), seen
end

---Run the rows; returns a function(row, role, way) that gives the list of
---{ cut, told, seen } of one.
function conform.run(rows)
  local found = {}
  for role, run in pairs { server = run_servers, client = run_clients } do
    local scripts, jobs = plan(rows, role)
    local told, seen
    if #jobs > 0 then told, seen = run(scripts, jobs) end
    for number, job in ipairs(jobs) do
      local id = job.case .. role .. job.way
      found[id] = found[id] or {}
      table.insert(found[id], { cut = job.cut, told = told[number],
        seen = seen[number] })
    end
  end
  local index = {}
  for i, row in ipairs(rows) do index[row] = i end
  return function(row, role, way) return found[index[row] .. role .. way] end
end

-- ---- the verdict ------------------------------------------------------------

-- What is expected of a row, in the shape of what is observed.
local function expected(row, role)
  local e = { messages = row.messages or {}, pings = row.pings or {},
    pongs = row.pongs or {}, frames = row.frames, opened = 1, closed = 1 }
  if e.frames == nil then e.frames = {} end
  if not opens(row) then
    e.opened, e.frames = 0, {}
    if role == "client" then
      e.close = { 1006, "", table.unpack(row.refused) }
    else
      e.closed, e.refused, e.status = 0, row.refused, row.status
    end
    return e
  end
  if row.fault then
    local fault = conform.faults[row.fault]
    e.code, e.close, e.first = fault[1], { 1006, "", fault[2], fault[3] }, true
  elseif is_left(row) then
    e.code, e.close = 1000, { 1000, "" }
  else
    e.code, e.close = row.close, row.onclose
  end
  e.code = e.code == "none" and "none" or e.code
  if role == "server" then e.status = 101 end
  return e
end

local function observed(row, role, told, seen)
  local o = { messages = seen.messages, pings = seen.pings,
    pongs = seen.pongs, opened = seen.opened, closed = seen.closed,
    close = seen.close, refused = seen.refused, frames = {} }
  local close, said
  for _, f in ipairs(told.frames) do
    if f.opcode == 8 then
      close = bytes(f.hex)
    else
      table.insert(o.frames, { f.opcode, bytes(f.hex) })
    end
  end
  if opens(row) then
    o.code = "none"
    if close then
      o.code = #close > 1 and string.unpack(">I2", close) or false
      said = close:sub(3)
    end
  end
  if row.frames == false then o.frames = false end
  if row.fault then o.first = told.first end
  if role == "server" then
    o.status = told.heads[1] and math.tointeger(tonumber(
      told.heads[1]:match "^HTTP/1%.1 (%d%d%d) "))
  end
  return o, said
end

-- RFC 6455, 5: true of every frame of ours in every case. Plain asserts: there
-- are many frames.
local function check_frames(role, told)
  local closed, keys = false, {}
  local plain = _G.assert
  for _, f in ipairs(told.frames) do
    local n = #f.hex // 2
    plain(not closed, "a frame behind our close") -- 5.5.1
    plain(f.masked == (role == "client"), "masked the wrong way") -- 5.1
    plain(f.rsv == 0, "reserved bits") -- 5.2
    plain(f.size == (n > 65535 and 10 or n > 125 and 4 or 2), "length") -- 5.2
    plain(f.opcode < 8 or f.fin and n <= 125, "control frame") -- 5.5
    -- 5.3; by chance once in 2^32
    plain(not f.masked or not keys[f.key], "a masking key twice")
    keys[f.key or ""] = true
    closed = f.opcode == 8
  end
end

local function headers_of(head)
  local headers = {}
  for name, value in head:gmatch "\r\n([^:\r\n]+):%s*([^\r\n]*)" do
    headers[name:lower()] = value
  end
  return headers
end

local function equal(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then return a == b end
  for key, value in pairs(a) do
    if not equal(value, b[key]) then return false end
  end
  for key in pairs(b) do
    if a[key] == nil then return false end
  end
  return true
end

---Raises where one run of a row did not show what it must.
function conform.judge(row, role, one)
  local told, seen = one.told, one.seen
  if told.error then error(one.cut .. ": " .. told.error, 0) end
  local o, said = observed(row, role, told, seen)
  local e = expected(row, role)
  if not equal(e, o) then -- which tells how, but takes its time
    assert.are.same({ one.cut, e }, { one.cut, o })
  end
  if row.said then assert.are.equal(row.said, said) end
  check_frames(role, told)
  if role == "server" and row.headers then
    local headers = headers_of(told.heads[1])
    for name, value in pairs(row.headers) do
      assert.are.equal(value or nil, headers[name], name)
    end
  end
  if row.check then row.check(told, seen, role) end
end

-- ---- specs ------------------------------------------------------------------

---The rows of a file of cases.
function conform.rows(name)
  return require("spec.rfc6455.cases." .. name)
end

---Describe all of them, for both roles and over both transports. `env` is
---the environment of a spec: busted gives its functions to nobody else.
function conform.specify(env, name)
  local describe, it = env.describe, env.it
  local rows = conform.rows(name)
  local find
  env.lazy_setup(function() find = conform.run(rows) end)
  for _, role in ipairs(roles) do
    for _, way in ipairs(ways) do
      describe(("our %s over %s:"):format(role, way), function()
        for _, row in ipairs(rows) do
          if (not row.role or row.role == role)
            and (not row.over or row.over == way) then
            it(("%s (%s)"):format(row[1], row[2]), function()
              for _, one in ipairs(find(row, role, way)) do
                conform.judge(row, role, one)
              end
            end)
          end
        end
      end)
    end
  end
  it("leaves nothing behind", function()
    collectgarbage()
    require "spec.support.client".zero_ledger()
  end)
end

---For each section of the RFC how many cases there are, and how many runs,
---and the sections in their order.
function conform.counts()
  local counts, order = {}, {}
  for _, name in ipairs(conform.sections) do
    for _, row in ipairs(conform.rows(name)) do
      local one = counts[row[2]]
      if not one then
        one = { cases = 0, client = 0, server = 0, runs = 0 }
        counts[row[2]] = one
        order[#order + 1] = row[2]
      end
      one.cases = one.cases + 1
      for _, role in ipairs(roles) do
        if not row.role or row.role == role then
          one[role] = one[role] + 1
          one.runs = one.runs + (row.once and 1 or #conform.cuts)
            * (row.over and 1 or #ways)
        end
      end
    end
  end
  local function key(section)
    return (section:gsub("%d+", function(n) return ("%03d"):format(n) end))
  end
  table.sort(order, function(a, b) return key(a) < key(b) end)
  return counts, order
end

return conform
