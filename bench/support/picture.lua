--- A picture (SVG) of CPU per message relative to the limit, a panel for each
-- workload, bars on a logarithmic scale that begin where the limit is.

local svg = require "bench.support.svg"

local picture = {}

local WIDTH <const>, MARGIN <const>, GAP <const> = 860, 24, 28
local COLUMN <const> = (WIDTH - 2 * MARGIN - GAP) / 2
local NAMES <const>, FIGURE <const> = 68, 44 -- left and right of the bars
local BAR <const>, TITLE <const>, TICKS <const> = 16, 26, 24
local TOP <const> = 74
local MARKS <const> = { 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000 }

local style = [[
.name { font-size: 12px }
.own { font-weight: 600 }
.title { font-size: 13px; font-weight: 600 }
.head { font-size: 17px; font-weight: 600 }
.soft { fill: var(--soft); font-size: 12px }
.tick { fill: var(--soft); font-size: 10px }
.grid { stroke: var(--grid); stroke-width: 1 }
.base { stroke: var(--soft); stroke-width: 1 }
.bar { fill: var(--bar) }
.bar.own { fill: var(--own) }
]]

-- Workloads of the picture that have the limit: { title, { peer, ratio }… }.
local function panels(result, peers)
  local list, least, most = {}, 1, 2
  for _, workload in ipairs(result.workloads) do
    local limit = workload.chart and workload.median.raw
    if limit then
      local panel = { title = workload.title }
      for _, peer in ipairs(peers) do
        local m = not peer.raw and workload.median[peer.id]
        if m then
          local ratio = m.cpu / limit.cpu
          least, most = math.min(least, ratio), math.max(most, ratio)
          panel[#panel + 1] = { peer = peer, ratio = ratio }
        end
      end
      list[#list + 1] = panel
    end
  end
  return list, least, most
end

local function label(ratio)
  return (ratio < 9.95 and "%.2f×" or ratio < 99.5 and "%.1f×" or "%.0f×")
    :format(ratio)
end

local function draw_panel(canvas, panel, x, y, scale)
  local left, bottom = x + NAMES, y + TITLE + #panel * BAR
  canvas:text(left, y + 12, panel.title, "title")
  for _, mark in ipairs(MARKS) do
    local at = left + scale(mark)
    if at <= x + COLUMN - FIGURE then
      canvas:line(at, y + TITLE - 4, at, bottom + 2,
        mark == 1 and "base" or "grid")
      canvas:text(at, bottom + 14, mark .. "×", "tick", "middle")
    end
  end
  for i, bar in ipairs(panel) do
    local top, own = y + TITLE + (i - 1) * BAR, bar.peer.ours and " own" or ""
    local from, to = left + scale(1), left + scale(bar.ratio)
    canvas:text(left - 8, top + 12, bar.peer.name, "name" .. own, "end")
    canvas:bar(math.min(from, to), top + 2, math.max(math.abs(to - from), 1.5),
      BAR - 4, "bar" .. own)
    canvas:text(math.max(from, to) + 5, top + 12, label(bar.ratio),
      "name" .. own)
  end
end

---The picture of a result.
function picture.draw(result, peers)
  local list, least, most = panels(result, peers)
  if #list == 0 then error("nothing to draw: no workload has the limit", 0) end
  local width = COLUMN - NAMES - FIGURE
  local low = math.log(least)
  local function scale(ratio)
    return (math.log(ratio) - low) / (math.log(most) - low) * width
  end
  local rows = (#list + 1) // 2
  local bars = 0
  for _, panel in ipairs(list) do bars = math.max(bars, #panel) end
  local height = TITLE + bars * BAR + TICKS
  local canvas = svg.new(WIDTH, TOP + rows * height + 8, style, {
    bar = { "#a8b1bb", "#5d6670" }, own = { "#0969da", "#4493f8" },
  })
  canvas:text(MARGIN, 32, "Processor time per message over wss", "head")
  canvas:text(MARGIN, 52, "of the server, relative to a raw TLS echo without "
    .. "framing (1×); logarithmic, shorter is better", "soft")
  for i, panel in ipairs(list) do
    draw_panel(canvas, panel, MARGIN + (i - 1) % 2 * (COLUMN + GAP),
      TOP + (i - 1) // 2 * height, scale)
  end
  return canvas:finish()
end

return picture
