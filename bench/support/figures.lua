--- Medians and ratios of what was measured.

local figures = {}

function figures.median(list)
  local sorted = table.move(list, 1, #list, 1, {})
  table.sort(sorted)
  local middle = #sorted // 2
  if #sorted % 2 == 1 then return sorted[middle + 1] end
  return (sorted[middle] + sorted[middle + 1]) / 2
end

---The medians of a list of samples, field by field.
function figures.medians(samples)
  local found = {}
  for field in pairs(samples[1]) do
    local list = {}
    for i, sample in ipairs(samples) do list[i] = sample[field] end
    found[field] = figures.median(list)
  end
  return found
end

---The least and the most of a field.
function figures.range(samples, field)
  local low, high = math.huge, -math.huge
  for _, sample in ipairs(samples) do
    low, high = math.min(low, sample[field]), math.max(high, sample[field])
  end
  return low, high
end

---A number as a table has it: three digits, or more before the point.
function figures.text(number)
  if not number then return "–" end
  if number < 10 then return ("%.2f"):format(number) end
  if number < 100 then return ("%.1f"):format(number) end
  local digits = ("%.0f"):format(number)
  return (digits:reverse():gsub("(%d%d%d)", "%1,"):reverse():gsub("^,", ""))
end

return figures
