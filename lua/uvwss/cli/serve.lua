--- `uvwss serve [URL]`: a server to try things out with.

local core = require "uvwss.core"
local journal = require "uvwss.cli.journal"
local static = require "uvwss.cli.static"
local tls = require "uvwss.cli.tls"
local workers = require "uvwss.cli.workers"
local wss = require "uvwss"

local serve = {
  name = "serve",
  summary = "echo or broadcast messages, serve pages, demand certificates",
  usage = "uvwss serve [options] [URL]",
  least = 0,
}

local units = { [""] = 0, K = 10, M = 20, G = 30 }

local function size(value)
  local digits, unit = value:match "^(%d+)([KMG]?)$"
  local n = digits and math.tointeger(tonumber(digits))
  if n and n > 0 and n <= (1 << 32) >> units[unit] then
    return n << units[unit]
  end
  return nil, "a number of bytes, or with K, M or G behind it, up to 4G"
end

local function count(value)
  local n = value:find "^%d+$" and math.tointeger(tonumber(value))
  if n and n >= 1 and n <= 256 then return n end
  return nil, "a number from 1 to 256"
end

---@type uvwss.cli.Option[]
serve.options = {
  { name = "echo", help = "send each message back; this is what is done "
    .. "unless something else is asked for" },
  { name = "broadcast", help = "send each message to everybody, the sender "
    .. "too" },
  { name = "static", value = "DIR", help = "answer plain GET and HEAD with "
    .. "the files below this folder; none that begins with a dot, and none "
    .. "that a link leads to outside of it" },
  { name = "certs", value = "DIR", help = "use the server's certificate in a "
    .. "folder that 'uvwss certs' made" },
  { name = "cert", value = "FILE", help = "use this certificate (PEM, with "
    .. "its chain)" },
  { name = "key", value = "FILE", needs = "cert",
    help = "the certificate's key, if it is not in the same file" },
  { name = "client-ca", value = "FILE", many = true, help = "demand a "
    .. "certificate of every client, issued by the authorities in this file "
    .. "or folder (PEM)" },
  { name = "subprotocol", value = "NAME", many = true,
    help = "agree to this subprotocol" },
  { name = "origin", value = "ORIGIN", many = true,
    help = "refuse browsers on pages of any other origin" },
  { name = "max-message", value = "BYTES", check = size,
    help = "of one message at most (16M)" },
  { name = "workers", value = "N", check = count, help = "share the port "
    .. "among so many processes" },
  { name = "json", help = "print one JSON object for each event: listening, "
    .. "open, close, refused, error" },
  { name = "quiet", short = "q", help = "say only where it listens and what "
    .. "goes wrong" },
  { name = "worker", value = "NUMBER", check = count, hidden = true,
    help = "what --workers starts" },
}

serve.help = [[
Listens on ws://HOST:PORT, wss://HOST:PORT or ws+unix:///PATH, and prints
'listening on URL' when it does. Port 0 takes one that is free; the host '*'
is every address of this machine. Without a URL it is ws://127.0.0.1:8080, or
wss://127.0.0.1:8443 if there is a certificate.

What becomes of the connections goes to standard error; so does the reason
whenever one is refused.

Options:
%s
SIGINT or SIGTERM ends it: nobody is accepted any more, every client is told
(code 1001) and has five seconds to answer; a second signal ends it at once.

Exit status: 0 when it was ended so, 1 when it could not listen or a worker
failed, 2 for a mistake in the command line.

Examples:
  uvwss serve
  uvwss serve --broadcast --static examples/chat ws://127.0.0.1:8080
  uvwss certs /tmp/certs
  uvwss serve --certs /tmp/certs --client-ca /tmp/certs/ca.crt
]]

-- ---- options ---------------------------------------------------------------

local function tls_of(found)
  local dir = found.certs
  if not (dir or found.cert) then
    return nil, found["client-ca"]
      and "option '--client-ca' needs '--certs' or '--cert'"
  elseif dir and found.cert then
    return nil, "options '--certs' and '--cert' exclude each other"
  end
  local ca = found["client-ca"]
  return { cert = found.cert or dir .. "/server.crt",
    key = found.key or dir and dir .. "/server.key",
    client_ca = ca, verify_client = ca and "require" or nil }
end

