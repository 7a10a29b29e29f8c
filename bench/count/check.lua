--- Counts the instructions of a fixed set of operations, and compares them
-- with bench/instructions.txt: check.lua [--accept]. bench/README.md says
-- more.

package.path = "./?.lua;" .. package.path
local callgrind = require "bench.count.callgrind"
local certs = require "spec.support.certs"
local process = require "spec.support.process"

local FILE <const> = "bench/instructions.txt"
local LIMIT <const> = 0.05
local accept = arg[1] == "--accept"

local columns = { "instructions", "allocations", "system", "records" }

local HEAD <const> = [[
# For each operation: instructions of core.so and of Lua, allocations, system
# calls, and calls of SSL_read and SSL_write. Written by
# 'make bench-check ACCEPT=1'; debian 12's gcc -O2 and Lua 5.4.
]]

local function measured()
  local pair = certs "server"
  local list = callgrind.run("bench/count/operations.lua", pair.cert, pair.key,
    certs.ca)
  for _, figures in ipairs(list) do
    local n = figures.operations
    figures.instructions = (figures.core + figures.lua) / n
    for i = 2, #columns do figures[columns[i]] = figures[columns[i]] / n end
  end
  return list
end

local function text_of(figures)
  return ("%-36s %12.1f %9.3f %9.3f %9.3f"):format(figures.label,
    figures.instructions, figures.allocations, figures.system,
    figures.records)
end

local function kept()
  local found = {}
  for line in (process.read_file(FILE) or ""):gmatch "[^\n]+" do
    if not line:find "^#" then
      local label, numbers = line:match "^(.-)%s%s+([%d. ]+)$"
      local figures, i = {}, 0
      for number in numbers:gmatch "%S+" do
        i = i + 1
        figures[columns[i]] = tonumber(number)
      end
      found[label] = figures
    end
  end
  return found
end

-- The change of a figure: how it is told, and whether it is too much. Of calls
-- a change of a few in all is none.
local function change(new, old, operations)
  local part = (new - old) / math.max(old, 1e-9)
  if math.abs(new - old) * operations < 3 then part = 0 end
  return part == 0 and "" or ("%+.1f %%"):format(part * 100), part > LIMIT,
    part < -LIMIT
end

local function compare(list)
  local old, worse, better, missing = kept(), 0, 0, 0
  print(("%-36s %12s %9s %9s %9s"):format("for each operation", "instruct.",
    "allocs", "system", "records"))
  for _, figures in ipairs(list) do
    local before = old[figures.label]
    local cells, bad = {}, false
    for _, column in ipairs(before and columns or {}) do
      local told, up, down = change(figures[column], before[column],
        figures.operations)
      if told ~= "" then cells[#cells + 1] = column .. " " .. told end
      bad = bad or up
      if down then better = better + 1 end
    end
    if not before then
      missing = missing + 1
      cells[1] = "new: not in " .. FILE
    end
    worse = worse + (bad and 1 or 0)
    old[figures.label] = nil
    print((("%s  %s%s"):format(text_of(figures), bad and "WORSE " or "",
      table.concat(cells, ", ")):gsub("%s+$", "")))
  end
  for label in pairs(old) do
    missing = missing + 1
    print(label .. ": in " .. FILE .. ", but not measured")
  end
  if better > 0 then
    print(better .. " figures are better by more than 5 %: "
      .. "'make bench-check ACCEPT=1' keeps them")
  end
  print(("%d passed, %d failed"):format(#list - worse, worse + missing))
  return worse + missing == 0
end

local list = measured()
if accept then
  local lines = {}
  for i, figures in ipairs(list) do lines[i] = text_of(figures) end
  process.write_file(FILE, HEAD .. table.concat(lines, "\n") .. "\n")
  print("written: " .. FILE)
else
  os.exit(compare(list))
end
