--- A small writer of SVG, readable on light and on dark ground.

local svg = {}

local Canvas = {}
Canvas.__index = Canvas

-- Of a light page, and of a dark one.
local colours = {
  ground = { "#ffffff", "#0d1117" }, ink = { "#1f2328", "#f0f6fc" },
  soft = { "#59636e", "#9198a1" }, grid = { "#dfe4e9", "#2a313a" },
}

local function escaped(text)
  return (text:gsub("[&<>]", { ["&"] = "&amp;", ["<"] = "&lt;",
    [">"] = "&gt;" }))
end

local function number(n)
  return (("%.1f"):format(n):gsub("%.0$", ""))
end

local function variables(all, which)
  local names, lines = {}, {}
  for name in pairs(all) do names[#names + 1] = name end
  table.sort(names)
  for i, name in ipairs(names) do
    lines[i] = ("--%s: %s"):format(name, all[name][which])
  end
  return "svg { " .. table.concat(lines, "; ") .. " }"
end

---A canvas of that size; `more` colours are { light, dark } by their names,
---which `style`, a style sheet, may use as variables.
function svg.new(width, height, style, more)
  local all = {}
  for _, set in ipairs { colours, more } do
    for name, pair in pairs(set) do all[name] = pair end
  end
  local canvas = setmetatable({}, Canvas)
  canvas:add('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %s %s" '
    .. 'width="%s" height="%s" font-family="system-ui, -apple-system, '
    .. "'Segoe UI', 'DejaVu Sans', sans-serif\">", number(width),
    number(height), number(width), number(height))
  canvas:add("<style>\n%s\n@media (prefers-color-scheme: dark) { %s }\n"
    .. "text { fill: var(--ink) }\n%s</style>", variables(all, 1),
    variables(all, 2), style)
  canvas:add('<rect width="100%%" height="100%%" rx="8" '
    .. 'style="fill: var(--ground)"/>')
  return canvas
end

function Canvas:add(form, ...)
  self[#self + 1] = form:format(...)
end

function Canvas:text(x, y, text, class, anchor)
  self:add('<text x="%s" y="%s" class="%s"%s>%s</text>', number(x), number(y),
    class, anchor and (' text-anchor="%s"'):format(anchor) or "",
    escaped(text))
end

function Canvas:line(x1, y1, x2, y2, class)
  self:add('<line x1="%s" y1="%s" x2="%s" y2="%s" class="%s"/>', number(x1),
    number(y1), number(x2), number(y2), class)
end

function Canvas:bar(x, y, width, height, class)
  self:add('<rect x="%s" y="%s" width="%s" height="%s" rx="2" class="%s"/>',
    number(x), number(y), number(width), number(height), class)
end

---A line through points { x, y }.
function Canvas:path(points, class)
  local list = {}
  for i, point in ipairs(points) do
    list[i] = number(point[1]) .. "," .. number(point[2])
  end
  self:add('<polyline points="%s" class="%s"/>', table.concat(list, " "), class)
end

function Canvas:dot(x, y, radius, class)
  self:add('<circle cx="%s" cy="%s" r="%s" class="%s"/>', number(x), number(y),
    number(radius), class)
end

---The text of the file.
function Canvas:finish()
  self:add "</svg>"
  return table.concat(self, "\n") .. "\n"
end

return svg
