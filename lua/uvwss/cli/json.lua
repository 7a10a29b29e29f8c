--- JSON (RFC 8259) as the command writes it, one value a line.

local text = require "uvwss.cli.text"

local json = {}

local Array = {}

---Mark a table as an array, so that an empty one is `[]`.
---@generic T
---@param list T[]
---@return T[]
function json.array(list)
  return setmetatable(list, Array)
end

local short = { ["\""] = "\\\"", ["\\"] = "\\\\", ["\n"] = "\\n",
  ["\r"] = "\\r", ["\t"] = "\\t", ["\b"] = "\\b", ["\f"] = "\\f" }

local function encode_string(s)
  return '"' .. text.valid(s):gsub("[%z\1-\31\"\\\127]", function(c)
    return short[c] or ("\\u%04x"):format(c:byte())
  end) .. '"'
end

local function encode_number(n)
  if math.type(n) == "integer" then return ("%d"):format(n) end
  if n ~= n or n == math.huge or n == -math.huge then return "null" end
  return ("%.14g"):format(n)
end

-- What a thing is called comes first, the rest by the alphabet.
local first = { event = 1, kind = 2, code = 3 }

local function sorted_keys(t)
  local keys = {}
  for key in pairs(t) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b)
    local x, y = first[a] or 9, first[b] or 9
    if x ~= y then return x < y end
    return a < b
  end)
  return keys
end

---@param value any  tables have strings as keys, or are arrays from 1 on
---@return string    without a line feed
function json.encode(value)
  local parts = {}
  if type(value) == "string" then
    return encode_string(value)
  elseif type(value) == "number" then
    return encode_number(value)
  elseif type(value) ~= "table" then
    return value == nil and "null" or tostring(value)
  elseif #value > 0 or getmetatable(value) == Array then
    for i, item in ipairs(value) do parts[i] = json.encode(item) end
    return "[" .. table.concat(parts, ",") .. "]"
  end
  for i, key in ipairs(sorted_keys(value)) do
    parts[i] = encode_string(key) .. ":" .. json.encode(value[key])
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

-- Fields that are lists, even where they are empty.
local lists = { attempts = true, names = true }

---An error of the module as a plain table.
---@param err uvwss.Error
---@return table
function json.error(err)
  local copy = {}
  for name, value in pairs(err) do
    if name == "attempts" then
      copy[name] = json.array {}
      for i, attempt in ipairs(value) do
        copy[name][i] = json.error(attempt)
      end
    else
      copy[name] = lists[name] and json.array { table.unpack(value) } or value
    end
  end
  return copy
end

return json
