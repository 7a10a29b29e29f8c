--- What the figures must show, as ratios of medians of one run: ours to the
-- limit's, to the best peer's, or to one peer's.

local goals = {}

-- workload, field, against ("raw", "best", or a peer), at most
local list = {
  { "wss-32-c1-k1", "cpu", "raw", 1.15 },
  { "wss-32-c1-k64", "cpu", "raw", 2.9 },
  { "wss-1k-c1-k64", "cpu", "raw", 1.6 },
  { "wss-64k-c1-k1", "cpu", "raw", 1.15 },
  { "wss-1m-c1-k1", "cpu", "raw", 1.0 },
  { "wss-1m-c1-k1-apart", "cpu", "raw", 1.0 },
  { "handshake-full", "cpu", "raw", 1.2 },
  { "handshake-full-apart", "cpu", "raw", 1.2 },
  { "handshake-resumed", "cpu", "raw", 1.2 },
  { "handshake-resumed-apart", "cpu", "raw", 1.2 },
  { "fanout-32-1000", "cpu", "beast", 1.0 },
  { "fanout-1k-1000", "cpu", "beast", 1.0 },
  { "client-echo-32-k1", "cpu", "beast", 1.0 },
  { "client-echo-32-k256", "cpu", "beast", 1.0 },
  { "client-echo-1048576-k2", "cpu", "beast", 1.0 },
  { "idle", "opened", "best", 1.0 },
  { "idle", "echoed", "best", 1.0 },
  { "latency", "p999", "best", 1.0 },
}

-- As server, ours is to be the best in every workload. µWS is not among those
-- that it must beat; its column tells how it does.
local function best(workload, field)
  local least, name = math.huge, nil
  for id, m in pairs(workload.median) do
    if id ~= "uvwss" and id ~= "raw" and id ~= "uws" and m[field]
      and m[field] < least then
      least, name = m[field], id
    end
  end
  return name and least, name
end

local function judged(workload, field, against, limit)
  local own = workload.median.uvwss
  if not own or not own[field] then return nil end
  local other, name
  if against == "best" then
    other, name = best(workload, field)
  else
    local m = workload.median[against]
    other, name = m and m[field], against
  end
  if not other then return nil end
  local is = own[field] / other
  return { what = ("%s, %s, to %s%s"):format(workload.id, field,
    against == "best" and "the best peer's: " or "", name), is = is,
    limit = limit, met = is <= limit + 0.005 }
end

---What can be judged by these workloads: a list of `what`, `is`, `limit`, `met`.
function goals.judge(chosen)
  local found, by_id = {}, {}
  for _, workload in ipairs(chosen) do by_id[workload.id] = workload end
  local function judge(id, ...)
    if by_id[id] then found[#found + 1] = judged(by_id[id], ...) end
  end
  for _, goal in ipairs(list) do judge(table.unpack(goal)) end
  for _, workload in ipairs(chosen) do
    if workload.kind == "echo" or workload.kind == "handshake"
      or workload.kind == "fanout" then
      judge(workload.id, "cpu", "best", 1.0)
    end
  end
  -- What OpenSSL holds for an idle connection is what the limit's server has.
  local idle = by_id.idle and by_id.idle.median
  if idle and idle.uvwss and idle.raw then
    local is = idle.uvwss.echoed - idle.raw.echoed
    found[#found + 1] = { what = "idle, KiB beyond what OpenSSL holds",
      is = is, limit = 12, met = is <= 12 }
  end
  return found
end

return goals
