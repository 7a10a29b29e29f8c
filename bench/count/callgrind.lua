--- Reads what callgrind dumped.
--
-- A figure that holds on any machine has in it only what does not depend on the
-- processor: instructions of our own objects (and of Lua), and how often they
-- call others. OpenSSL, zlib and the C library choose their code by the
-- processor, and are left out.

local callgrind = {}

local calls_of = {
  allocations = { malloc = true, calloc = true, realloc = true,
    aligned_alloc = true, posix_memalign = true },
  system = { read = true, readv = true, recv = true, recvmsg = true,
    recvfrom = true, write = true, writev = true, send = true, sendmsg = true,
    sendto = true, sendmmsg = true, epoll_wait = true, epoll_pwait = true,
    epoll_ctl = true, accept = true, accept4 = true, close = true,
    socket = true, connect = true, setsockopt = true, getsockopt = true,
    getsockname = true, getpeername = true, shutdown = true, ioctl = true,
    fcntl = true, fcntl64 = true, eventfd = true, syscall = true,
    clock_gettime = true },
  records = { SSL_read = true, SSL_read_ex = true, SSL_write = true,
    SSL_write_ex = true },
}
-- Whose calls they are.
local callers = { allocations = { core = true, lua = true },
  system = { core = true, uv = true }, records = { core = true } }

local function kind_of(object)
  if object:find "uvwss/core%.so$" then return "core" end
  if object:find "liblua" or object:find "/lua5%.4$" then return "lua" end
  if object:find "libuv%." then return "uv" end
  if object:find "bench/driver%.so$" then return "driver" end
  if object == "???" then return "stub" end
  return "other"
end

-- Names are written once, with a number, and are that number from then on.
local function namer()
  local known = {}
  return function(text)
    local number, name = text:match "^%((%d+)%)%s*(.*)$"
    if not number then return text end
    if name ~= "" then known[number] = name end
    return assert(known[number], number)
  end
end

-- One dump: its label, the cost of each pair of object and file, and the calls.
local function parse(path)
  local objects, files, functions = namer(), namer(), namer()
  local dump = { costs = {}, edges = {} }
  local object, file, name, callee_object, callee, count
  for line in io.lines(path) do
    local key, value = line:match "^(%l+)=(.*)$"
    if key == "ob" then object = kind_of(objects(value))
    elseif key == "fl" or key == "fi" or key == "fe" then file = files(value)
    elseif key == "fn" then name = functions(value)
    elseif key == "cob" then callee_object = kind_of(objects(value))
    elseif key == "cfi" or key == "cfl" then files(value)
    elseif key == "cfn" then callee = functions(value)
    elseif key == "calls" then count = tonumber(value:match "^%d+")
    elseif line:find "^desc: Trigger" then
      dump.label = line:match "Client Request: (.*)$"
    elseif line:find "^[%d+*-]" then
      if count then -- what a call cost altogether is not the caller's own
        dump.edges[#dump.edges + 1] = { from = object, name = name,
          to = callee_object or object, callee = callee, count = count }
        count, callee_object = nil, nil
      else
        local ours = file:find("csrc/", 1, true) or file:find "mmintrin%.h$"
        local where = object == "driver" and ours and "core" or object
        dump.costs[where] = (dump.costs[where] or 0)
          + tonumber(line:match "%s(%d+)")
      end
    end
  end
  return dump
end

-- Calls into libraries go through stubs that have no object.
local function calls(dump)
  local target, totals = {}, { allocations = 0, system = 0, records = 0 }
  for _, edge in ipairs(dump.edges) do
    if edge.from == "stub" then target[edge.name] = edge.callee end
  end
  for _, edge in ipairs(dump.edges) do
    local name = edge.to == "stub" and target[edge.callee] or edge.callee
    name = name:gsub("@.*$", ""):gsub("'%d+$", ""):gsub("^__libc_", "")
    for what, names in pairs(calls_of) do
      if names[name] and callers[what][edge.from] then
        totals[what] = totals[what] + edge.count
      end
    end
  end
  return totals
end

---The figures of a dump: `label`, `core` and `lua` instructions, and calls:
---`allocations`, `system`, `records`; `all` is the instructions of all objects.
function callgrind.read(path)
  local dump = parse(path)
  if not dump.label then return nil end
  local figures = calls(dump)
  figures.label = dump.label
  figures.core, figures.lua = dump.costs.core or 0, dump.costs.lua or 0
  figures.all = 0 -- but for the driver's own
  for object, cost in pairs(dump.costs) do
    if object ~= "driver" then figures.all = figures.all + cost end
  end
  return figures
end

---Run a script of Lua under callgrind. Returns a list of figures, each with
---`operations`, from the lines `label TAB number` that the script prints.
function callgrind.run(script, ...)
  local process = require "spec.support.process"
  local directory <close> = process.directory()
  local command = { "valgrind", "-q", "--tool=callgrind",
    "--instr-atstart=no", "--callgrind-out-file=" .. directory.path .. "/out",
    "lua5.4", script, ... }
  command.env = { LUA_CPATH = "build/bench/?.so;" .. os.getenv "LUA_CPATH" }
  local said, status = process.run(command)
  if status.code ~= 0 then error(status.stderr .. said, 0) end
  local list = {}
  for label, operations in said:gmatch "([^\t\n]+)\t(%d+)" do
    local figures = assert(callgrind.read(
      ("%s/out.%d"):format(directory.path, #list + 1)))
    assert(figures.label == label, label)
    figures.operations = tonumber(operations)
    list[#list + 1] = figures
  end
  return list
end

return callgrind
