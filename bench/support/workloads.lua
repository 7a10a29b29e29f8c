--- What is measured. A workload has
--
--   id        by which --only finds it
--   title     as the tables have it
--   group     the table it is in
--   kind      "echo", "handshake", "fanout", "idle", "latency" or "client"
--   load      the words for wsload, which tell the rest
--   tls, deflate, fanout, idle   how the server is started
--   chart     true: it is in the picture
--   place     "together": server and generator share a processor; "apart": each
--             has its own. Where the two take turns, the scheduler would choose,
--             for each run anew, whether they share one, or each wakes the
--             other's, which can take three times as long and counts as the
--             server's work. Else both are where the scheduler puts them

local workloads = {}

local function add(workload) workloads[#workloads + 1] = workload end

local ECHO <const> = "echo, %s: server's CPU µs per message"

-- title, connections, in flight on each, size, chart
local echoes = {
  { "32 B, one in flight", 1, 1, "32", true },
  { "32 B, 32 connections", 32, 1, "32" },
  { "32 B, 64 connections", 64, 1, "32", true },
  { "32 B, 256 connections", 256, 1, "32" },
  { "32 B, 64 in flight", 1, 64, "32", true },
  { "32 B, 32 connections, 64 in flight each", 32, 64, "32" },
  { "1 KiB, one in flight", 1, 1, "1k" },
  { "1 KiB, 64 in flight", 1, 64, "1k", true },
  { "64 KiB, one in flight", 1, 1, "64k", true },
  { "64 KiB, 64 in flight", 1, 64, "64k" },
  { "64 KiB, 32 connections", 32, 1, "64k" },
  { "1 MiB, one in flight", 1, 1, "1m", true },
  { "1 MiB, 64 in flight", 1, 64, "1m" },
}
-- Without TLS, a selection of these.
local plain = { [1] = true, [3] = true, [5] = true, [8] = true, [9] = true,
  [12] = true }

for _, scheme in ipairs { "wss", "ws" } do
  for i, e in ipairs(echoes) do
    if scheme == "wss" or plain[i] then
      add { id = ("%s-%s-c%d-k%d"):format(scheme, e[4], e[2], e[3]),
        title = e[1], group = ECHO:format(scheme), kind = "echo",
        tls = scheme == "wss", chart = scheme == "wss" and e[5],
        place = e[2] == 1 and e[3] == 1 and "together" or nil,
        load = { "echo", "-c", e[2], "-k", e[3], "-s", e[4] } }
    end
  end
end

for _, d in ipairs { { "1 KiB, one in flight", 1, "1k" },
  { "1 KiB, 64 in flight", 64, "1k" }, { "64 KiB, one in flight", 1, "64k" } } do
  add { id = ("deflate-%s-k%d"):format(d[3], d[2]), title = d[1],
    group = "echo, wss, compressed: server's CPU µs per message",
    kind = "echo", tls = true, deflate = true,
    place = d[2] == 1 and "together" or nil,
    load = { "echo", "-z", "-k", d[2], "-s", d[3] } }
end

for _, h in ipairs { { "full", }, { "resumed", "--resume" } } do
  add { id = "handshake-" .. h[1], title = h[1] .. " handshake, echo, close",
    group = "connections, wss: server's CPU µs for each", kind = "handshake",
    tls = true, chart = true, place = "together",
    load = { "handshake", "-c", 4, table.unpack(h, 2) } }
end

-- What crosses from one processor to another is the server's to pay for, too.
for _, w in ipairs(table.move(workloads, 1, #workloads, 1, {})) do
  if w.id == "wss-1m-c1-k1" or w.kind == "handshake" then
    add { id = w.id .. "-apart", title = w.title .. ", a processor each",
      group = w.group, kind = w.kind, tls = true, place = "apart",
      load = w.load }
  end
end

for _, f in ipairs { { 200, "32" }, { 1000, "32" }, { 1000, "1k" },
  { 1000, "1k", true } } do
  local title = ("%s to %d%s"):format(f[2] == "32" and "32 B" or "1 KiB", f[1],
    f[3] and ", compressed" or "")
  add { id = ("fanout-%s-%d%s"):format(f[2], f[1], f[3] and "-deflate" or ""),
    title = title, group = "fan-out, wss: server's CPU µs per delivery",
    kind = "fanout", tls = true, fanout = true, deflate = f[3],
    load = { "bcast", f[3] and "-z" or "-t", "-c", f[1], "-s", f[2] } }
end

add { id = "latency", title = "32 B, 64 connections", kind = "latency",
  group = "latency, wss, µs", tls = true,
  load = { "echo", "-c", 64, "-s", "32" } }

add { id = "idle", title = "idle wss connections", kind = "idle",
  group = "memory, wss, KiB per connection", tls = true, idle = true,
  load = { "idle", "-c", 5000, "--limit", 120 } }

for _, c in ipairs { { "32 B, 256 in flight", "echo", 32, 256 },
  { "32 B, 256 in flight", "beast", 32, 256 },
  { "32 B, one in flight", "echo", 32, 1 },
  { "1 MiB, 2 in flight", "echo", 1 << 20, 2 } } do
  add { id = ("client-%s-%d-k%d"):format(c[2], c[3], c[4]),
    title = c[1] .. ", from " .. (c[2] == "echo" and "echo.c" or "Beast"),
    group = "as client, wss: client's CPU µs per message", kind = "client",
    server = c[2], size = c[3], window = c[4],
    place = c[4] == 1 and "together" or nil }
end

return workloads