-- Where it listens; or nil and what does not go together.
local function url_of(found, url, has_tls)
  local secure = url and url:find "^[wW][sS][sS]:"
  if not url then
    return has_tls and "wss://127.0.0.1:8443" or "ws://127.0.0.1:8080"
  elseif secure and not has_tls then
    return nil, "a wss URL needs '--certs' or '--cert'"
  elseif has_tls and not secure then
    return nil, "there is a certificate, but only a wss URL has TLS"
  elseif found.workers and url:find "^[wW][sS]%+" then
    return nil, "option '--workers' shares a port, and this URL has none"
  end
  return url
end

local function options_of(found)
  if found.echo and found.broadcast then
    return nil, "options '--echo' and '--broadcast' exclude each other"
  elseif found.broadcast and found.workers then
    return nil, "option '--broadcast' reaches only clients of the same "
      .. "process: it does not go with '--workers'"
  end
  local secure, problem = tls_of(found)
  if problem then return nil, problem end
  return { tls = secure, subprotocols = found.subprotocol,
    origins = found.origin, max_message = found["max-message"],
    reuse_port = (found.workers or found.worker) and true or nil }
end

-- The words that start one more process on the same port.
local function words_of(found, url, number)
  local words = { serve.name, "--worker=" .. number }
  for _, option in ipairs(serve.options) do
    local value = found[option.name]
    if value == true then
      words[#words + 1] = "--" .. option.name
    elseif value and option.name ~= "workers" then
      for _, one in ipairs(option.many and value or { value }) do
        words[#words + 1] = ("--%s=%s"):format(option.name, one)
      end
    end
  end
  table.insert(words, "--")
  table.insert(words, url)
  return words
end

-- ---- the server ------------------------------------------------------------

local high_bytes = 1 << 20

-- Who does not read what comes back is not read from either.
local function echo(_, ws, data, kind)
  ws:send(data, kind)
  if ws.buffered > high_bytes then ws:pause() end
end

local function broadcast(server, _, data, kind)
  server:broadcast(data, kind)
end

local function with_handlers(options, found, told)
  options.onmessage = found.broadcast and broadcast or echo
  options.high_water = high_bytes
  function options.ondrain(_, ws) ws:resume() end
  function options.onopen(_, ws, info) told:open(ws, info) end
  function options.onclose(_, ws, ...) told:close(ws, ...) end
  function options.onrefused(_, err, peer) told:refused(err, peer) end
  if found.static then
    function options.onrequest(_, request)
      return static.answer(found.static, request.path)
    end
  end
  return options
end

---@class uvwss.cli.Host
local Host = {}
Host.__index = Host

-- The end, as far as it is in this process' hands; a second time, at once.
function Host:stop()
  local grace = self.stopping and 0 or 5
  self.stopping = true
  if self.pipe then self.pipe:close() end
  if self.workers then self.workers:stop() end
  self.server:close(grace)
end

function Host:worker_gone(number)
  if self.stopping then return end
  self.told:problem(("worker %d has ended, and so do the others"):format(
    number))
  self:stop()
end

function Host:listen_to_signals()
  local function stop() self:stop() end
  self.signals = { core.signal("INT", stop), core.signal("TERM", stop),
    core.signal("HUP", stop),
    -- Whoever reads our output may go; the clients are still there.
    core.signal("PIPE", function() end) }
end

function Host:run(found)
  self:listen_to_signals()
  self.told:listening(self.server)
  if found.worker then
    self.pipe = workers.obey(function() self:stop() end)
  elseif found.workers then
    self.workers = workers.start(found.workers - 1,
      function(number) return words_of(found, self.server.url, number) end,
      function(number) self:worker_gone(number) end)
  end
  wss.run()
  for _, signal in ipairs(self.signals) do signal:close() end
  return not self.workers or self.workers:wait()
end

---Run the command.
---@param found table<string, any>  options, by name
---@param url? string
---@return integer|nil status  the exit status; nil for a mistake
---@return string? problem     which
function serve.run(found, url)
  local options, problem = options_of(found)
  if not options then return nil, problem end
  url, problem = url_of(found, url, options.tls ~= nil)
  if not url then return nil, problem end
  local told = journal.new(found)
  problem = found.static and static.problem(found.static)
  local ok, server, err
  if not problem then
    ok, server, err = pcall(wss.listen, url,
      with_handlers(options, found, told))
    if not ok then return nil, tls.misuse(server) end
    problem = not server and err
  end
  if problem then
    told:problem(problem)
    return 1
  end
  local host = setmetatable({ server = server, told = told }, Host)
  return host:run(found) and 0 or 1
end

return serve
