--- Starts servers, sees that they are what they should be, and measures.

local certs = require "spec.support.certs"
local json = require "dkjson"
local peers = require "bench.support.peers"
local process = require "spec.support.process"

local measure = {}

-- Servers that run, by what they were started as. They cost nothing while
-- nobody is connected.
local running = {}

local function joined(...)
  local all = {}
  for _, list in ipairs { ... } do
    for _, word in ipairs(list) do all[#all + 1] = word end
  end
  return all
end

-- Those that this process may use, as taskset has them.
local function all_processors()
  return process.read_file "/proc/self/status"
    :match "Cpus_allowed_list:%s*(%S+)"
end

local function json_of(command)
  local said, status = process.run(command)
  local got = status.code == 0 and json.decode(said)
  if not got then
    return nil, (status.stderr:match "[^\n]+" or "it said nothing")
  end
  return got
end

-- Sees that the server is a true echo: of whole messages and of fragments, of
-- none to 2 MiB; a raw one of every byte of some.
local function check(server, peer, how)
  if how.fanout then return end
  local said, status
  if peer.raw then
    said, status = process.run { "build/bench/wsload", "echo", "-k", 8, "-s",
      "64k", "-w", 0, "-d", 0.2, "--verify", 1, "--ca", certs.ca, server.url }
  else
    said, status = process.run(joined(peers.check,
      { server.url, certs.ca, "check" }, how.deflate and { "deflate",
        peer.filled and "filled" } or {}))
  end
  if status.code ~= 0 then
    error(("no echo: %s"):format((status.stderr .. said)
      :match "([^\n]*)\n*$"), 0)
  end
end

---A server of `peer`, as `how` wants it: `tls`, `deflate`, `fanout`, `idle`.
function measure.serve(peer, how)
  local mode = how.fanout and "fanout" or how.idle and "idle" or "echo"
  local key = table.concat({ peer.id, mode, how.tls and "tls" or "plain",
    how.deflate and "deflate" or "" }, " ")
  if running[key] and not how.idle then return running[key] end
  local pair = certs "server"
  local server = process.start(joined(peer,
    { mode, 0, how.deflate and "deflate" or "plain" },
    how.tls and { pair.cert, pair.key } or {}))
  server.url = ("%s://localhost:%d/"):format(
    peer.raw and (how.tls and "tls" or "tcp") or how.tls and "wss" or "ws",
    server.port)
  if not how.idle then
    check(server, peer, how)
    running[key] = server
  end
  return server
end

function measure.stop()
  for key, server in pairs(running) do
    server:stop()
    running[key] = nil
  end
end

local function place(server, cpus)
  local _, status = process.run { "taskset", "-a", "-c", "-p", cpus,
    server.pid }
  assert(status.code == 0, status.stderr)
end

-- Puts the server where the workload says; returns the words that put the
-- other side where it belongs.
local function placed(server, workload)
  local where = workload.place
  place(server, where and "0" or all_processors())
  if not where then return {} end
  return { "taskset", "-c", where == "together" and "0" or "1" }
end

local function load(server, workload, set, words)
  return json_of(joined(placed(server, workload), { "build/bench/wsload" },
    workload.load, words,
    { "-p", server.pid, "-d", set.seconds, "-w", set.warm, server.url }))
end

local function rates(got)
  return { cpu = got.srv_us_per, rate = got.per_s, p50 = got.p50_us,
    p99 = got.p99_us, p999 = got.p999_us, other = got.other_cpu,
    client_cpu = got.gen_us_per, busy = got.srv_cpu }
end

local function idle(peer, workload, set)
  local server <close> = measure.serve(peer, workload)
  local got, why = load(server, workload, set, {})
  if not got then return nil, why end
  return { opened = got.per_conn_open_kb, echoed = got.per_conn_echoed_kb }
end

-- Processor seconds of a process, all threads; the kernel counts in 10 ms.
local function used(pid)
  local stat = assert(process.read_file(("/proc/%d/stat"):format(pid)))
  local fields = {}
  for word in stat:gsub("^.*%) ", ""):gmatch "%S+" do
    fields[#fields + 1] = word
  end
  return (tonumber(fields[12]) + tonumber(fields[13])) / 100
end

local function echo_server(name)
  if running[name] then return running[name] end
  local pair = certs "server"
  local command = { "build/bench/echo", pair.cert, pair.key }
  if name == "beast" then
    command = { "build/bench/beast", "echo", 0, "plain", pair.cert, pair.key }
  end
  local server = process.start(command)
  server.url = ("wss://localhost:%d/"):format(server.port)
  check(server, { name = name }, {})
  running[name] = server
  return server
end

local function client(peer, workload, set)
  local server = echo_server(workload.server)
  local command = joined(peer, { server.url, certs.ca, workload.size,
    workload.window, set.seconds })
  command = joined(placed(server, workload), command)
  command.ready = false
  local child <close> = process.start(command)
  local first = child:line()
  local before = used(server.pid)
  local line = child:line()
  local busy = used(server.pid) - before
  local rest = child:line()
  local _, code = child:wait()
  if first ~= "begin" or not line or rest or code ~= 0 then
    return nil, child:stderr():match "([^\n]*)\n*$"
  end
  local got = assert(json.decode(line))
  if got.messages == 0 then return nil, "not one message" end
  return { rate = got.messages / got.seconds,
    cpu = got.cpu / got.messages * 1e6, busy = got.cpu / got.seconds,
    server_busy = busy / got.seconds }
end

---Whether the peer can do what the workload asks for.
function measure.able(peer, workload)
  return not (workload.deflate and peer.deflate == false)
    and not (workload.fanout and peer.fanout == false)
end

---One measurement: a table of figures, or nil and why there are none. `rate`
---is what a latency is measured at.
function measure.once(peer, workload, set, rate)
  if workload.kind == "client" then return client(peer, workload, set) end
  if workload.kind == "idle" then return idle(peer, workload, set) end
  local server = measure.serve(peer, workload)
  local words = rate and { "--rate", ("%.0f"):format(rate) } or {}
  local got, why = load(server, workload, set, words)
  -- Who is so slow gets the time for a few messages.
  if not got and why and why:find("nothing was measured", 1, true) then
    got, why = load(server, workload, { seconds = 5, warm = set.warm }, words)
  end
  if not got then return nil, why end
  return rates(got)
end

return measure
