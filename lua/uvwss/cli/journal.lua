--- What `uvwss serve` tells: where it listens on standard output, all else on
-- standard error; or everything as JSON on standard output. Two kinds with the
-- same methods:
--
--   journal:listening(server)  journal:open(ws, info)
--   journal:close(ws, code, reason, err)
--   journal:refused(err, peer) journal:problem(err)

local json = require "uvwss.cli.json"
local text = require "uvwss.cli.text"

---@class uvwss.cli.Journal
local Plain = {}
Plain.__index = Plain

function Plain:problem(err)
  io.stderr:write("uvwss: ", text.line(tostring(err)), "\n")
end

function Plain:say(format, ...)
  if not self.quiet then self:problem(format:format(...)) end
end

function Plain:listening(server)
  if self.worker then
    self:say("worker %d listens too", self.worker)
  else
    io.stdout:write("listening on ", text.line(server.url), "\n")
    io.stdout:flush()
  end
end

local function name(peer)
  return peer and ("%s port %d"):format(peer.ip, peer.port) or "local"
end

function Plain:open(ws, info)
  local words = { name(ws.peer) .. ": open" }
  local tls = ws.tls
  if tls then words[#words + 1] = tls.version end
  if tls and tls.chain and tls.chain[1] then
    words[#words + 1] = "client " .. tls.chain[1].subject
  end
  if info.subprotocol then
    words[#words + 1] = "subprotocol " .. info.subprotocol
  end
  self:say("%s", table.concat(words, ", "))
end

function Plain:close(ws, code, reason, err)
  if err then
    self:say("%s: lost: %s", name(ws.peer), err)
  else
    self:say("%s: closed with %d%s", name(ws.peer), code,
      reason ~= "" and ": " .. reason or "")
  end
end

function Plain:refused(err, peer)
  self:problem(("%s: refused: %s"):format(name(peer), err))
end

---@class uvwss.cli.JsonJournal
local Json = setmetatable({}, { __index = Plain })
Json.__index = Json

function Json:event(what, event)
  event.event, event.worker = what, self.worker
  io.stdout:write(json.encode(event), "\n")
  io.stdout:flush()
end

function Json:listening(server)
  self:event("listening", { url = server.url, port = server.port })
end

function Json:open(ws, info)
  local tls, request = ws.tls, ws.request
  self:event("open", { peer = ws.peer, path = request.path,
    query = request.query, subprotocol = info.subprotocol,
    tls = tls and { version = tls.version, cipher = tls.cipher,
      group = tls.group, alpn = tls.alpn, resumed = tls.resumed,
      client = tls.chain and tls.chain[1] and tls.chain[1].subject } })
end

function Json:close(ws, code, reason, err)
  self:event("close", { peer = ws.peer, code = code, reason = reason,
    clean = not err, error = err and json.error(err) })
end

function Json:refused(err, peer)
  self:event("refused", { peer = peer, error = json.error(err) })
end

function Json:problem(err)
  if type(err) ~= "table" then err = { kind = "serve", message = err } end
  self:event("error", { error = json.error(err) })
end

local journal = {}

---@param found table<string, any>  `json`, `quiet` and `worker` count
function journal.new(found)
  return setmetatable({ quiet = found.quiet, worker = found.worker },
    found.json and Json or Plain)
end

return journal
