--- Measures ours beside others. bench/README.md says what and how.
--
--   run.lua [--rounds=3] [--seconds=1] [--warm=0.3] [--only=WORD[,WORD]]
--           [--peers=ID[,ID]] [--markdown=FILE] [--svg=FILE] [--list]
--   run.lua --from=FILE …       the tables of an earlier run

package.path = "./?.lua;" .. package.path
local figures = require "bench.support.figures"
local json = require "dkjson"
local machine = require "bench.support.machine"
local measure = require "bench.support.measure"
local peers = require "bench.support.peers"
local picture = require "bench.support.picture"
local process = require "spec.support.process"
local report = require "bench.support.report"
local workloads = require "bench.support.workloads"

local RESULT = "build/bench/result.json"
local numbers = { rounds = true, seconds = true, warm = true }
local names = { only = true, peers = true, markdown = true, svg = true,
  from = true, list = true }

local function options()
  local set = { rounds = 3, seconds = 1, warm = 0.3 }
  for _, word in ipairs(arg) do
    local name, value = word:match "^%-%-(%l+)=(.+)$"
    if not name then name, value = word:match "^%-%-(list)$", true end
    if numbers[name or ""] then value = tonumber(value) end
    if not name or not (numbers[name] or names[name]) or not value then
      error("not an option: " .. word, 0)
    end
    set[name] = value
  end
  return set
end

-- Whether one of the words, split at commas, is in the text (or is it).
local function named(words, text, whole)
  if not words then return true end
  for word in words:gmatch "[^,]+" do
    if whole and word == text or not whole and text:find(word, 1, true) then
      return true
    end
  end
  return false
end

local function choose(set)
  local chosen = {}
  for _, workload in ipairs(workloads) do
    if named(set.only, workload.id) then
      workload.samples, workload.failed = {}, {}
      chosen[#chosen + 1] = workload
    end
  end
  if #chosen == 0 then error("no workload is called that: see --list", 0) end
  return chosen
end

-- Who takes part, ours always; of clients and servers each.
local function takers(set, list)
  local found = {}
  for _, peer in ipairs(list) do
    if peer.ours or named(set.peers, peer.id, true) then
      found[#found + 1] = peer
    end
  end
  return found
end

-- A tenth of the highest rate that anybody has on those connections: of this
-- run, or else of ours, measured for it. The same for all.
local function tenth(chosen, set)
  local top = 0
  for _, workload in ipairs(chosen) do
    if workload.id == "wss-32-c64-k1" then
      for _, samples in pairs(workload.samples) do
        top = math.max(top, figures.medians(samples).rate)
      end
    end
  end
  if top == 0 then
    for _, peer in ipairs(takers({ peers = "uvwss" }, peers.servers)) do
      local got = assert(measure.once(peer, { kind = "echo", tls = true,
        load = { "echo", "-c", 64, "-s", "32" } }, set))
      top = got.rate
    end
  end
  return top // 1000 * 100
end

local function take(workload, peer, set)
  if workload.failed[peer.id] then return end
  local ok, got, why = pcall(measure.once, peer, workload, set, workload.at)
  if not ok then got, why = nil, got end
  if got then
    local samples = workload.samples[peer.id] or {}
    workload.samples[peer.id] = samples
    samples[#samples + 1] = got
  else
    workload.failed[peer.id] = tostring(why)
    io.stderr:write("  ", peer.name, ": ", tostring(why), "\n")
  end
end

-- Rounds A B C A B C of every workload: what else the machine does meets all.
local function rounds(set, chosen)
  local lists = { server = takers(set, peers.servers),
    client = takers(set, peers.clients) }
  for round = 1, set.rounds do
    for _, workload in ipairs(chosen) do
      io.stderr:write(("round %d of %d: %s\n"):format(round, set.rounds,
        workload.id))
      if workload.kind == "latency" and not workload.at then
        workload.at = tenth(chosen, set)
      end
      local list = lists[workload.kind == "client" and "client" or "server"]
      for _, peer in ipairs(list) do
        if measure.able(peer, workload) then take(workload, peer, set) end
      end
    end
  end
end

local function summarise(chosen)
  for _, workload in ipairs(chosen) do
    workload.median = {}
    for id, samples in pairs(workload.samples) do
      workload.median[id] = figures.medians(samples)
    end
  end
end

local function measured(set)
  local chosen = choose(set)
  local result = { machine = machine.describe(), rounds = set.rounds,
    seconds = set.seconds, workloads = chosen }
  result.load_before = machine.load()
  local ok, why = xpcall(rounds, debug.traceback, set, chosen)
  measure.stop()
  if not ok then error(why, 0) end
  result.load_after = machine.load()
  summarise(chosen)
  process.write_file(RESULT, json.encode(result, { indent = true }))
  return result
end

local function main()
  local set = options()
  if set.list then
    for _, w in ipairs(workloads) do
      print(("%-24s %s; %s"):format(w.id, w.group, w.title))
    end
    return
  end
  local result = set.from
    and assert(json.decode(assert(process.read_file(set.from))))
    or measured(set)
  local text = report.markdown(result.workloads, peers) .. "\n"
    .. machine.sentence(result)
  if set.markdown then process.write_file(set.markdown, text) end
  if set.svg then
    process.write_file(set.svg, picture.draw(result, peers.servers))
  end
  io.write(text, "\nEach round: ", set.from or RESULT, "\n")
  for _, workload in ipairs(result.workloads) do
    if next(workload.failed) then os.exit(1) end
  end
end

main()
