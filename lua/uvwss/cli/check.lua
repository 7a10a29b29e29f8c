--- `uvwss check URL`: is this server's TLS to be trusted, and why?

local args = require "uvwss.cli.args"
local json = require "uvwss.cli.json"
local text = require "uvwss.cli.text"
local tls = require "uvwss.cli.tls"
local wss = require "uvwss"

local check = {
  name = "check",
  summary = "show a server's TLS handshake and chain, and whether to trust it",
  usage = "uvwss check [options] URL",
}

---@type uvwss.cli.Option[]
check.options = {
  { name = "json", help = "print all of it as one JSON object" },
  { name = "quiet", short = "q", help = "print nothing; the status tells" },
  { name = "timeout", value = "SECONDS", check = args.seconds,
    help = "for a connection to be made (10)" },
  { name = "proxy", value = "URL",
    help = "http://[USER:PASSWORD@]HOST:PORT or socks5://..." },
  table.unpack(tls.options),
}

check.help = [[
Connects to a wss:// URL as 'uvwss connect' would, and tells what it sees: the
steps of the TLS handshake, what was agreed on, the chain of certificates, and
whether the server is to be trusted. A server that is not gets no data.

The verdict is about TLS alone: a server that proves who it is, and then
refuses to speak WebSocket, is trusted, and its answer is told.

Options:
%s
Exit status: 0 trusted, 1 not trusted (or no TLS at all), 2 no answer could be
found: the server was not reached, a file could not be read, or there is a
mistake in the command line.
]]

-- ---- finding out -----------------------------------------------------------

-- What became of it: "trusted", "untrusted" or "unknown".
local function verdict(report)
  local err = report.error
  if report.tls then return "trusted" end
  if err.kind == "certificate" then return "untrusted" end
  -- Before the first step it was an option or a file that failed.
  if err.kind == "tls" and report.steps[1] then return "untrusted" end
  return "unknown"
end

-- Connect, and say goodbye at once. Nil and what was wrong with the words.
local function investigate(found, url, on_step)
  local report = { url = url, steps = json.array {} }
  local options = tls.table(found) or {}
  local ok, ws
  function options.trace(step)
    if report.upgraded then return end -- the goodbye
    if step.name == "CertificateRequest" then report.asked = true end
    table.insert(report.steps, step)
    on_step(step, ws)
  end
  ok, ws = pcall(wss.connect, url, {
    tls = options, open_timeout = found.timeout, proxy = found.proxy,
    onopen = function(self)
      report.upgraded = true
      self:close()
    end,
    onclose = function(self, _, _, err)
      report.peer, report.tls = self.peer, self.tls
      -- After the upgrade it is of no interest how the goodbye went.
      report.error = not report.upgraded and err or nil
    end,
  })
  if not ok then return nil, tls.misuse(ws) end
  wss.run()
  report.verdict = verdict(report)
  return report
end

-- ---- telling people --------------------------------------------------------

local function put(format, ...)
  io.stdout:write(text.line(format:format(...)), "\n")
end

local function put_step(step)
  put("%9.1f ms  %s  %-20s %8s", step.milliseconds,
    step.direction == "out" and "-->" or "<--", step.name,
    text.bytes(step.bytes))
  io.stdout:flush()
end

local function put_fields(fields)
  for _, field in ipairs(fields) do
    if field[2] and field[2] ~= "" then
      put("  %-9s  %s", field[1], field[2])
    end
  end
end

