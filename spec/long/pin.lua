--- Strings stay whole: many messages over TLS to a server that reads slowly,
-- or from a server of ours to slow clients, the only reference to each dropped
-- at once, a collection after every send and in every handler, and every
-- SHA-256 compared.
--
--   lua5.4 spec/long/pin.lua [--count N] [--max BYTES]
--     [--peer echo|node|guests] [--guests N] [--rate BYTES/S] [--window BYTES] [--seed N] [--slack BYTES]
--
-- Prints what was measured; the exit status is not 0 if a digest differs, if
-- the ledger does not return to zero, or if resident memory was ever more than
-- `slack` above its start plus the strings that were alive.

local certs = require "spec.support.certs"
local peers = require "spec.support.peers"
local process = require "spec.support.process"
local wss = require "uvwss"

local options = { count = 2000, max = 4 << 20, peer = "echo", seed = 1, guests = 3,
  rate = 200e6, window = 32 << 20, slack = 8 << 20 }
for i = 1, #arg, 2 do
  local name = arg[i]:match "^%-%-(%w+)$"
  assert(name and options[name], "unknown option " .. arg[i])
  options[name] = math.tointeger(tonumber(arg[i + 1])) or tonumber(arg[i + 1])
    or arg[i + 1]
end
math.randomseed(options.seed)

-- Sizes where something changes: frame headers, TLS records, our own pieces.
local edges = { 0, 1, 125, 126, 127, 65535, 65536, 65537, 16384 - 14,
  16384 - 8, 16384 - 1, 16384, 16385, 2 * 16384, 128 * 1024, 128 * 1024 + 1 }

local function any_size()
  local dice = math.random(10)
  if dice <= 5 then return math.min(options.max, edges[math.random(#edges)]) end
  if dice <= 8 then return math.random(0, math.min(options.max, 70000)) end
  return math.random(0, options.max)
end

local directory = process.directory()
local blob_file, list_file = directory.path .. "/blob", directory.path .. "/list"
os.execute(("head -c %d /dev/urandom > %s"):format(options.max + (1 << 20),
  process.quoted(blob_file)))
local blob = process.read_file(blob_file)

local pieces, list = {}, {}
for i = 1, options.count do
  local n = any_size()
  pieces[i] = { math.random(0, #blob - n), n }
  list[i] = ("%d %d\n"):format(pieces[i][1], n)
end
process.write_file(list_file, table.concat(list))
local expected = {}
local digests = process.run { "/usr/bin/python3", "spec/support/digests.py",
  blob_file, stdin = list_file }
for line in digests:gmatch "[^\n]+" do expected[#expected + 1] = line end
assert(#expected == options.count)

local function resident()
  local status = process.read_file "/proc/self/status"
  return tonumber(status:match "VmRSS:%s*(%d+)") * 1024
end

local sent, got, wrong, total, worst = 0, 0, 0, 0, 0
local start

-- What there is now does not count.
local function begin()
  collectgarbage()
  start = resident()
end

local function measure()
  collectgarbage()
  local over = resident() - start - wss.stats().pinned_bytes
  if over > worst then worst = over end
end

-- The string has no name; nobody but the engine holds it from here on.
local function next_string()
  sent = sent + 1
  local piece = pieces[sent]
  total = total + piece[2]
  return blob:sub(piece[1] + 1, piece[1] + piece[2])
end

local function tasted(number, answer)
  if answer ~= expected[number] then
    wrong = wrong + 1
    io.stderr:write(("message %d: %s, not %s\n"):format(number, answer,
      expected[number]))
  end
  measure()
end

local closed

-- Our client to a server.
local function to_server()
  local server = peers[options.peer] {
    mode = "slow", rate = options.rate, tls = certs "server" }
  local ws = wss.connect(("wss://localhost:%d/"):format(server.port), {
    tls = { ca = certs.ca }, ping_interval = false,
    max_buffered = 2 * options.window + options.max })

  begin()

  local function fill()
    while sent < options.count and ws.buffered < options.window do
      assert(ws:send(next_string(), "binary", function(err, how)
        assert(not err and how == "written", err)
        measure()
        fill()
      end))
      measure()
    end
  end

  function ws.onopen() fill() end
  function ws:onmessage(answer)
    got = got + 1
    tasted(got, answer)
    if got == options.count or wrong > 3 then self:close() end
  end
  function ws:onclose(code, _, err) closed = { code, err } end
  wss.run()
  server:stop()
end

-- Our server publishes, one pin for all, to clients of another make.
local function to_guests()
  local server = assert(wss.listen("wss://127.0.0.1:0", {
    tls = certs "server", ping_interval = false,
    max_buffered = 2 * options.window + options.max }))
  local guests = process.start { "/usr/bin/python3",
    "spec/support/peers/taster.py", server.url, "--ca", certs.ca,
    "--guests", options.guests, "--rate", options.rate, ready = false }
  local answers = {}
  begin()

  local function fill()
    local most = 0
    for ws in server:connections() do most = math.max(most, ws.buffered) end
    while sent < options.count and most < options.window do
      assert(options.guests == server:publish("pin", next_string(), "binary"))
      most = most + pieces[sent][2]
      assert(wss.stats().pinned_strings <= sent)
      measure()
    end
  end

  function server:onopen(ws)
    answers[ws] = 0
    ws:subscribe "pin"
    if self:stats().subscriptions == options.guests then fill() end
  end
  function server:onmessage(ws, answer)
    answers[ws] = answers[ws] + 1
    tasted(answers[ws], answer)
    got = math.huge
    for _, n in pairs(answers) do got = math.min(got, n) end
    if got == options.count or wrong > 3 then
      self:close()
    else
      fill()
    end
  end
  function server.onclose(_, _, code, _, err) -- luacheck: ignore self
    closed = { code, err }
  end
  wss.run()
  guests:wait()
end

if options.peer == "guests" then to_guests() else to_server() end
collectgarbage()
collectgarbage()

local dirty = {}
for name, n in pairs(wss.stats()) do
  if n ~= 0 then dirty[#dirty + 1] = name .. "=" .. n end
end
print(("pin: %d messages, %.1f MiB to %s; %d wrong; at most %.2f MiB resident "
  .. "beyond the strings; ledger %s; closed %d %s"):format(got,
  total / (1 << 20), options.peer, wrong, worst / (1 << 20),
  #dirty == 0 and "zero" or table.concat(dirty, " "), closed[1],
  tostring(closed[2])))
os.exit(got == options.count and wrong == 0 and #dirty == 0
  and worst <= options.slack, true)
