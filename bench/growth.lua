--- What operations cost beside n of something, over four powers of ten:
-- growth.lua [SVG]. Counted in instructions of the process, without the
-- kernel's. Fails where a cost grows faster than the logarithm of n.
-- bench/README.md says more.

package.path = "./?.lua;" .. package.path
local callgrind = require "bench.count.callgrind"
local svg = require "bench.support.svg"
local process = require "spec.support.process"

-- Both ends of ten thousand connections are in one process, or of somewhat
-- fewer where it may not open as many files.
local function most_connections()
  local pipe <close> = assert(io.popen "ulimit -n")
  local files = tonumber(pipe:read "l") or math.huge
  return math.tointeger(math.min(10000, (files - 100) // 2))
end

-- A list of { label, { n, cost }… }, in the order of the script.
local function measured()
  local list, known = {}, {}
  for _, figures in ipairs(callgrind.run("bench/count/growing.lua",
    most_connections())) do
    local label, n = figures.label:match "^(.*), (%d+)$"
    if not known[label] then
      known[label] = { label = label }
      list[#list + 1] = known[label]
    end
    table.insert(known[label],
      { tonumber(n), figures.all / figures.operations })
  end
  return list
end

-- A logarithm grows by the same with each power of ten. What adds more than
-- twice the most that any power before added, and more than a tenth of what the
-- thing costs at all, grows faster.
local function judge(series)
  local least, most, before = math.huge, 0, 0
  for i, point in ipairs(series) do
    least, most = math.min(least, point[2]), math.max(most, point[2])
    if i > 1 and i < #series then
      before = math.max(before, point[2] - series[i - 1][2])
    end
  end
  local last = series[#series][2] - series[#series - 1][2]
  if last > math.max(2 * before, 0) + 0.1 * series[1][2] then return "WORSE" end
  return most <= series[1][2] * 1.15 and "constant" or "logarithmic"
end

local function report(list)
  local failed = 0
  for _, series in ipairs(list) do
    series.verdict = judge(series)
    if series.verdict == "WORSE" then failed = failed + 1 end
    local cells = {}
    for i, point in ipairs(series) do
      cells[i] = ("%d: %.0f"):format(point[1], point[2])
    end
    print(("%-42s %-12s %s"):format(series.label, series.verdict,
      table.concat(cells, "  ")))
  end
  print(("%d passed, %d failed"):format(#list - failed, failed))
  return failed == 0
end

-- ---- the picture -----------------------------------------------------------

local WIDTH <const>, COLUMNS <const>, MARGIN <const> = 860, 3, 24
local GAP <const>, TOP <const>, PLOT <const>, ROW <const> = 28, 76, 74, 138
local COLUMN <const> = (WIDTH - 2 * MARGIN - (COLUMNS - 1) * GAP) / COLUMNS

local style = [[
.head { font-size: 17px; font-weight: 600 }
.title { font-size: 11.5px; font-weight: 600 }
.soft { fill: var(--soft); font-size: 12px }
.tick { fill: var(--soft); font-size: 10px }
.grid { stroke: var(--grid); stroke-width: 1 }
.log { fill: none; stroke: var(--soft); stroke-width: 1; stroke-dasharray: 3 3 }
.cost { fill: none; stroke: var(--own); stroke-width: 2 }
.dot { fill: var(--own) }
]]

local powers = { [1000] = "10³", [10000] = "10⁴", [100000] = "10⁵" }

local function panel(canvas, series, x, y)
  local most = 0
  for _, point in ipairs(series) do most = math.max(most, point[2]) end
  local first, last = series[1], series[#series]
  local span = math.log(last[1] / first[1], 10)
  local height = math.max(most, 2 * first[2]) * 1.15
  local base = y + 18 + PLOT
  local function at(n, cost)
    return { x + 6 + math.log(n / first[1], 10) / span * (COLUMN - 56),
      base - cost / height * PLOT }
  end
  canvas:text(x, y + 10, series.label, "title")
  canvas:line(x, base, x + COLUMN, base, "grid")
  -- What grows like a logarithm, from the same beginning: once more with each
  -- power of ten.
  local steps = math.min(span, height / first[2] - 1)
  canvas:path({ at(first[1], first[2]),
    at(first[1] * 10 ^ steps, first[2] * (1 + steps)) }, "log")
  local points = {}
  for i, point in ipairs(series) do points[i] = at(point[1], point[2]) end
  canvas:path(points, "cost")
  for i, point in ipairs(points) do
    canvas:dot(point[1], point[2], 2.5, "dot")
    local n = math.tointeger(series[i][1])
    canvas:text(point[1], base + 13, powers[n] or tostring(n), "tick",
      "middle")
  end
  canvas:text(points[#points][1] + 8, points[#points][2] + 4,
    ("%.0f"):format(last[2]), "soft")
end

local function draw(list)
  local rows = (#list + COLUMNS - 1) // COLUMNS
  local canvas = svg.new(WIDTH, TOP + rows * ROW, style, {
    own = { "#0969da", "#4493f8" } })
  canvas:text(MARGIN, 32, "Costs beside n of something", "head")
  canvas:text(MARGIN, 52, "instructions of an operation, over powers of ten; "
    .. "dashed: what grows with the logarithm of n", "soft")
  for i, series in ipairs(list) do
    panel(canvas, series, MARGIN + (i - 1) % COLUMNS * (COLUMN + GAP),
      TOP + (i - 1) // COLUMNS * ROW)
  end
  return canvas:finish()
end

local list = measured()
local good = report(list)
if arg[1] then process.write_file(arg[1], draw(list)) end
os.exit(good)
