--- Tables, in Markdown, of what was measured.

local figures = require "bench.support.figures"
local goals = require "bench.support.goals"
local text = figures.text

local report = {}

local function row(cells)
  return "| " .. table.concat(cells, " | ") .. " |\n"
end

-- Each group has one table of its figures, in this order.
local function groups(chosen)
  local list, known = {}, {}
  for _, workload in ipairs(chosen) do
    local group = known[workload.group]
    if not group then
      group = { title = workload.group, kind = workload.kind }
      known[workload.group] = group
      list[#list + 1] = group
    end
    group[#group + 1] = workload
  end
  return list
end

-- Those peers that have figures in one of the workloads.
local function present(list, workloads)
  local found = {}
  for _, peer in ipairs(list) do
    for _, workload in ipairs(workloads) do
      if workload.median[peer.id] then
        found[#found + 1] = peer
        break
      end
    end
  end
  return found
end

local function head(first, names)
  local cells, line = { first }, { "---" }
  for _, name in ipairs(names) do
    cells[#cells + 1], line[#line + 1] = name, "--:"
  end
  return row(cells) .. row(line)
end

local function names_of(list)
  local names = {}
  for i, peer in ipairs(list) do
    names[i] = peer.ours and "**" .. peer.name .. "**" or peer.name
  end
  return names
end

-- The rows of a workload: a label, the field, and what it is called.
local fields = {
  latency = { { "p50", "median" }, { "p99", "p99" }, { "p999", "p99.9" } },
  idle = { { "opened", "opened" }, { "echoed", "after one echo" } },
}

local function table_of(group, list)
  local shown = present(list, group)
  if #shown == 0 then return "" end
  local lines = { "### " .. group.title .. "\n\n",
    head("", names_of(shown)) }
  for _, workload in ipairs(group) do
    for _, field in ipairs(fields[group.kind] or { { "cpu" } }) do
      local title = workload.title
      if workload.at then
        title = ("%s, %s/s"):format(title, text(workload.at))
      end
      if field[2] then title = title .. ": " .. field[2] end
      local cells = { title }
      for i, peer in ipairs(shown) do
        local m = workload.median[peer.id]
        cells[i + 1] = text(m and m[field[1]])
        if m and peer.ours then cells[i + 1] = "**" .. cells[i + 1] .. "**" end
      end
      lines[#lines + 1] = row(cells)
    end
  end
  return table.concat(lines) .. "\n"
end

-- Ours against each of the others, by CPU per message.
local function ratios(chosen, list)
  local own, others, rows = nil, {}, {}
  for _, peer in ipairs(present(list, chosen)) do
    if peer.ours then own = peer else others[#others + 1] = peer end
  end
  if not own or #others == 0 then return "" end
  for _, workload in ipairs(chosen) do
    local m = workload.median[own.id]
    if m and m.cpu and workload.kind ~= "latency" then
      local cells = { workload.group:match "^[^:]*" .. ": " .. workload.title }
      for i, peer in ipairs(others) do
        local theirs = workload.median[peer.id]
        cells[i + 1] = text(theirs and m.cpu / theirs.cpu)
      end
      rows[#rows + 1] = row(cells)
    end
  end
  if #rows == 0 then return "" end
  local kind = chosen[1].kind == "client" and "client's" or "server's"
  return ("### ours against each, ratio of the %s CPU per message "
    .. "(less is better)\n\n"):format(kind)
    .. head("", names_of(others)) .. table.concat(rows) .. "\n"
end

local function rates(chosen, list)
  local shown, rows = present(list, chosen), {}
  for _, workload in ipairs(chosen) do
    local cells, any = { workload.group:match "^[^:]*" .. ": "
      .. workload.title }, false
    for i, peer in ipairs(shown) do
      local m = workload.median[peer.id]
      any = any or m and m.rate
      cells[i + 1] = text(m and m.rate)
    end
    if any and workload.kind ~= "latency" then rows[#rows + 1] = row(cells) end
  end
  if #rows == 0 then return "" end
  return "### rate, per second\n\n" .. head("", names_of(shown))
    .. table.concat(rows) .. "\n"
end

-- How far the rounds of ours lie apart.
local function spreads(chosen, list)
  local rows = {}
  for _, peer in ipairs(list) do
    for _, workload in ipairs(peer.ours and chosen or {}) do
      local samples = workload.samples[peer.id]
      if samples and samples[1] and samples[1].cpu then
        local low, high = figures.range(samples, "cpu")
        rows[#rows + 1] = row { workload.group:match "^[^:]*" .. ": "
          .. workload.title, text(workload.median[peer.id].cpu), text(low),
          text(high) }
      end
    end
  end
  if #rows == 0 then return "" end
  return "### ours over the rounds\n\n"
    .. head("", { "median", "least", "most" }) .. table.concat(rows) .. "\n"
end

local function failures(chosen)
  local lines = {}
  for _, workload in ipairs(chosen) do
    for id, why in pairs(workload.failed) do
      lines[#lines + 1] = ("- %s, %s: %s\n"):format(workload.id, id, why)
    end
  end
  if #lines == 0 then return "" end
  table.sort(lines)
  return "### not measured\n\n" .. table.concat(lines) .. "\n"
end

local function verdicts(chosen)
  local rows = {}
  for _, goal in ipairs(goals.judge(chosen)) do
    rows[#rows + 1] = row { goal.what, text(goal.is), text(goal.limit),
      goal.met and "yes" or "**no**" }
  end
  if #rows == 0 then return "" end
  return "### what it must show\n\n"
    .. head("", { "is", "at most", "met" }) .. table.concat(rows) .. "\n"
end

---All tables, of the workloads that were measured.
function report.markdown(chosen, peers)
  local server, client, parts = {}, {}, {}
  for _, workload in ipairs(chosen) do
    local list = workload.kind == "client" and client or server
    list[#list + 1] = workload
  end
  for _, group in ipairs(groups(chosen)) do
    parts[#parts + 1] = table_of(group,
      group.kind == "client" and peers.clients or peers.servers)
  end
  for _, pair in ipairs { { server, peers.servers },
    { client, peers.clients } } do
    if #pair[1] > 0 then
      parts[#parts + 1] = ratios(pair[1], pair[2])
      parts[#parts + 1] = rates(pair[1], pair[2])
      parts[#parts + 1] = spreads(pair[1], pair[2])
    end
  end
  parts[#parts + 1] = verdicts(chosen)
  parts[#parts + 1] = failures(chosen)
  return (table.concat(parts):gsub("\n+$", "\n"))
end

return report
