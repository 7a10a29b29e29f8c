--- Values of every type out of the bytes of an input. Behind its end are
-- zeros, which are plain nils. What has metamethods that can meddle with a
-- call is counted in `wild`: of such a call less can be said.

local values = {}
values.__index = values

---@param data string
---@param things table  userdata and PEM texts that only C can make
function values.new(data, things)
  return setmetatable({ data = data, at = 0, wild = 0, depth = 0,
    things = things }, values)
end

function values:byte()
  self.at = self.at + 1
  return self.data:byte(self.at) or 0
end

function values:left()
  return #self.data - self.at
end

function values:pick(list)
  return list[self:byte() % #list + 1]
end

-- ---- scalars ----------------------------------------------------------------

local max, min = math.maxinteger, math.mininteger
local integers = { 0, 1, -1, 2, 3, 8, 9, 10, 15, 16, 20, 21, 100, 101, 1000,
  1001, 1003, 1004, 1005, 1006, 1007, 1014, 1015, 1016, 2999, 3000, 4999, 5000,
  65535, 65536, 1 << 20, 1 << 31, (1 << 32) + 1, 1 << 53, max // 4,
  max // 4 + 1, max, min, 4000000, 4000001, 253402300799, 253402300800,
  -62135596800, -62135596801 }
local floats = { 0.5, -0.0, 0.0, 1e-7, 5e-324, -5e-324, 0 / 0, 1 / 0, -1 / 0,
  2.0 ^ 53, 2.0 ^ 63, -(2.0 ^ 63), 4e6, 4e6 + 0.001, 1e308, 1.0, 20.0, 20.5,
  0.0001, 9.0, 15.0, 1000.0, 1000.5, 3e9 }

-- Bytes of a text that an error must not repeat as they are.
local strings = { "", "x", "text", "binary", "1", "0x10", "1e3", " 5 ", "nan",
  "a\0b", "\0", "\xFF\xFE", "\xC3", "\xED\xA0\x80", "\u{200000}", "\27[2J",
  "a\r\nb", "\t", "\x7F", "\u{85}", "\u{2028}", "é€😀", "%s%n%d", "it's", "\"",
  ("x"):rep(124), ("x"):rep(126), ("é"):rep(400), ("y"):rep(70000),
  ("\xFF"):rep(300), ("z"):rep(299) .. "\u{20AC}" }

local function nothing() end

function values:raw()
  local n = self:byte() % 24
  local s = self.data:sub(self.at + 1, self.at + n)
  self.at = self.at + n
  return s
end

function values:thread()
  local co = coroutine.create(coroutine.yield)
  if self:byte() % 2 == 0 then coroutine.resume(co) end
  return co
end

-- ---- metatables -------------------------------------------------------------

-- What a metamethod does before it answers.
local deeds = {
  function() error "spoon" end,
  function() error {} end,
  function() error(setmetatable({}, { __tostring = nothing })) end,
  function() collectgarbage() end,
  function(v, t) if type(t) == "table" then
    for k in next, t do rawset(t, k, nil) end end
    v.things.meddle() end,
  function(v) v.things.meddle() end,
  function(_, t) if type(t) == "table" then
    for i = 1, 20 do rawset(t, i, i) rawset(t, "k" .. i, i) end end end,
  nothing,
}

-- __pairs counts: the policy of reconnecting is Lua's.
function values:meddling(t)
  local deed, answer = self:pick(deeds), self:value()
  if type(answer) == "string" then answer = "/dev/null/" .. answer end
  self.wild = self.wild + 1
  local function act(of)
    deed(self, of)
    return answer
  end
  local event = self:pick { "__index", "__gc", "__close", "__len", "__pairs",
    "__newindex", "__eq", "__call", "__mode", "__index" }
  return setmetatable(t, { [event] = event == "__mode" and "kv" or act })
end

-- What reads a table as it is never sees these.
function values:harmless(t)
  local function spoon() error "spoon" end
  return setmetatable(t, { __len = spoon, __newindex = spoon, __call = spoon,
    __close = spoon, __name = "spoon", __tostring = spoon,
    __metatable = false, __concat = spoon, __lt = spoon, __unm = spoon })
end

-- ---- tables -----------------------------------------------------------------

function values:list(t, one)
  for i = 1, self:byte() % 5 do t[i] = (one or self.value)(self) end
  return t
end

function values:map()
  local t = {}
  for _ = 1, self:byte() % 4 do
    local key = self:value()
    if key ~= nil and key == key then t[key] = self:value() end
  end
  return t
end

local function cycle()
  local t = {}
  t[1], t.x, t.tls, t.headers = t, t, t, t
  return t
end

function values:table()
  self.depth = self.depth + 1
  local kind, t = self:byte() % 8
  if self.depth > 4 or kind == 0 then t = {}
  elseif kind == 1 then t = cycle()
  elseif kind == 2 then t = self:map()
  elseif kind == 3 then t = self:meddling(self:map())
  elseif kind == 4 then t = self:harmless(self:list {})
  elseif kind == 5 then t = self:list({}, function(v) return v:string() end)
  else t = self:list {} end
  self.depth = self.depth - 1
  return t
end

function values:string()
  if self:byte() % 4 == 0 then return self:raw() end
  return self:pick(strings)
end

local kinds = {
  function() return nil end,
  function() return true end,
  function() return false end,
  function(v) return v:pick(integers) end,
  function(v) return v:pick(floats) end,
  values.string,
  values.string,
  function() return nothing end,
  function() return rawlen end,
  values.thread,
  function(v) return v:pick { v.things.light, v.things.full(),
    io.stdout } end,
  values.table,
  values.table,
  function(v) return v:byte() end,
  function(v) return v:pick(v.things.objects) end,
}

function values:value()
  return self:pick(kinds)(self)
end

return values
