--- A TLS handshake as an arrow diagram, for `uvwss check`: time on the left,
-- the client and the server as lanes, the messages as arrows between them. A
-- line has at most 80 columns, of plain ASCII.

local explain = require "uvwss.cli.explain"

local diagram = {}

local width = 27   -- between the lanes
local margin = 11  -- on their left

local function row(time, middle, text)
  return (("%" .. margin .. "s|%s|%s"):format(time, middle, text)
    :gsub("%s+$", ""))
end

local function centred(text)
  local left = (width - #text) // 2
  return (" "):rep(left) .. text .. (" "):rep(width - left - #text)
end

-- The first ServerHello of two asks the client to begin anew (RFC 8446, 4.1.4).
local function is_retry(steps, at)
  if steps[at].name ~= "ServerHello" then return false end
  for i = at + 1, #steps do
    if steps[i].name == "ClientHello" then return true end
  end
  return false
end

local function last(steps, name)
  for i = #steps, 1, -1 do
    if steps[i].name == name then return i end
  end
  return math.huge
end

-- TLS 1.3 encrypts what comes behind the ServerHello; our alerts only if we
-- have said something else by then. ChangeCipherSpec is never encrypted.
local function encrypted_13(steps)
  local hello, marks, spoken = last(steps, "ServerHello"), {}, false
  for i, step in ipairs(steps) do
    local is_out = step.direction == "out"
    if i > hello and step.name ~= "ChangeCipherSpec" then
      marks[i] = not is_out or step.name ~= "Alert" or spoken
    end
    spoken = spoken or i > hello and is_out
  end
  return marks
end

-- Before it, each side says from when on (RFC 5246, 7.1), just before its
-- Finished; OpenSSL does not tell of the peer's.
local function encrypted_12(steps)
  local marks, changed = {}, {}
  for i, step in ipairs(steps) do
    if step.name == "Finished" then changed[step.direction] = true end
    marks[i] = changed[step.direction]
    if step.name == "ChangeCipherSpec" then changed[step.direction] = true end
  end
  return marks
end

---Which of the messages were encrypted: true at their numbers.
---@param steps uvwss.Step[]
---@return table<integer, boolean?>
function diagram.encrypted(steps)
  -- Of TLS 1.3, and in all of its handshakes.
  local is_13 = last(steps, "EncryptedExtensions") < math.huge
  return (is_13 and encrypted_13 or encrypted_12)(steps)
end

local function arrow(name, is_out, encrypted)
  local stroke = encrypted and "=" or "-"
  local room = width - #name - 3
  local left = stroke:rep(room // 2) .. " "
  local right = " " .. stroke:rep(room - room // 2)
  if is_out then return left .. name .. right .. ">" end
  return "<" .. left .. name .. right
end

---The lines of the diagram; none without any steps.
---@param steps uvwss.Step[]
---@param tls? uvwss.Peer  what is known of the connection
---@param ending string    what became of it, in a few words
---@return string[]
function diagram.lines(steps, tls, ending)
  if not steps[1] then return {} end
  local marks, lines = diagram.encrypted(steps), {}
  local function put(...) lines[#lines + 1] = row(...) end
  local blank = (" "):rep(width)
  lines[1] = (" "):rep(margin - 3) .. "client" .. (" "):rep(width - 4)
    .. "server"
  put("", blank, "")
  for i, step in ipairs(steps) do
    if i > 1 and steps[i - 1].direction ~= step.direction then
      put("", blank, "") -- another flight
    end
    local name = is_retry(steps, i) and "HelloRetryRequest" or step.name
    local shown = { name = name, direction = step.direction,
      bytes = step.bytes, alert = step.alert }
    put(("%.1f ms "):format(step.milliseconds),
      arrow(name, step.direction == "out", marks[i]),
      ("%5d B  %s"):format(step.bytes, explain.step(shown, tls)))
  end
  put("", blank, "")
  put("", centred(ending), "")
  return lines
end

return diagram
