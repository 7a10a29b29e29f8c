--- `uvwss connect URL`: lines in, messages out.

local args = require "uvwss.cli.args"
local core = require "uvwss.core"
local screen = require "uvwss.cli.screen"
local tls = require "uvwss.cli.tls"
local wss = require "uvwss"

local connect = {
  name = "connect",
  summary = "send lines, print messages; a chat, or a filter in a pipe",
  usage = "uvwss connect [options] URL",
}

---@type uvwss.cli.Option[]
connect.options = {
  { name = "binary", short = "b",
    help = "send input as binary messages, and write messages as they are, "
      .. "with nothing between them" },
  { name = "json",
    help = "print one JSON object for each event: open, message, reconnect, "
      .. "error, close" },
  { name = "quiet", short = "q", help = "say only what goes wrong" },
  { name = "header", short = "H", value = "'NAME: VALUE'", many = true,
    help = "add a header to the request" },
  { name = "subprotocol", value = "NAME", many = true,
    help = "offer a subprotocol, the preferred one first" },
  { name = "origin", value = "ORIGIN", help = "send this Origin" },
  { name = "proxy", value = "URL",
    help = "http://[USER:PASSWORD@]HOST:PORT or socks5://..." },
  { name = "timeout", value = "SECONDS", check = args.seconds,
    help = "for a connection to be made (10)" },
  { name = "reconnect",
    help = "dial again when the connection is lost or cannot be made" },
  { name = "wait", value = "SECONDS", check = args.patience,
    help = "after the end of input, close when no message has come for so "
      .. "long (1; at a terminal 0); 'forever' leaves that to the server" },
  table.unpack(tls.options),
}
table.insert(connect.options, { name = "insecure", short = "k",
  help = "verify nothing: anybody can listen and change what is said" })

