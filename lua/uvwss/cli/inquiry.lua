--- Finds out for `uvwss check`: one connection, on which nothing but a TLS
-- handshake passes unless the server is trusted, and what it showed.

local advice = require "uvwss.cli.advice"
local json = require "uvwss.cli.json"
local tls = require "uvwss.cli.tls"
local wss = require "uvwss"

---What was found out.
---@class uvwss.cli.Report
---@field url string
---@field host string       of the URL
---@field port integer
---@field name string       that the server had to prove to have
---@field checked_at integer  now
---@field at integer        the moment of the verdict
---@field verdict "trusted"|"untrusted"|"unknown"
---@field error? uvwss.Error  why not; or what followed, if it is trusted
---@field today? { verdict: string, error: uvwss.Error? }  where `at` is another moment
---@field advice string[]
---@field steps uvwss.Step[]
---@field tls? uvwss.Peer   the chain as verified, or all that came
---@field fault? integer    position in the chain of what is wrong, from 0
---@field peer? uvwss.Address
---@field proxied boolean   `peer` is the proxy's
---@field speaks? string    the newest version of TLS, if it is too old a one
---@field asked boolean     for a client's certificate
---@field upgraded boolean

local inquiry = {}

local function place_of(url)
  local scheme, authority = url:match "^(%a+)://([^/?#]*)"
  if not scheme then return "", 0 end
  authority = authority:gsub("^.*@", "")
  local host = authority:match "^%[(.*)%]" or authority:match "^[^:]*"
  local port = tonumber(authority:match "^%[.*%]:(%d+)$"
    or authority:match "^[^:]*:(%d+)$")
  return host, math.tointeger(port) or (#scheme == 3 and 443 or 80)
end

local function pem(chain)
  local list = {}
  for i, cert in ipairs(chain) do list[i] = cert.pem end
  return table.concat(list)
end

-- The certificate that an error is about; its depth counts in the path that
-- was tried, which what came need not be.
local function find_fault(err, chain)
  if not err.subject or err.code == "pin_mismatch" then return nil end
  for i, cert in ipairs(chain) do
    if cert.subject == err.subject and cert.issuer == err.issuer
      and cert.not_after == err.not_after then
      return i - 1
    end
  end
end

---@class uvwss.cli.Inquiry
local Inquiry = {}
Inquiry.__index = Inquiry

-- The verdict of another moment than now, on what came.
function Inquiry:judge_then(peer)
  local chain, err = self.then_context:verify(pem(peer.sent),
    self.report.name, { time = self.report.at, ocsp = peer.stapled })
  peer.chain = chain or peer.sent
  peer.verified = chain ~= nil
  if not chain then
    peer.ocsp, peer.ocsp_until = nil, nil
  elseif peer.stapled then
    peer.ocsp = "good"
  end
  return chain ~= nil, err
end

-- Nothing is sent to a server that is not trusted today, whatever it was.
function Inquiry:onverify(ok, err, peer)
  local report = self.report
  local is_good, why = ok, err
  if self.then_context then
    report.today = { verdict = ok and "trusted" or "untrusted", error = err }
    is_good, why = self:judge_then(peer)
  end
  report.tls, self.is_good, self.why = peer, is_good, why
  self.ended = not (ok and is_good)
  return not self.ended
end

function Inquiry:onclose(ws, err)
  local report = self.report
  report.peer = ws.peer
  if ws.tls then
    -- What came is told in the handshake alone.
    local before = report.tls
    self.completed = true
    if not self.then_context then
      report.tls = ws.tls
      report.tls.sent, report.tls.stapled = before.sent, before.stapled
    end
  end
  -- After the upgrade it is of no interest how the goodbye went.
  if not report.upgraded then report.error = err end
end

function Inquiry:options(found)
  local options = tls.table(found) or {}
  options.ocsp = options.ocsp or "staple"
  if found.time then
    local context, err = wss.tls(options)
    if not context then return nil, err end
    self.then_context = context
  end
  function options.trace(step)
    if self.report.upgraded then return end -- the goodbye
    if step.name == "CertificateRequest" then self.report.asked = true end
    table.insert(self.report.steps, step)
  end
  function options.onverify(ok, _, err, peer)
    return self:onverify(ok, err, peer)
  end
  return options
end

-- What became of it.
function Inquiry:conclude()
  local report = self.report
  local err = report.error
  if self.ended then -- by the verdict
    report.error, err = self.why, self.why
    report.verdict = self.is_good and "trusted" or "untrusted"
  elseif self.completed then
    report.verdict = "trusted"
  elseif err.kind == "certificate"
    -- Before the first step it was an option or a file that failed.
    or (err.kind == "tls" and report.steps[1]) then
    report.verdict = "untrusted"
  else
    report.verdict = "unknown"
  end
  if err and report.tls and report.verdict == "untrusted" then
    report.fault = find_fault(err, report.tls.chain)
  end
  if report.tls then
    for _, cert in ipairs(report.tls.chain) do
      cert.days_left = cert.not_after
        and (cert.not_after - report.at) / 86400
    end
  end
end

local function soon(report)
  local leaf = report.tls and report.tls.chain[1]
  if report.verdict == "trusted" and leaf and leaf.days_left < 14 then
    return "At the server: renew the certificate soon."
  end
end

local function new(found, url)
  local host, port = place_of(url)
  local now = os.time()
  return { url = url, host = host, port = port, name = found.name or host,
    checked_at = now, at = found.time or now, steps = {},
    proxied = found.proxy ~= nil, asked = false, upgraded = false }
end

local too_old = { unsupported_protocol = true,
  tlsv1_alert_protocol_version = true }

-- The version that the server would have spoken: another handshake, which is
-- never completed.
local function version_of(found, report)
  if not report.error or not too_old[report.error.code] then return nil end
  local version
  wss.connect(report.url, { open_timeout = found.timeout, proxy = found.proxy,
    tls = { min_version = "1.0", max_version = "1.1", server_name = found.name,
      ciphers = "ALL:@SECLEVEL=0", onverify = function(_, _, _, peer)
        version = peer.version
        return false
      end },
    onclose = function() end })
  wss.run()
  return version
end

---Connect, and say goodbye at once.
---@param found table<string, any>  options, by name
---@param url string
---@return uvwss.cli.Report|nil
---@return string? problem  what is wrong with the words of the command line
function inquiry.make(found, url)
  local report = new(found, url)
  local self = setmetatable({ report = report }, Inquiry)
  local ok, ws, options, err
  ok, options, err = pcall(self.options, self, found)
  if not ok then return nil, tls.misuse(options) end
  if options then
    ok, ws = pcall(wss.connect, url, {
      tls = options, open_timeout = found.timeout, proxy = found.proxy,
      onopen = function(conn)
        report.upgraded = true
        conn:close()
      end,
      onclose = function(conn, _, _, why) self:onclose(conn, why) end,
    })
    if not ok then return nil, tls.misuse(ws) end
    wss.run()
  else
    report.error = err -- a file
  end
  self:conclude()
  report.speaks = version_of(found, report)
  report.advice = report.error and advice.of(report.error, report) or {}
  report.advice[#report.advice + 1] = soon(report)
  return report
end

---The report on a URL that is without TLS: nothing is to be found out.
---@param url string
---@return uvwss.cli.Report
function inquiry.without_tls(url)
  local report = new({}, url)
  report.verdict = "untrusted"
  report.error = { kind = "tls", code = "no_tls", message = "a ws:// URL is "
    .. "without TLS: anybody can listen and change what is said" }
  report.advice = advice.of(report.error, report)
  return report
end

-- ---- for programs ----------------------------------------------------------

local function certificates(chain, sent)
  local came, list = {}, json.array {}
  for _, cert in ipairs(sent) do came[cert.sha256] = true end
  for i, cert in ipairs(chain) do
    local copy = {}
    for name, value in pairs(cert) do copy[name] = value end
    copy.names = json.array { table.unpack(cert.names) }
    copy.sent = came[cert.sha256] or false
    list[i] = copy
  end
  return list
end

local function connection(peer)
  return { version = peer.version, cipher = peer.cipher, group = peer.group,
    alpn = peer.alpn, verified = peer.verified,
    chain = certificates(peer.chain, peer.sent),
    sent = #peer.sent, stapled = peer.stapled ~= nil, ocsp = peer.ocsp,
    ocsp_until = peer.ocsp_until }
end

---A report as `--json` prints it.
---@param report uvwss.cli.Report
---@return table
function inquiry.plain(report)
  local steps, today = json.array {}, report.today
  for i, step in ipairs(report.steps) do steps[i] = step end
  return { url = report.url, host = report.host, port = report.port,
    name = report.name,
    address = not report.proxied and report.peer and report.peer.ip or nil,
    peer = report.peer, checked_at = report.checked_at, at = report.at,
    verdict = report.verdict,
    error = report.error and json.error(report.error),
    today = today and { verdict = today.verdict,
      error = today.error and json.error(today.error) },
    advice = json.array(report.advice), steps = steps,
    tls = report.tls and connection(report.tls), fault = report.fault,
    speaks = report.speaks,
    certificate_requested = report.asked, upgraded = report.upgraded }
end

return inquiry
