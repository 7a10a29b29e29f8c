--- Where `uvwss connect` shows what happens: messages on standard output,
-- everything about the connection on standard error. Three kinds with the
-- same methods: for a terminal, for a pipe, and for programs (JSON).
--
--   screen:open(ws, info)  screen:message(data, kind)
--   screen:reconnect(attempt, delay, err)  screen:close(code, reason, err)
--   screen:problem(err)    an error of the module, or a sentence
--   screen:prompt()        input is wanted
--   screen.broken          standard output takes nothing any more

local core = require "uvwss.core"
local json = require "uvwss.cli.json"
local text = require "uvwss.cli.text"

local Plain = {}
Plain.__index = Plain

function Plain:write(...)
  if not (io.stdout:write(...) and io.stdout:flush()) then
    self.broken = true
  end
end

function Plain:say(format, ...)
  if not self.quiet then self:problem(format:format(...)) end
end

function Plain:problem(err)
  io.stderr:write("uvwss: ", text.line(tostring(err)), "\n")
end

local function about(ws, info)
  local words = {}
  local function add(format, ...)
    words[#words + 1] = format:format(...)
  end
  if ws.peer then add("%s port %d", ws.peer.ip, ws.peer.port) end
  local tls = ws.tls
  if tls then
    add("%s %s", tls.version, tls.cipher)
    if not tls.verified then add "NOT VERIFIED" end
  end
  if info.subprotocol then add("subprotocol %s", info.subprotocol) end
  return table.concat(words, ", ")
end

function Plain:open(ws, info)
  self.was_open = true
  self:say("connected to %s (%s)", ws.url, about(ws, info))
end

function Plain:message(data, kind)
  if kind == "text" and not self.raw then
    self:write(data, "\n")
  else
    self:write(data)
  end
end

-- What a connection that will be made anew ended with.
local function ending(err)
  if err.kind ~= "closed" or err.code ~= "remote" or not err.close then
    return tostring(err)
  end
  local reason = err.reason ~= "" and err.reason or nil
  return ("closed by the server with %d%s"):format(err.close,
    reason and ": " .. reason or "")
end

function Plain:reconnect(_, delay, err)
  self:say("%s; next attempt in %.1f s", ending(err), delay)
end

function Plain:close(code, reason, err)
  if not err then
    self:say("closed with %d%s", code, reason ~= "" and ": " .. reason or "")
  elseif self.was_open then
    self:problem("connection lost: " .. tostring(err))
  else
    self:problem("cannot connect: " .. tostring(err))
  end
end

function Plain:prompt() end

---@class uvwss.cli.Terminal
local Terminal = setmetatable({}, { __index = Plain })
Terminal.__index = Terminal

local clear = "\r\27[K" -- whatever was on the line: the prompt, half a line

function Terminal:above_prompt(write)
  if self.prompted then self:write(clear) end
  write()
  if self.prompted then self:write "> " end
end

function Terminal:prompt()
  self.prompted = true
  self:write "> "
end

function Terminal:problem(err)
  self:above_prompt(function() Plain.problem(self, err) end)
end

function Terminal:message(data, kind)
  self:above_prompt(function()
    self:write("< ",
      kind == "text" and text.lines(data, "  ") or text.hex(data), "\n")
  end)
end

function Terminal:close(...)
  if self.prompted then self:write(clear) end
  self.prompted = false
  Plain.close(self, ...)
end

-- Standard output is a terminal, standard input is not.
local Shown = setmetatable({ message = Terminal.message,
  above_prompt = Terminal.above_prompt }, { __index = Plain })
Shown.__index = Shown

---@class uvwss.cli.Json
local Json = setmetatable({}, { __index = Plain })
Json.__index = Json

function Json:event(name, event)
  event.event = name
  self:write(json.encode(event), "\n")
end

function Json:open(ws, info)
  local tls = ws.tls
  self:event("open", { url = ws.url, peer = ws.peer, attempt = info.attempt,
    subprotocol = info.subprotocol,
    tls = tls and { version = tls.version, cipher = tls.cipher,
      group = tls.group, alpn = tls.alpn, resumed = tls.resumed,
      verified = tls.verified } })
end

function Json:message(data, kind)
  self:event("message", { kind = kind,
    data = kind == "text" and data or nil,
    base64 = kind == "binary" and text.base64(data) or nil })
end

function Json:reconnect(attempt, delay, err)
  self:event("reconnect", { attempt = attempt, delay = delay,
    error = json.error(err) })
end

function Json:problem(err)
  if type(err) ~= "table" then err = { kind = "input", message = err } end
  self:event("error", { error = json.error(err) })
end

function Json:close(code, reason, err)
  if err then self:problem(err) end
  self:event("close", { code = code, reason = reason, clean = not err })
end

local screen = {}

---@param found table<string, any>  `json`, `quiet` and `binary` count
function screen.new(found)
  local kind = Plain
  if found.json then
    kind = Json
  elseif core.isterminal(1) then
    kind = core.isterminal(0) and Terminal or Shown
  end
  return setmetatable({ quiet = found.quiet, raw = found.binary }, kind)
end

return screen
