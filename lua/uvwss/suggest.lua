--- What somebody may have meant who wrote a name that nobody knows.

-- Letters to change, add or leave out to make one word of the other.
local function distance(a, b)
  local row = {}
  for j = 0, #b do row[j] = j end
  for i = 1, #a do
    local corner = row[0]
    row[0] = i
    for j = 1, #b do
      local same = a:byte(i) == b:byte(j) and 0 or 1
      local best = math.min(row[j] + 1, row[j - 1] + 1, corner + same)
      corner, row[j] = row[j], best
    end
  end
  return row[#b]
end

---" (did you mean 'x'?)" with the name nearest to `word`, or "".
---@param word string
---@param names string[]   in the order of preference
---@param prefix? string   put before the name
---@return string
return function(word, names, prefix)
  local best, least = nil, 3 -- beyond two letters it is another word
  for _, name in ipairs(names) do
    local d = #word <= 32 and distance(word, name) or least
    if d < least and d < #name then best, least = name, d end
  end
  return best and (" (did you mean '%s%s'?)"):format(prefix or "", best) or ""
end
