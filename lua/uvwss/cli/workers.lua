--- More processes of `uvwss serve`, which listen on the port that the first
-- one has. Lua has no fork: each is the same command, started anew with
-- `--worker`, its standard input a pipe from the first process. A byte there,
-- or the end of it (the first process has gone, however that came), and a
-- worker closes its server. The other way round, a pipe that nobody reads from
-- tells the first process that a worker has gone.

local core = require "uvwss.core"

local workers = {}

---@class uvwss.cli.Workers
local Workers = {}
Workers.__index = Workers

local function quoted(word)
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

-- What this very program was started with: the interpreter, its options, the
-- script.
local function self_command()
  local words, first = {}, 0
  while arg[first - 1] do first = first - 1 end
  for i = first, 0 do words[#words + 1] = arg[i] end
  return words
end

---Start `count` processes, numbered from 2 on.
---@param count integer
---@param words fun(number: integer): string[]  its words of the command line
---@param on_gone fun(number: integer)          one of them has ended
---@return uvwss.cli.Workers
function workers.start(count, words, on_gone)
  local all = setmetatable({ list = {} }, Workers)
  for number = 2, count + 1 do
    local line = {}
    for _, word in ipairs(self_command()) do line[#line + 1] = quoted(word) end
    for _, word in ipairs(words(number)) do line[#line + 1] = quoted(word) end
    local pipe = assert(io.popen("exec " .. table.concat(line, " "), "w"))
    local watch = core.input(function() on_gone(number) end, pipe)
    table.insert(all.list, { pipe = pipe, watch = watch })
  end
  return all
end

---Make all of them close their servers. Each tells by `on_gone` that it is
---done; the loop runs until all have.
function Workers:stop()
  for _, worker in ipairs(self.list) do
    -- One that has gone takes nothing more; on_gone says so.
    if worker.pipe:write "\n" then worker.pipe:flush() end
  end
end

---When the loop has ended: did all end with status 0?
---@return boolean
function Workers:wait()
  local all_well = true
  for _, worker in ipairs(self.list) do
    worker.watch:close()
    if not worker.pipe:close() then all_well = false end
  end
  return all_well
end

---In a worker: what to do when the first process wants its end, or has gone.
---@param fn fun()
---@return table  close it, when the server is closed otherwise
function workers.obey(fn)
  return core.input(fn)
end

return workers
