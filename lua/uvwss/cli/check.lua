--- `uvwss check URL`: is this server's TLS to be trusted, and why?

local args = require "uvwss.cli.args"
local inquiry = require "uvwss.cli.inquiry"
local json = require "uvwss.cli.json"
local report = require "uvwss.cli.report"
local tls = require "uvwss.cli.tls"

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
  { name = "time", value = "WHEN", check = args.moment,
    help = "give the verdict of that moment: seconds since 1970, or "
      .. "YYYY-MM-DD[THH:MM[:SS]] in UTC" },
  table.unpack(tls.options),
}

check.help = [[
Connects to a wss:// URL as 'uvwss connect' would, and tells what it sees: the
TLS handshake message by message, what was agreed on, the chain of
certificates, whether the server is to be trusted, and what would have to
change if it is not. A server that is not trusted gets no data. A stapled OCSP
answer is verified if there is one (--ocsp staple).

The verdict is about TLS alone: a server that proves who it is, and then
refuses to speak WebSocket, is trusted, and its answer is told.

Options:
%s
Exit status: 0 trusted, 1 not trusted (or no TLS at all), 2 no answer could be
found: the server was not reached, a file could not be read, or there is a
mistake in the command line.

Examples:
  uvwss check wss://feed.example/
  uvwss check --ca ca.crt --time 2027-01-01 wss://host:8443/
  uvwss check --json wss://feed.example/ | jq '.tls.chain[0].days_left'
]]

local status = { trusted = 0, untrusted = 1, unknown = 2 }

---Run the command.
---@param found table<string, any>  options, by name
---@param url string
---@return integer|nil status  the exit status; nil for a mistake
---@return string? problem     which
function check.run(found, url)
  local is_plain = url:find "^[wW][sS]://"
  local told, problem
  if is_plain then
    told = inquiry.without_tls(url)
  else
    told, problem = inquiry.make(found, url)
    if not told then return nil, problem end
  end
  told.lacking = told.asked and told.error and not found.cert
  if found.json then
    io.stdout:write(json.encode(inquiry.plain(told)), "\n")
  elseif not found.quiet then
    report.write(told)
  end
  return status[told.verdict]
end

return check