local function days(left)
  if left < 0 then
    return ("expired %d day%s ago"):format(-left // 1,
      -left // 1 == 1 and "" or "s")
  end
  return ("%d day%s left"):format(left // 1, left // 1 == 1 and "" or "s")
end

local function put_certificate(depth, cert)
  put("  %d  %s", depth, cert.subject ~= "" and cert.subject
    or "(no subject)")
  local fields = {
    { "issuer", cert.issuer },
    { "names", table.concat(cert.names, ", ") },
    { "from", text.date(cert.not_before) },
    { "until", ("%s, %s"):format(text.date(cert.not_after),
      days(cert.days_left)) },
    { "sha256", cert.sha256 },
    { "pin", cert.spki_sha256 },
  }
  for _, field in ipairs(fields) do
    if field[2] ~= "" then put("     %-6s  %s", field[1], field[2]) end
  end
end

local function put_agreed(peer)
  put "agreed on"
  put_fields { { "version", peer.version }, { "cipher", peer.cipher },
    { "group", peer.group }, { "ALPN", peer.alpn } }
  put "chain"
  for i, cert in ipairs(peer.chain) do put_certificate(i - 1, cert) end
end

-- What a certificate that was refused is known by.
local function put_refused(err)
  if not err.subject then return end
  put "refused certificate"
  put_fields {
    { "depth", err.depth and ("%d"):format(err.depth) },
    { "subject", err.subject },
    { "issuer", err.issuer },
    { "names", err.names and table.concat(err.names, ", ") },
    { "from", err.not_before and text.date(err.not_before) },
    { "until", err.not_after and text.date(err.not_after) },
    { "wanted", err.wanted },
  }
end

local function put_trusted(report)
  put_agreed(report.tls)
  put "answer"
  put("  %s", report.error and report.error.message
    or "the server speaks WebSocket")
  put "verdict"
  put("  trusted: the chain is valid and good for %s", report.name)
end

local function put_not_trusted(report)
  local err = report.error
  put_refused(err)
  put "verdict"
  put("  %s: %s", report.verdict == "unknown" and "none" or "NOT TRUSTED",
    err.message)
  for _, attempt in ipairs(err.attempts or {}) do
    put("    %s", attempt.message)
  end
end

local function put_report(report)
  if report.tls then put_trusted(report) else put_not_trusted(report) end
  if report.lacking then
    put "  the server asked for a client's certificate; --cert has none"
  end
end

-- ---- telling programs ------------------------------------------------------

local function put_json(report)
  local peer = report.tls
  local copy = { url = report.url, verdict = report.verdict,
    steps = report.steps, peer = report.peer,
    upgraded = report.upgraded or false,
    certificate_requested = report.asked or false,
    error = report.error and json.error(report.error) }
  if peer then
    copy.tls = { version = peer.version, cipher = peer.cipher,
      group = peer.group, alpn = peer.alpn, verified = peer.verified,
      chain = json.array(peer.chain) }
    for _, cert in ipairs(peer.chain) do json.array(cert.names) end
  end
  io.stdout:write(json.encode(copy), "\n")
end

-- ---- the command -----------------------------------------------------------

local status = { trusted = 0, untrusted = 1, unknown = 2 }

-- Nothing is to be found out by connecting.
local function without_tls(url, found)
  local report = { url = url, steps = json.array {}, verdict = "untrusted",
    error = { kind = "tls", code = "no_tls", message = "a ws:// URL is "
      .. "without TLS: anybody can listen and change what is said" } }
  if found.json then
    put_json(report)
  elseif not found.quiet then
    put_report(report)
  end
  return status.untrusted
end

local function host_of(url)
  local authority = url:match "^%a+://([^/?#]*)"
  return authority:match "^%[(.*)%]" or authority:match "^[^:]*"
end

---Run the command.
---@param found table<string, any>  options, by name
---@param url string
---@return integer|nil status  the exit status; nil for a mistake
---@return string? problem     which
function check.run(found, url)
  if url:find "^[wW][sS]://" then return without_tls(url, found) end
  local silent = found.json or found.quiet
  local begun = false
  local report, problem = investigate(found, url, function(step, ws)
    if silent then return end
    if not begun then
      put("handshake with %s port %d", ws.peer.ip, ws.peer.port)
    end
    begun = true
    put_step(step)
  end)
  if not report then return nil, problem end
  report.name = found.name or host_of(url)
  report.lacking = report.asked and report.error and not found.cert
  if found.json then
    put_json(report)
  elseif not silent then
    put_report(report)
  end
  return status[report.verdict]
end

return check
