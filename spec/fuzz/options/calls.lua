--- Arguments of functions and methods, as docs/reference.md has them: for each
-- a rule like those of options, which is called with nil too.

local calls = {}

local function wrong(words)
  return words .. " expected"
end

-- What Lua takes for a number: a numeric string as well.
local function number(test, says, optional)
  return function(v)
    if optional and v == nil then return end
    local n = type(v) == "string" and tonumber(v) or v
    if type(n) ~= "number" then return wrong "number" end
    if not test(n) then return says end
  end
end

local function text(test, says, optional)
  return function(v)
    if optional and v == nil then return end
    if type(v) ~= "string" then return wrong "string" end
    if test and not test(v) then return says end
  end
end

local function fn(optional)
  return function(v)
    if optional and v == nil then return end
    if type(v) ~= "function" then return wrong "function" end
  end
end

local string = text()
local kind = text(function(s) return s == "text" or s == "binary" end,
  "\"text\" or \"binary\" expected, got", true)

local function bounded(n) return n >= 0 and n <= 4e6 end

local grace = number(bounded, "seconds must be from 0 to 4000000", true)
local function finite(n) return n >= 0 and n < math.huge end

local ms = number(finite, "seconds must be a number that is not negative")

-- RFC 6455, 7.4.
local function code(v)
  if v == nil then return end
  local n = type(v) == "string" and tonumber(v) or v
  if type(n) ~= "number" then return wrong "number" end
  n = math.tointeger(n)
  if not n then return "number has no integer representation" end
  if n >= 1000 and n <= 1014 and n ~= 1004 and n ~= 1005 and n ~= 1006
    or n >= 3000 and n <= 4999 then
    return
  end
  return "not a close code"
end

local function reason(v)
  if v == nil then return end
  if type(v) ~= "string" then return wrong "string" end
  if #v > 123 then return "at most 123 bytes" end
  if not utf8.len(v) then return "must be valid UTF-8" end
end

local short = text(function(s) return #s <= 125 end, "at most 125 bytes",
  true)
local seconds = number(bounded, "seconds must be from 0 to 4000000", true)

calls.client = {
  send = { string, kind, fn(true) }, stream = { kind }, ping = { short },
  close = { code, reason }, receive = { seconds }, pause = {}, resume = {},
  terminate = {}, stats = {}, messages = {}, reconnect = {},
}
calls.accepted = {
  send = { string, kind, fn(true) }, stream = { kind }, ping = { short },
  close = { code, reason }, pause = {}, resume = {}, stats = {},
  subscribe = { string }, unsubscribe = { string },
}
calls.server = {
  publish = { string, string, kind }, broadcast = { string, kind },
  connections = {}, stats = {}, close = { grace },
}
calls.writer = { write = { string, fn(true) }, finish = { text(nil, nil, true),
  fn(true) } }

local signals = { HUP = true, INT = true, PIPE = true, TERM = true }
local function above_0(n) return n > 0 and n < math.huge end

calls.wss = {
  timer = { ms, fn(), number(above_0, "", true) },
  sleep = { ms }, spawn = { fn() }, run = { fn() }, stop = {}, timeout = {},
  pollfd = {}, stats = {}, versions = {},
  signal = { text(function(s) return signals[s] end,
    "\"HUP\", \"INT\", \"PIPE\" or \"TERM\" expected, got"), fn() },
}

-- Values that are right, or nearly, by the name of the function.
calls.good = {
  send = { "hello", "text", "binary", "\xFF" }, stream = { "text", "binary" },
  ping = { "x", ("x"):rep(125) }, close = { 0, 1, 1000, 3000, "bye", 1006 },
  receive = { 0, 0.001 }, publish = { "a", "text", "binary" },
  broadcast = { "hello", "text" }, subscribe = { "a", "b" },
  unsubscribe = { "a" }, timer = { 0, 0.001, 1e300 },
  sleep = { 0, 0.001 }, signal = { "HUP", "INT", "TERM" },
  write = { "piece", "\xC3", "\xA9" }, finish = { "end", "" },
}

-- Names in an order that is the same each time.
function calls.names(of)
  local list = {}
  for name in pairs(of) do list[#list + 1] = name end
  table.sort(list)
  return list
end

return calls
