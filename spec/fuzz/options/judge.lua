--- What must be true of the outcome of a call, whatever it was given.

local rules = require "options.rules"

local judge = {}

local MOST = 512 -- bytes of an error's text

local function must(promise, ...)
  if not promise then
    local said = {}
    for i = 1, select("#", ...) do said[i] = tostring((select(i, ...))) end
    error("BROKEN: " .. table.concat(said, " "):sub(1, 2000), 0)
  end
end
judge.must = must

-- Printable UTF-8 of a bounded length.
local function look_at_text(s)
  must(type(s) == "string", "the text of an error is a", type(s))
  must(#s <= MOST, "an error's text of", #s, "bytes:", s:sub(1, 200))
  must(utf8.len(s), "an error's text is not UTF-8:", ("%q"):format(s))
  for _, c in utf8.codes(s) do
    must(c >= 0x20 and not (c >= 0x7F and c < 0xA0) and c ~= 0x2028
      and c ~= 0x2029, "an error's text has a control character:",
      ("%q"):format(s))
  end
end

-- ---- what a value is like ---------------------------------------------------

-- Where a bound is near, each whole number counts.
local bounded = { redirects = true, backlog = true, max_depth = true,
  level = true, mem_level = true, server_max_window_bits = true,
  client_max_window_bits = true, close1 = true }

local function number_like(v, name)
  if v ~= v or v == 1 / 0 or v == -1 / 0 then return tostring(v) end
  if bounded[name] and math.type(v) == "integer" and v > 7 and v < 70000 then
    return "n" .. v
  end
  return (v < 0 and "-" or v == 0 and "0" or "+")
    .. (v % 1 == 0 and "whole" or "part") .. (v > 4e6 and " large" or "")
end

local function string_like(s)
  local n = #s
  local long = n == 0 and "0" or n < 60 and "1" or n < 125 and "60"
    or n < 200 and "125" or "200"
  return long .. (s:find("\0", 1, true) and "z" or "")
    .. (s:find "[\1-\31\127]" and "c" or "") .. (utf8.len(s) and "" or "!")
    .. (s:find "^%a+$" and "a" or "")
end

local function like(v, name)
  if type(v) == "number" then return number_like(v, name) end
  if type(v) == "string" then return string_like(v) end
  if type(v) == "table" then return "table" .. math.min(rawlen(v), 2) end
  return type(v) == "boolean" and tostring(v) or type(v)
end

-- Tells the fuzzer, through judge.note, which rule has seen what. Of a wrong
-- type all values are alike.
function judge.seen(name, v, says)
  local of_type = type(says) == "string"
    and (says:find(" expected, got " .. type(v), 1, true)
      or says == "number expected" or says == "string expected"
      or says == "function expected" or says:find "^must be " and type(v) ~= "number")
  judge.note(name .. " " .. (of_type and "type" or like(v, name)))
end

-- ---- what is wrong with a table of options ----------------------------------

local add_table

local function add(list, name, says)
  if type(says) == "table" and says.any then
    for _, one in ipairs(says.any) do add(list, name, one) end
  elseif type(says) == "table" then
    add_table(list, says.table, says.of, says.also)
  elseif says ~= nil then
    list[#list + 1] = { name = name, says = says or "", sure = says }
    list.sure = list.sure or says
  end
end

local function is_plain(name)
  return #name <= 32 and not name:find "[^%w_]"
end

function add_table(list, t, of, also)
  local alone = next(t) ~= nil and next(t, (next(t))) == nil
  for name, value in next, t do
    if type(name) == "number" and of == rules.reconnect then
      add(list, nil, "unknown option '")
    elseif type(name) ~= "string" then
      add(list, nil, "options have names; found a key that is a "
        .. type(name))
    elseif of[name] then
      local says = of[name](value)
      if alone then judge.seen(name, value, says) end
      add(list, name, says)
    else
      add(list, is_plain(name) and name or nil, "unknown option '")
    end
  end
  also = also or rules.also[of]
  if also then
    local name, says = also(t)
    if name then add(list, name, says) end
  end
end

-- Faults of an option table, those that only may be some included.
function judge.faults_of(t, of, list)
  list = list or {}
  add_table(list, t, of)
  return list
end

function judge.add(list, name, says)
  add(list, name, says)
end

-- It may be refused for that, whatever its arguments are.
function judge.may(list, says)
  list[#list + 1] = { says = says }
end

-- What a function of the user's does, in the middle of a call: at no line.
function judge.may_add(list, ...)
  list.elsewhere = {}
  for _, says in ipairs { ... } do list.elsewhere[says] = true end
end

local function names_one(text, faults)
  for _, f in ipairs(faults) do
    if (not f.name or text:find("'" .. f.name .. "'", 1, true)
      or text:find("bad argument " .. f.name .. " to '", 1, true))
      and text:find(f.says, 1, true) then
      return true
    end
  end
  return false
end

-- ---- outcomes ---------------------------------------------------------------

local function look_at_error(err)
  must(type(err) == "table", "an error that is a", type(err))
  must(type(err.kind) == "string" and type(err.code) == "string",
    "an error without kind and code")
  look_at_text(err.message)
  look_at_text(err.code)
  must(tostring(err) == err.message, "tostring of an error")
  return ("failed: %s %s"):format(err.kind, err.code)
end

local function listed(faults)
  local said = {}
  for i, f in ipairs(faults) do
    said[i] = ("%s: %s%s"):format(f.name, f.says, f.sure and "" or " (?)")
  end
  return table.concat(said, "; ")
end

local function raised(text, faults, wild)
  if wild and type(text) ~= "string" then return "raised" end
  if wild and text:find "spoon" then return "raised" end
  look_at_text(text)
  if wild or faults.elsewhere and faults.elsewhere[text] then return "raised" end
  must(text:sub(1, 8) == "user:1: ", "not at the caller's line:", text)
  must(names_one(text, faults), "raised", text, "for", listed(faults))
  return #faults == 1 and text or "raised"
end

-- The outcome of a call, as table.pack has it of pcall, in a word. `fails`: it
-- may also return nil and an error.
function judge.outcome(got, faults, wild, fails)
  if not got[1] then return raised(got[2], faults, wild) end
  must(wild or not faults.sure, "accepted:", listed(faults))
  if got.n >= 3 and got[2] == nil and got[3] ~= nil then
    must(wild or fails, "failed:", got[3])
    return look_at_error(got[3])
  end
  return "accepted"
end

-- ---- the ledger -------------------------------------------------------------

function judge.same_ledger(before, now)
  for row, n in pairs(before) do
    must(n == now[row], "what was refused left", now[row] - n, "of", row)
  end
end

function judge.is_zero(ledger)
  for _, n in pairs(ledger) do
    if n ~= 0 then return false end
  end
  return true
end

function judge.zero(ledger)
  for row, n in pairs(ledger) do must(n == 0, n, row, "are left") end
end

return judge
