--- The words of a command line: a small, strict parser of options, and the
-- part of a help text that lists them. Nothing is guessed: an option that is
-- not known, lacks its value, has one it does not take, or comes twice, is an
-- error that says so.

local suggest = require "uvwss.suggest"

local args = {}

---One option, `--name`, or `--name VALUE` and `--name=VALUE`.
---@class uvwss.cli.Option
---@field name string
---@field short? string   one letter: `-s`, or `-s VALUE`
---@field value? string   what the help calls its value; a switch without
---@field many? boolean   may be repeated: the values are a list
---@field needs? string   the option without which it has no meaning
---@field check? fun(value: string): any, string?  what the value means, or nil and what it must be
---@field hidden? boolean  left out of the help, and of guesses
---@field help string

local longest = 4000000 -- seconds; beyond is no time that anybody waits

---A check for an option: seconds, more than 0.
---@param value string
---@return number|nil, string?
function args.seconds(value)
  local n = value:find "^[%d.]+$" and tonumber(value)
  if n and n > 0 and n <= longest then return n end
  return nil, "a number of seconds, more than 0 and at most " .. longest
end

---The same, with 0, and `forever`, which is `math.huge`.
---@param value string
---@return number|nil, string?
function args.patience(value)
  if value == "forever" then return math.huge end
  local n = value:find "^[%d.]+$" and tonumber(value)
  if n and n <= longest then return n end
  return nil, "a number of seconds from 0 to " .. longest .. ", or 'forever'"
end

-- Days from 1970-01-01 to a date of the Gregorian calendar.
local function days_to(year, month, day)
  if month <= 2 then year, month = year - 1, month + 12 end
  return 365 * year + year // 4 - year // 100 + year // 400
    + (153 * (month - 3) + 2) // 5 + day - 719469
end

-- So long are a date, and one with a time of the day.
local shapes = { [10] = true, [16] = true, [19] = true }
local a_moment = "seconds since 1970, or YYYY-MM-DD[THH:MM[:SS]] in UTC"

---A check for an option: a moment, in seconds since 1970.
---@param value string
---@return integer|nil, string?
function args.moment(value)
  if value:find "^%-?%d+$" and #value <= 12 then
    return math.tointeger(tonumber(value))
  end
  -- Whatever is left out is zero.
  local whole = value:gsub("Z$", ""):gsub(" ", "T")
  whole = whole .. ("0000-00-00T00:00:00"):sub(#whole + 1)
  local fields = { whole:match
    "^(%d%d%d%d)%-(%d%d)%-(%d%d)T(%d%d):(%d%d):(%d%d)$" }
  if not fields[1] or not shapes[#value:gsub("Z$", "")] then
    return nil, a_moment
  end
  for i, digits in ipairs(fields) do fields[i] = math.tointeger(digits) end
  local at = days_to(fields[1], fields[2], fields[3]) * 86400
    + fields[4] * 3600 + fields[5] * 60 + fields[6]
  -- What is no date, or no time of a day, has become another one.
  if os.date("!%Y-%m-%dT%H:%M:%S", at) ~= whole then return nil, a_moment end
  return at
end

local function find(options, word)
  local names = {}
  for _, option in ipairs(options) do
    if word == "--" .. option.name then return option end
    if option.short and word == "-" .. option.short then return option end
    if not option.hidden then names[#names + 1] = option.name end
  end
  return nil, ("unknown option '%s'%s"):format(word,
    suggest(word:gsub("^%-+", ""), names, "--"))
end

-- One value of one option into the result; an error or nil.
local function store(found, option, word, value)
  if not option.value then
    if value then return ("option '%s' takes no value"):format(word) end
    value = true
  elseif option.check then
    local meant, wanted = option.check(value)
    if meant == nil then
      return ("option '%s' must be %s, not '%s'"):format(word, wanted, value)
    end
    value = meant
  end
  if option.many then
    found[option.name] = found[option.name] or {}
    table.insert(found[option.name], value)
  elseif option.value and found[option.name] ~= nil then
    return ("option '%s' is given twice"):format(word)
  else
    found[option.name] = value
  end
end

local function check_needs(options, found)
  for _, option in ipairs(options) do
    if option.needs and found[option.name] and not found[option.needs] then
      return ("option '--%s' needs '--%s'"):format(option.name, option.needs)
    end
  end
end

---Take the words of a command line apart. `--` ends the options; a single `-`
---is no option. A value that begins with `--` is written `--name=VALUE`.
---@param options uvwss.cli.Option[]
---@param words string[]
---@return table<string, any>|nil found  by name; a problem as the second
---@return string[]|string others  the words that are no options
function args.parse(options, words)
  local found, others, i = {}, {}, 1
  while i <= #words do
    local word = words[i]
    i = i + 1
    if word == "--" then
      table.move(words, i, #words, #others + 1, others)
      break
    elseif word:sub(1, 1) ~= "-" or word == "-" then
      others[#others + 1] = word
    else
      local name, value = word:match "^(%-%-[^=]+)=(.*)$"
      name = name or word
      local option, problem = find(options, name)
      if not option then return nil, problem end
      if option.value and not value then
        value, i = words[i], i + 1
        if not value or value:sub(1, 2) == "--" then
          return nil, ("option '%s' needs a value: %s"):format(name,
            option.value)
        end
      end
      problem = store(found, option, name, value)
      if problem then return nil, problem end
    end
  end
  local problem = check_needs(options, found)
  if problem then return nil, problem end
  return found, others
end

---Text in lines of at most `width` bytes; words stay whole.
---@param text string
---@param width integer
---@return string[]
function args.wrap(text, width)
  local lines, line = {}, nil
  for word in text:gmatch "%S+" do
    if line and #line + 1 + #word <= width then
      line = line .. " " .. word
    else
      lines[#lines + 1] = line
      line = word
    end
  end
  lines[#lines + 1] = line
  return lines
end

---The list of options for a help text; ends with a line feed.
---@param options uvwss.cli.Option[]
---@return string
function args.help(options)
  local shown, heads, width, out = {}, {}, 0, {}
  for _, option in ipairs(options) do
    if not option.hidden then shown[#shown + 1] = option end
  end
  for i, option in ipairs(shown) do
    heads[i] = ("  %s --%s%s"):format(
      option.short and "-" .. option.short .. "," or "   ", option.name,
      option.value and " " .. option.value or "")
    width = math.max(width, #heads[i])
  end
  for i, option in ipairs(shown) do
    local text = option.help .. (option.many and " (may be repeated)" or "")
    for n, line in ipairs(args.wrap(text, 79 - width - 2)) do
      out[#out + 1] = ("%-" .. width .. "s  %s"):format(
        n == 1 and heads[i] or "", line)
    end
  end
  return table.concat(out, "\n") .. "\n"
end

return args