connect.help = [[
Connects to a WebSocket server (ws:// or wss://). Each line of standard input
is sent as a text message; each text message that comes is printed as a line.
What is said about the connection goes to standard error.

At the end of input everything is sent first. Then a ping makes sure that the
server has it, answers are waited for (--wait), and the connection is closed.

A binary message is written as it is, to a terminal as a line of hex. With
--binary, input from a pipe is cut where reads end, into messages of 64 KiB
at most; from a terminal each line, without its end, is a message.

Options:
%s
Exit status: 0 when the connection was closed in an orderly way (code 1000,
1001, or none) and everything was sent, 1 when not, or when it was never made,
2 for a mistake in the command line.

Examples:
  echo hello | uvwss connect wss://echo.example/
  uvwss connect --json --wait forever wss://feed.example/ </dev/null
  uvwss connect -H 'Authorization: Bearer TOKEN' --ca ca.crt wss://host:8443/
]]

-- Input pauses above the first and goes on at the second.
local high_bytes, low_bytes = 1 << 20, 1 << 18
local high_messages, low_messages = 4096, 1024
local longest_line = 32 << 20

local last_ping = "the end of input"
local orderly = { [1000] = true, [1001] = true, [1005] = true }

---@class uvwss.cli.Session
local Session = {}
Session.__index = Session

-- "Name: value" lines to the option `headers`.
local function headers(list)
  if not list then return nil end
  local t = {}
  for _, line in ipairs(list) do
    local name, value = line:match "^([^:]+):%s*(.-)%s*$"
    if not name then
      return nil, ("option '--header' must be 'NAME: VALUE', not '%s'")
        :format(line)
    end
    t[name] = t[name] or {}
    table.insert(t[name], value)
  end
  return t
end

local function options_of(found)
  local list, problem = headers(found.header)
  if problem then return nil, problem end
  return {
    headers = list, subprotocols = found.subprotocol, origin = found.origin,
    proxy = found.proxy, open_timeout = found.timeout, tls = tls.table(found),
    reconnect = found.reconnect,
  }
end

-- ---- sending ---------------------------------------------------------------

function Session:fail(err)
  self.screen:problem(err)
  self.status = 1
end

function Session:send(data)
  self.count = self.count + 1
  local ok, err = self.ws:send(data, self.kind, self.on_done)
  if ok then
    self.pending = self.pending + 1
  elseif err.kind == "protocol" then
    self:fail(("line %d is not valid UTF-8 and was not sent"):format(
      self.count))
  elseif err.kind ~= "closed" then -- of that onclose tells
    self:fail(err)
  end
end

-- Whole lines of what has come are sent; the rest is kept.
function Session:take_lines(bytes)
  local from, at = 1, bytes:find("\n", 1, true)
  while at do
    table.insert(self.held, bytes:sub(from, at - 1))
    self:send(table.concat(self.held))
    self.held, self.held_bytes = {}, 0
    from, at = at + 1, bytes:find("\n", at + 1, true)
  end
  if from > #bytes then return end
  table.insert(self.held, bytes:sub(from))
  self.held_bytes = self.held_bytes + #bytes - from + 1
  if self.held_bytes > longest_line then
    self:fail(("line %d is longer than %d MiB"):format(self.count + 1,
      longest_line >> 20))
    self.held = {}
    self:end_of_input()
  end
end

function Session:take(bytes)
  if self.over then return end
  if not bytes then
    if self.held_bytes > 0 then self:send(table.concat(self.held)) end
    self:end_of_input()
    return
  end
  if self.whole then self:send(bytes) else self:take_lines(bytes) end
  if self.ws.buffered > high_bytes or self.pending > high_messages then
    self.paused = true
    self.input:pause()
  elseif self.is_open then
    self.screen:prompt()
  end
end

-- A message has gone to the kernel, or never will.
function Session:done(err, outcome)
  self.pending = self.pending - 1
  if err then
    self.lost = self.lost + 1
    if outcome == "partial" then self.cut = self.cut + 1 end
  end
  if self.paused and not self.over and self.pending <= low_messages
    and self.ws.buffered <= low_bytes then
    self.paused = false
    self.input:resume()
  end
  self:finish()
end

-- ---- the end ---------------------------------------------------------------

function Session:end_of_input()
  self.over = true
  self.input:close()
  self:finish()
end

-- Everything was sent: ask the server whether it has it. A ping overtakes
-- what is still queued, so nothing must be.
function Session:finish()
  if self.over and self.pending == 0 and self.is_open
    and self.wait < math.huge then
    self.ws:ping(last_ping)
  end
end

-- The server has everything; its answers may take longer than its pong.
function Session:quiet()
  if self.timer then self.timer:cancel() end
  if self.wait == 0 then
    self.ws:close()
  else
    self.timer = wss.timer(self.wait, function() self.ws:close() end)
  end
end

function Session:stop_timer()
  if self.timer then self.timer:cancel() end
  self.timer = nil
end

-- ---- events ----------------------------------------------------------------

function Session:onopen(ws, info)
  self.is_open = true
  self.screen:open(ws, info)
  if not self.over then self.screen:prompt() end
  self:finish()
end

function Session:onmessage(data, kind)
  self.screen:message(data, kind)
  if self.screen.broken then
    self.status = 1
    self.ws:terminate()
  elseif self.timer then
    self:quiet()
  end
end

function Session:onreconnect(attempt, delay, err)
  self.is_open = false
  self:stop_timer()
  self.screen:reconnect(attempt, delay, err)
end

function Session:onclose(code, reason, err)
  self.is_open, self.over = false, true
  self:stop_timer()
  self.input:close()
  if self.screen.broken then return end
  if err or not orderly[code] then self.status = 1 end
  self.screen:close(code, reason, err)
end

function Session:handlers(options)
  options.onopen = function(ws, info) self:onopen(ws, info) end
  options.onmessage = function(_, data, kind) self:onmessage(data, kind) end
  options.onpong = function(_, payload)
    if payload == last_ping and self.over then self:quiet() end
  end
  options.onreconnect = function(_, ...) self:onreconnect(...) end
  options.onclose = function(_, ...) self:onclose(...) end
  self.on_done = function(...) self:done(...) end
  return options
end

local function new(found)
  local terminal = core.isterminal(0)
  return setmetatable({
    screen = screen.new(found),
    kind = found.binary and "binary" or "text",
    whole = found.binary and not terminal, -- what is read is a message
    wait = found.wait or (terminal and 0 or 1),
    status = 0,
    count = 0,      -- lines of input
    pending = 0,    -- messages that the kernel does not have
    lost = 0,       -- messages that it never got,
    cut = 0,        -- some of them after they had begun
    held = {},      -- pieces of a line whose end has not come
    held_bytes = 0,
  }, Session)
end

-- What was lost although the connection came back, or with it.
function Session:report_lost()
  if self.lost == 0 or self.screen.broken then return end
  self:fail(("%d message%s not sent%s"):format(self.lost,
    self.lost == 1 and " was" or "s were", self.cut == 0 and ""
      or (", %d of them cut off in the middle"):format(self.cut)))
end

---Run the command.
---@param found table<string, any>  options, by name
---@param url string
---@return integer|nil status  the exit status; nil for a mistake
---@return string? problem     which
function connect.run(found, url)
  local options, problem = options_of(found)
  if not options then return nil, problem end
  local session = new(found)
  local ok, ws = pcall(wss.connect, url, session:handlers(options))
  if not ok then return nil, tls.misuse(ws) end
  session.ws = ws
  session.input = core.input(function(bytes) session:take(bytes) end)
  wss.run()
  session:report_lost()
  return session.status
end

return connect
