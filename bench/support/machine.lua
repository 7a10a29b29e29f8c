--- What the figures were measured on.

local figures = require "bench.support.figures"
local process = require "spec.support.process"

local machine = {}

local function said(...)
  local ok, text = pcall(process.run, { ... })
  return ok and text or ""
end

local function debian(package)
  return (said("dpkg-query", "-W", "-f", "${Version}", package))
end

---The machine, and the versions of what runs on it.
function machine.describe()
  local cpus = process.read_file "/proc/cpuinfo" or ""
  local count = 0
  for _ in cpus:gmatch "\nprocessor" do count = count + 1 end
  return {
    cpu = cpus:match "model name%s*:%s*([^\n]+)" or "unknown",
    cores = count + 1,
    kernel = (said("uname", "-r"):gsub("%s+$", "")),
    openssl = said("openssl", "version"):match "%S+ (%S+)",
    lua = said("lua5.4", "-v"):match "Lua (%S+)",
    node = said("node", "--version"):match "v(%S+)",
    go = said("go", "version"):match "go([%d.]+)",
    python = said("/usr/bin/python3", "--version"):match "(%S+)%s*$",
    websockets = debian "python3-websockets",
    lws = debian "libwebsockets-dev",
    boost = debian "libboost-dev",
    gorilla = debian "golang-github-gorilla-websocket-dev",
    luahttp = debian "lua-http",
    libuv = debian "libuv1-dev",
  }
end

---The load of the last minute.
function machine.load()
  return tonumber((process.read_file "/proc/loadavg"):match "^%S+")
end

-- Of the processors' time, what neither server nor generator had.
local function others(result)
  local list = {}
  for _, workload in ipairs(result.workloads) do
    for _, samples in pairs(workload.samples) do
      for _, sample in ipairs(samples) do list[#list + 1] = sample.other end
    end
  end
  return #list > 0 and figures.median(list)
end

---What stands below the tables.
function machine.sentence(result)
  local m, other = result.machine, others(result)
  return ("%s, %d cores, Linux %s; OpenSSL %s, libuv %s, Lua %s, Boost %s, "
    .. "libwebsockets %s, Go %s, gorilla %s, Node %s, Python %s, websockets "
    .. "%s, lua-http %s. Medians of %d rounds of %g s. Load before and after: "
    .. "%.1f, %.1f%s.\n"):format(m.cpu, m.cores, m.kernel, m.openssl, m.libuv,
    m.lua, m.boost, m.lws, m.go, m.gorilla, m.node, m.python, m.websockets,
    m.luahttp, result.rounds, result.seconds, result.load_before,
    result.load_after, other and ("; other processes had %.2f cores (median)")
      :format(other) or "")
end

return machine
