--- What docs/reference.md says of every option: which values it takes. A rule
-- is called with a value (not nil), and returns nothing if it is right,
-- `false` if only files or OpenSSL know, or else what the error has to say.

local rules = {}

local function is_list(v) return type(v) == "table" end

-- As luaL_typename has it.
local function wrong(words, v)
  return words .. " expected, got " .. type(v)
end

local function has_nul(s)
  return s:find("\0", 1, true) ~= nil
end

-- ---- kinds of rules ---------------------------------------------------------

local function of_type(name, words)
  return function(v)
    if type(v) ~= name then return wrong(words or name, v) end
  end
end

local boolean, fn = of_type "boolean", of_type "function"

-- A string without NUL bytes; `more` may know better.
local function text(more)
  return function(v)
    if type(v) ~= "string" then return wrong("string", v) end
    if has_nul(v) then return "contains a NUL byte" end
    if more then return more(v) end
  end
end

local function whole(v)
  return math.type(v) == "integer" and v or math.tointeger(v)
end

local function size(v)
  if type(v) ~= "number" then return wrong("number", v) end
  local n = whole(v)
  if not n or n < 0 then return "a whole number that is not negative" end
  if n > 1 << 53 then return false end
end

-- At most `most`, which the sentence has too.
local function count(most)
  return function(v)
    local says = size(v)
    if says then return says end
    if whole(v) > most then
      return whole(v) > 1 << 53 and "" or "at most " .. most
    end
  end
end

local function between(least, most)
  return function(v)
    local says = size(v)
    if says then return says end
    if whole(v) < least or whole(v) > most then
      return whole(v) > 1 << 53 and "" or
        ("%d to %d expected"):format(least, most)
    end
  end
end

local function seconds(none_too)
  return function(v)
    if none_too and v == false then return end
    if type(v) ~= "number" then return wrong("number of seconds", v) end
    if not (v >= 0 and v <= 4e6) or v == 0 and not none_too then
      return "to 4000000 expected, got"
    end
  end
end

