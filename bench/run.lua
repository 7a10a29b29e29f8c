--- Measures our client beside others: run.lua [--rounds=3] [--seconds=1]
-- [--only=PATTERN] [--markdown=FILE]. bench/README.md says what and how.

package.path = "./?.lua;" .. package.path
local json = require "dkjson"
local certs = require "spec.support.certs"
local process = require "spec.support.process"

local PYTHON = "/usr/bin/python3"
local RESULT = "build/bench/result.json"
-- The clients of a round, in this order; ours is the first.
local CLIENTS = {
  { name = "uvwss", "lua5.4", "bench/client.lua" },
  { name = "Node ws", "node", "bench/client.js" },
  { name = "python", PYTHON, "bench/client.py" },
}
local WORKLOADS = {
  { name = "32 B, 256 in flight", server = "echo", size = 32, window = 256 },
  { name = "32 B, 256 in flight", server = "beast", size = 32, window = 256 },
  { name = "32 B, one in flight", server = "echo", size = 32, window = 1 },
  { name = "1 MiB, 2 in flight", server = "echo", size = 1 << 20, window = 2 },
}

local function options()
  local set = { rounds = 3, seconds = 1, only = "" }
  for _, word in ipairs(arg) do
    local name, value = word:match "^%-%-(%l+)=(.*)$"
    if name == "rounds" or name == "seconds" then value = tonumber(value) end
    if not value or not (set[name] or name == "markdown") then
      error("not an option: " .. word, 0)
    end
    set[name] = value
  end
  return set
end

local function median(list)
  local sorted = table.move(list, 1, #list, 1, {})
  table.sort(sorted)
  local middle = #sorted // 2
  if #sorted % 2 == 1 then return sorted[middle + 1] end
  return (sorted[middle] + sorted[middle + 1]) / 2
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

local function words(client, ...)
  local command = { client[1], client[2] }
  for _, word in ipairs { ... } do command[#command + 1] = word end
  return command
end

-- Start a server and see that it is an echo.
local function serve(name)
  local pair = certs "server"
  local server = process.start { "build/bench/" .. name, pair.cert, pair.key }
  server.url = ("wss://localhost:%d/"):format(server.port)
  local said, status = process.run(
    words(CLIENTS[3], server.url, certs.ca, "check"))
  if status.code ~= 0 then error(status.stderr .. said, 0) end
  io.stderr:write(name, ": ", said)
  return server
end

local function measure(client, workload, server, seconds)
  local command = words(client, server.url, certs.ca, workload.size,
    workload.window, seconds)
  command.ready = false
  local child <close> = process.start(command)
  local first = child:line()
  local before = used(server.pid)
  local line = child:line()
  local busy = used(server.pid) - before
  local rest = child:line()
  local _, code = child:wait()
  if first ~= "begin" or not line or rest or code ~= 0 then
    error(client.name .. " failed:\n" .. child:stderr(), 0)
  end
  local got = assert(json.decode(line))
  assert(got.messages > 0, client.name .. " did nothing")
  return {
    rate = got.messages / got.seconds,
    cpu = got.cpu / got.messages * 1e6,
    busy = got.cpu / got.seconds,
    server_cpu = busy / got.messages * 1e6,
    server_busy = busy / got.seconds,
  }
end

-- Rounds A B C A B C of every workload: what else the machine does meets all.
local function rounds(set, chosen, servers)
  for round = 1, set.rounds do
    for _, workload in ipairs(chosen) do
      io.stderr:write(("round %d of %d: %s (%s)\n"):format(round, set.rounds,
        workload.name, workload.server))
      for _, client in ipairs(CLIENTS) do
        local samples = workload.samples[client.name] or {}
        workload.samples[client.name] = samples
        samples[round] = measure(client, workload, servers[workload.server],
          set.seconds)
      end
    end
  end
end

local function summarise(workload)
  workload.median = {}
  for name, samples in pairs(workload.samples) do
    local medians = {}
    for field in pairs(samples[1]) do
      local list = {}
      for i, sample in ipairs(samples) do list[i] = sample[field] end
      medians[field] = median(list)
    end
    workload.median[name] = medians
  end
end

local function row(...)
  return "| " .. table.concat({ ... }, " | ") .. " |\n"
end

local function ratio_table(chosen)
  local head, line = { "workload", "server" }, { "---", "---" }
  for i = 2, #CLIENTS do
    head[#head + 1] = "rate, × " .. CLIENTS[i].name
    head[#head + 1] = "CPU per message, × " .. CLIENTS[i].name
    line[#line + 1], line[#line + 2] = "--:", "--:"
  end
  local text = row(table.unpack(head)) .. row(table.unpack(line))
  for _, workload in ipairs(chosen) do
    local ours = workload.median[CLIENTS[1].name]
    local cells = { workload.name, workload.server }
    for i = 2, #CLIENTS do
      local theirs = workload.median[CLIENTS[i].name]
      cells[#cells + 1] = ("%.2f"):format(ours.rate / theirs.rate)
      cells[#cells + 1] = ("%.2f"):format(ours.cpu / theirs.cpu)
    end
    text = text .. row(table.unpack(cells))
  end
  return text
end

local function digits(number)
  return (number < 100 and "%.2f" or "%.0f"):format(number)
end

local function spread(samples)
  local low, high = math.huge, 0
  for _, sample in ipairs(samples) do
    low, high = math.min(low, sample.cpu), math.max(high, sample.cpu)
  end
  return digits(low) .. " to " .. digits(high)
end

local function figure_table(chosen)
  local text = row("workload", "server", "client", "messages/s", "MB/s",
    "CPU µs/message", "least to most", "client busy", "server busy")
    .. row("---", "---", "---", "--:", "--:", "--:", "--:", "--:", "--:")
  for _, workload in ipairs(chosen) do
    for _, client in ipairs(CLIENTS) do
      local m = workload.median[client.name]
      text = text .. row(workload.name, workload.server, client.name,
        ("%.0f"):format(m.rate), ("%.1f"):format(m.rate * workload.size / 1e6),
        digits(m.cpu), spread(workload.samples[client.name]),
        ("%.0f %%"):format(m.busy * 100),
        ("%.0f %%"):format(m.server_busy * 100))
    end
  end
  return text
end

local function main()
  local set = options()
  local chosen, servers = {}, {}
  for _, workload in ipairs(WORKLOADS) do
    if (workload.name .. " " .. workload.server):find(set.only, 1, true) then
      chosen[#chosen + 1] = workload
      workload.samples = {}
      servers[workload.server] = servers[workload.server]
        or serve(workload.server)
    end
  end
  rounds(set, chosen, servers)
  for _, server in pairs(servers) do server:stop() end
  for _, workload in ipairs(chosen) do summarise(workload) end
  local text = ratio_table(chosen) .. "\n" .. figure_table(chosen)
  process.write_file(RESULT, json.encode({ rounds = set.rounds,
    seconds = set.seconds, workloads = chosen }, { indent = true }))
  if set.markdown then process.write_file(set.markdown, text) end
  io.write(text, "\nEach round: ", RESULT, "\n")
end

main()
