--- When to dial again, and when not to: the policy behind `reconnect`.
-- It has no clock, no timer and no socket. It is told how a connection ended
-- and answers with seconds to wait, or with nil and why waiting is useless.
-- Whatever has a `next` method of that kind can stand in for it.

local suggest = require "uvwss.suggest"

local retry = {}

---What a user may write as `reconnect = { … }`.
---@class uvwss.retry.Options
---@field min? number       seconds, the first ceiling (0.5)
---@field max? number       seconds, the last ceiling (30)
---@field factor? number    from one ceiling to the next (2)
---@field jitter? boolean   wait anything from nothing to the ceiling (true)
---@field attempts? integer give up after so many in a row (never)
---@field stable? number    seconds of uptime that make a new start (10)
---@field random? fun(): number  at least 0, below 1 (`math.random`)
---@field outbox? "unsent"|"drop"  the client's: what becomes of the queue

---How a connection ended, or that it could not be made.
---@class uvwss.retry.Event
---@field err? table           the error (`kind`, `code`, …), nil when clean
---@field code? integer        the close code, if one was exchanged
---@field uptime? number       seconds it had been open; 0 if never
---@field retry_after? number  seconds that the server asked for

---@class uvwss.retry.Policy
---@field attempt integer  attempts in a row so far; 0 at first
local Policy = {}
Policy.__index = Policy
Policy.__name = "uvwss.retry.Policy"

local function is_number(v, low)
  return math.type(v) ~= nil and v >= low and v < math.huge
end

-- What each option must be: a test, and the same in words.
local rules = {
  min = { function(v) return is_number(v, 0) and v > 0 end,
    "a number of seconds above 0" },
  max = { function(v) return is_number(v, 0) and v > 0 end,
    "a number of seconds above 0" },
  factor = { function(v) return is_number(v, 1) end,
    "a number, 1 or more" },
  jitter = { function(v) return type(v) == "boolean" end, "a boolean" },
  attempts = { function(v) return math.type(v) == "integer" and v >= 1 end,
    "an integer, 1 or more" },
  stable = { function(v) return is_number(v, 0) end,
    "a number of seconds, 0 or more" },
  random = { function(v) return type(v) == "function" end, "a function" },
  outbox = { function(v) return v == "unsent" or v == "drop" end,
    "\"unsent\" or \"drop\"" },
}

local function did_you_mean(name)
  local names = {}
  for known in pairs(rules) do names[#names + 1] = known end
  table.sort(names)
  return suggest(name, names)
end

-- Of any bytes and any length there, printable and not long here.
local function printable(s)
  local cut = #s > 60
  s = s:sub(1, 60):gsub("[^ -~]", function(c)
    return ("\\x%02x"):format(c:byte())
  end)
  return cut and s .. "..." or s
end

local function shown(v)
  if type(v) == "string" then return '"' .. printable(v) .. '"' end
  if type(v) == "number" or type(v) == "boolean" then return tostring(v) end
  return "a " .. type(v)
end

local function check(options)
  for name, value in next, options do
    if type(name) ~= "string" and type(name) ~= "number" then
      return "options have names; found a key that is a " .. type(name)
    end
    local rule = rules[name]
    if not rule then
      return ("unknown option '%s'%s"):format(printable(tostring(name)),
        type(name) == "string" and did_you_mean(name) or "")
    end
    if not rule[1](value) then
      return ("option '%s' must be %s, not %s"):format(name, rule[2],
        shown(value))
    end
  end
end

---A policy for one client. Raises, at the caller's line, what is wrong with
---the options; takes a copy of them.
---@param options? uvwss.retry.Options
---@param level? integer  whose line to blame, as for `error`; 1 is the caller
---@return uvwss.retry.Policy
function retry.new(options, level)
  level = (level or 1) + 1
  if options == nil then options = {} end
  if type(options) ~= "table" then
    error("options of a retry policy must be a table, not " .. shown(options),
      level)
  end
  local wrong = check(options)
  if wrong then error(wrong, level) end
  local policy = {
    min = options.min or 0.5,
    factor = options.factor or 2,
    jitter = options.jitter ~= false,
    attempts = options.attempts,
    stable = options.stable or 10,
    random = options.random or math.random,
    attempt = 0,
  }
  policy.max = options.max or math.max(30, policy.min)
  if policy.max < policy.min then
    error(("option 'max' (%s) must not be below 'min' (%s)")
      :format(policy.max, policy.min), level)
  end
  return setmetatable(policy, Policy)
end

-- Close codes that say: this peer will never want this (RFC 6455, 7.4.1).
local final_codes = {
  [1000] = true, [1002] = true, [1003] = true, [1007] = true,
  [1008] = true, [1009] = true, [1010] = true,
}

-- Client errors that time may heal (RFC 9110, 15.5.9; RFC 8470, 5.2;
-- RFC 6585, 4).
local passing_status = { [408] = true, [425] = true, [429] = true }

-- Why waiting cannot help, or nil.
local function hopeless(err, code)
  if err then
    if err.kind == "certificate" then
      return "a certificate does not get better by waiting"
    end
    local status = err.status
    if err.kind == "upgrade" and err.code == "status"
      and math.type(status) and status >= 400 and status < 500
      and not passing_status[status] then
      return ("the server answered with status %d"):format(status)
    end
    if err.kind == "closed" and err.code == "local" then
      return "it was closed on this side"
    end
  end
  if code and final_codes[code] then
    return ("it was closed with code %d"):format(code)
  end
end

---A connection has ended or could not be made: what now?
---@param event uvwss.retry.Event
---@return number|nil delay   seconds until the next attempt, or nil: give up
---@return string|nil reason  why to give up, a clause without a full stop
function Policy:next(event)
  local err = event.err
  local reason = hopeless(err, event.code or (err and err.close))
  if reason then return nil, reason end
  if (event.uptime or 0) >= self.stable then self.attempt = 0 end
  if self.attempts and self.attempt >= self.attempts then
    return nil, ("gave up after %d attempt%s"):format(self.attempts,
      self.attempts == 1 and "" or "s")
  end
  self.attempt = self.attempt + 1
  -- A large exponent is infinite at worst, and 'min' is not zero: no NaN.
  local ceiling = math.min(self.max,
    self.min * self.factor ^ (self.attempt - 1))
  local delay = self.jitter and self.random() * ceiling or ceiling
  local asked = event.retry_after or (err and err.retry_after)
  if asked and is_number(asked, 0) then delay = math.max(delay, asked) end
  return delay
end

return retry