local function choice(words)
  return text(function(v)
    for _, word in ipairs(words) do
      if v == word then return end
    end
    return "\"" .. words[#words] .. "\" expected, got"
  end)
end

local function has_other_keys(list)
  local n = 0
  for _ in next, list do n = n + 1 end
  return n ~= rawlen(list) and "a list has no keys but 1, 2, ..." or nil
end

-- A string or a list of strings, of which `one` may say more.
local function strings(one, some)
  return function(v)
    if type(v) ~= "string" and not is_list(v) then
      return wrong("string or list of strings", v)
    end
    local list = type(v) == "string" and { v } or v
    local unsure, seen = nil, {}
    local says = has_other_keys(list)
    if says then return says end
    for i = 1, rawlen(list) do
      if type(rawget(list, i)) ~= "string" then
        return wrong("list of strings", rawget(list, i))
      end
    end
    for i = 1, rawlen(list) do
      local s = rawget(list, i)
      if has_nul(s) then return "contains a NUL byte" end
    end
    for i = 1, rawlen(list) do
      says = one and one(rawget(list, i), seen)
      if says then return says end
      unsure = unsure or says
    end
    if some and rawlen(list) == 0 then return "is an empty list" end
    return unsure
  end
end

local function unsure() return false end

-- A table of options, by rules of its own: the first fault is as good as any.
local function nested(words, of, also)
  return function(v)
    if type(v) == "boolean" and words:find "boolean" then return end
    if type(v) ~= "table" then return wrong(words, v) end
    return { of = of, also = also, table = v }
  end
end

-- ---- HTTP -------------------------------------------------------------------

local function is_token(s)
  return s:find "^[!#$%%&'*+%-.^_`|~%w]+$" ~= nil
end

local function is_value(s)
  return not s:find "[\0-\8\10-\31\127]"
end

local function subprotocol(s, seen)
  if not is_token(s) then return "is not a token" end
  if seen[s] then return "is listed twice" end
  seen[s] = true
end

local ours = { host = true, upgrade = true, connection = true,
  ["content-length"] = true, ["transfer-encoding"] = true }

local function header(name, value)
  if type(name) ~= "string" then
    return "names are strings, got a " .. type(name)
  end
  if type(value) ~= "string" then
    return "must be a string or a list of strings, got " .. type(value)
  end
  if not is_token(name) then return "is not a header name" end
  if ours[name:lower()] or name:lower():find "^sec%-websocket%-" then
    return "belongs to the handshake"
  end
  if not is_value(value) then return "has a control character" end
end

-- All that is wrong, since nobody knows which of them comes first.
local function headers(v)
  if type(v) ~= "table" then return wrong("table", v) end
  local says = {}
  for name, value in next, v do
    local list = type(value) == "table" and value or { value }
    says[#says + 1] = has_other_keys(list)
    for i = 1, rawlen(list) do
      says[#says + 1] = header(name, rawget(list, i))
    end
  end
  if #says > 0 then return { any = says } end
end

local function origin(s)
  if s == "" or not is_value(s) then return "is not a header's value" end
end

local function one_origin(s)
  if s == "null" then return end
  local host = s:match "^.-://(.*)$"
  if s:find "^://" or not host or host == "" or host:find "[/?# ]" then
    return "is not an origin such as"
  end
end

rules.proxies = {
  ["http://127.0.0.1:1"] = true, ["http://127.0.0.1:1/"] = true,
  ["SOCKS5://u:p@127.0.0.1:1"] = true, ["socks5h://[::1]:1"] = true,
  ["http://u%20:p%3A@127.0.0.1:1"] = true,
  ["http://"] = "host is missing", ["http://127.0.0.1:0"] = "not 1 to 65535",
  ["http://127.0.0.1:65536"] = "not 1 to 65535",
  ["http://u%00:p@127.0.0.1"] = "a control character",
  ["http://u p@127.0.0.1"] = "percent-encoded",
  ["http://127.0.0.1/x"] = "has a path", ["socks5://@127.0.0.1"] = "is empty",
  ["http://a%3Ab:c@127.0.0.1"] = "has a colon",
  ["socks5://" .. ("u"):rep(256) .. "@127.0.0.1"] = "too long",
  ["http://[::1"] = "malformed", ["https://127.0.0.1"] = "scheme",
}

local function proxy(s)
  local known = rules.proxies[s]
  if known == true then return end
  return known or "scheme is not"
end

-- ---- the tables -------------------------------------------------------------

rules.compress = {
  level = between(0, 9), mem_level = between(1, 9), min_size = size,
  server_no_context_takeover = boolean, client_no_context_takeover = boolean,
  server_max_window_bits = between(8, 15),
  client_max_window_bits = between(8, 15),
}

-- Those of the policy have sentences of their own.
local function policy(test, words)
  return function(v)
    if not test(v) then return "must be " .. words end
  end
end

local function is_number(v, low)
  return math.type(v) ~= nil and v >= low and v < math.huge
end

local function above_0(v) return is_number(v, 0) and v > 0 end

rules.reconnect = {
  min = policy(above_0, "a number of seconds above 0"),
  max = policy(above_0, "a number of seconds above 0"),
  factor = policy(function(v) return is_number(v, 1) end,
    "a number, 1 or more"),
  jitter = policy(function(v) return type(v) == "boolean" end, "a boolean"),
  attempts = policy(function(v)
    return math.type(v) == "integer" and v >= 1 end, "an integer, 1 or more"),
  stable = policy(function(v) return is_number(v, 0) end,
    "a number of seconds, 0 or more"),
  random = policy(function(v) return type(v) == "function" end,
    "a function"),
  outbox = choice { "unsent", "drop" },
}

local function ordered(t)
  local least = rules.reconnect.min(t.min or 1) == nil and t.min
  local most = rules.reconnect.max(t.max or 1) == nil and t.max
  if most and most < (least or 0.5) then
    return "max", "must not be below 'min'"
  end
end

local function both_roles(more)
  local version = choice { "1.0", "1.1", "1.2", "1.3" }
  local these = {
    cert = text(unsure), key = text(unsure), password = text(unsure),
    min_version = version, max_version = version, ciphers = text(unsure),
    ciphersuites = text(unsure), groups = text(unsure),
    alpn = strings(unsure), keylog = text(unsure), max_depth = count(100),
    strict = boolean, trace = fn, crl = strings(unsure, true),
    crl_check = choice { "leaf", "chain" },
  }
  for name, rule in pairs(more) do these[name] = rule end
  return these
end

rules.tls = both_roles {
  ca = strings(unsure, true), system_ca = boolean,
  server_name = text(unsure), pins = strings(unsure, true),
  session = boolean, insecure = boolean, onverify = fn,
  ocsp = choice { "staple", "require" },
}

rules.identity = { cert = text(unsure), key = text(unsure),
  password = text(unsure) }

local function has_cert(t)
  if t.cert == nil then return "sni", "has no 'cert'" end
end

-- Each of them, since nobody knows which comes first.
local function sni(v)
  if type(v) ~= "table" then return wrong("table", v) end
  local says = {}
  for name, one in next, v do
    if type(name) ~= "string" or type(one) ~= "table" then
      says[#says + 1] = "a table of tables by host name expected"
    elseif has_nul(name) then
      says[#says + 1] = "contains a NUL byte"
    else
      says[#says + 1] = { of = rules.identity, also = has_cert, table = one }
    end
  end
  if #says > 0 then return { any = says } end
end

rules.tls_server = both_roles {
  sni = sni, client_ca = strings(unsure, true),
  verify_client = choice { "none", "request", "require" },
  ocsp = text(unsure), tickets = boolean,
}

rules.query = {
  time = function(v)
    if type(v) ~= "number" then return wrong("number of seconds", v) end
    if not (v >= -62135596800 and v < 253402300800) then
      return "up to the year 9999"
    end
  end,
  intermediates = strings(unsure), crl = strings(unsure, true),
  max_depth = count(1000), ocsp = of_type "string",
}

-- Above the default it has not been asked for.
local function water(t)
  local high = t.high_water or 1 << 20
  if size(high) == nil and t.low_water and size(t.low_water) == nil
    and t.low_water > high then
    return "low_water", "is above 'high_water'"
  end
end

local function with(these, handlers, more)
  for name, rule in pairs(more) do these[name] = rule end
  for name in handlers:gmatch "%w+" do
    these[name] = function(v)
      if type(v) ~= "function" then return wrong("function", v) end
    end
  end
  return these
end

local function bounds()
  return {
    close_timeout = seconds(), ping_interval = seconds(true),
    ping_timeout = seconds(true), max_message = size, max_buffered = size,
    high_water = size, low_water = size, max_header = size,
    compress = nested("boolean or table", rules.compress),
    subprotocols = strings(subprotocol),
  }
end

rules.client_handlers = "onopen onmessage onfragment onreconnect ondrain "
  .. "onping onpong onclose"
rules.server_handlers = "onupgrade onrequest onrefused onopen onmessage "
  .. "onfragment ondrain onping onpong onclose"

rules.connect = with(bounds(), rules.client_handlers, {
  headers = headers, origin = text(origin), open_timeout = seconds(),
  reconnect = nested("boolean or table", rules.reconnect, ordered),
  proxy = text(proxy), redirects = count(20), tls = unsure,
})
rules.listen = with(bounds(), rules.server_handlers, {
  origins = strings(one_origin), handshake_timeout = seconds(),
  upgrade_timeout = seconds(), max_connections = size, max_topics = size,
  slow_consumer = choice { "close", "drop", "wait" }, backlog = count(65535),
  reuse_port = boolean, tls = unsure,
})
rules.also = { [rules.connect] = water, [rules.listen] = water }

return rules
