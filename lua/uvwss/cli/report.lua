--- What `uvwss check` found out, for people.

local args = require "uvwss.cli.args"
local diagram = require "uvwss.cli.diagram"
local explain = require "uvwss.cli.explain"
local text = require "uvwss.cli.text"

local report = {}

local columns = 80
local most_names = 12

local function put(format, ...)
  io.stdout:write(text.line(format:format(...)), "\n")
end

local has_begun = false

local function put_heading(words)
  io.stdout:write(has_begun and "\n" or "", text.line(words), "\n")
  has_begun = true
end

-- A head, and text behind it in as many lines as it takes.
local function put_wrapped(head, words)
  local lines = args.wrap(text.line(words), columns - #head)
  for i, line in ipairs(lines) do
    io.stdout:write(i == 1 and head or (" "):rep(#head), line, "\n")
  end
end

local function put_field(indent, name, words)
  if words and words ~= "" then
    put_wrapped(("%s%-7s  "):format((" "):rep(indent), name), words)
  end
end

-- ---- the handshake ---------------------------------------------------------

local endings = { wrong_version_number = "(the answer is no TLS)",
  http_request = "(the answer is no TLS)",
  packet_length_too_long = "(the answer is no TLS)",
  unexpected_eof_while_reading = "(it hung up)" }

local function ending(found)
  if found.upgraded then
    return "WebSocket from here on"
  elseif found.verdict == "unknown" then
    return found.error.kind == "timeout" and "(no answer)" or "(broken off)"
  elseif found.error and endings[found.error.code] then
    return endings[found.error.code]
  elseif found.verdict == "trusted" and found.error then
    return "(no WebSocket)"
  end
  return "(no data was sent)"
end

local function put_handshake(found)
  local lines = diagram.lines(found.steps, found.tls, ending(found))
  if not lines[1] then return end
  local peer = found.peer or { ip = found.host, port = found.port }
  if found.proxied then
    put_heading(("handshake with %s port %d, through the proxy %s port %d")
      :format(found.host, found.port, peer.ip, peer.port))
  else
    put_heading(("handshake with %s port %d"):format(peer.ip, peer.port))
  end
  put "  (--- in clear, === encrypted)"
  put ""
  for _, line in ipairs(lines) do put("%s", line) end
end

local function staple(found)
  local peer = found.tls
  local code = found.error and found.error.code or ""
  if peer.ocsp == "good" then
    return "stapled and verified: not revoked" .. (peer.ocsp_until
      and ", as known until " .. text.date(peer.ocsp_until) or "")
  elseif not peer.stapled then
    return "none stapled"
  elseif found.verdict == "untrusted"
    and (code:find "^ocsp_" or code == "revoked") then
    return "stapled, and refused: " .. found.error.message
  end
  return "stapled, but not looked at"
end

local function put_agreed(found)
  local peer = found.tls
  put_heading "agreed on"
  local function put_words(name, value, words)
    if value ~= "" then
      put_field(2, name, words ~= "" and value .. ": " .. words or value)
    end
  end
  put_words("version", peer.version, explain.version(peer.version))
  local group = explain.group_name(peer.group)
  put_words("group", group ~= "" and group or "none", explain.exchange(peer))
  put_words("cipher", peer.cipher, explain.cipher(peer.cipher))
  put_field(2, "ALPN", peer.alpn)
  put_field(2, "OCSP", staple(found))
end

-- ---- the chain -------------------------------------------------------------

local function days(left)
  local count = -left // 1
  if left >= 0 then
    return ("%d day%s left"):format(left // 1, left // 1 == 1 and "" or "s")
  end
  return ("expired %d day%s ago"):format(count, count == 1 and "" or "s")
end

local function names_of(cert)
  local list = table.move(cert.names, 1, math.min(#cert.names, most_names), 1,
    {})
  local more = #cert.names - #list
  return table.concat(list, ", ")
    .. (more > 0 and (" and %d more"):format(more) or "")
end

local function put_certificate(mark, cert, note)
  put_wrapped(("%3s  "):format(mark), (cert.subject ~= "" and cert.subject
    or "(no subject)") .. note)
  put_field(5, "issuer", cert.issuer)
  put_field(5, "names", names_of(cert))
  put_field(5, "from", text.date(cert.not_before))
  put_field(5, "until", text.date(cert.not_after)
    .. (cert.days_left and ", " .. days(cert.days_left) or ""))
  put_field(5, "key", ("%s; signed with %s"):format(cert.key, cert.signature))
  put_field(5, "sha256", cert.sha256)
  put_field(5, "pin", cert.spki_sha256)
end

local at_fault = " <-- at fault: %s"

-- What is missing below the certificate at fault, if the chain breaks there.
local function put_break(err)
  if err.code ~= "unknown_issuer" or err.subject == err.issuer then return end
  put_wrapped("  ?  ", err.issuer
    .. " <-- here the chain breaks: not sent, and not trusted")
end

local function set_of(chain)
  local set = {}
  for _, cert in ipairs(chain) do set[cert.sha256] = true end
  return set
end

local function put_chain(found)
  local chain, err = found.tls.chain, found.error
  local came, verified = set_of(found.tls.sent), set_of(chain)
  local is_good = found.tls.verified
  put_heading(is_good and "chain, as it was verified" or "chain, as it came")
  for i, cert in ipairs(chain) do
    local note = ""
    if i - 1 == found.fault then
      note = at_fault:format(err.code)
    elseif not came[cert.sha256] then
      note = " (not sent; trusted here)"
    end
    put_certificate(i - 1, cert, note)
    if i - 1 == found.fault then put_break(err) end
  end
  if not is_good and not found.fault and err.subject
    and err.code ~= "pin_mismatch" then
    put_wrapped("  -  ", err.subject .. at_fault:format(err.code)
      .. " (not sent)")
  end
  for _, cert in ipairs(found.tls.sent) do
    if not verified[cert.sha256] then
      put_wrapped("  +  ", cert.subject .. " (sent, and not needed)")
    end
  end
end

-- ---- the verdict -----------------------------------------------------------

local function put_answer(found)
  if found.today and found.today.verdict ~= "trusted" then return end
  put_heading "answer"
  put_wrapped("  ", found.error and found.error.message
    or "the server speaks WebSocket")
end

local function put_today(found)
  local today = found.today
  if not today then return end
  put_wrapped("  ", ("This was the verdict of %s. Today the server is %s.")
    :format(text.date(found.at), today.error
      and "not trusted: " .. today.error.message or "trusted"))
end

local function put_verdict(found)
  local err = found.error
  put_heading "verdict"
  if found.verdict == "trusted" then
    local chain = found.tls.chain
    put_wrapped("  ", ('trusted: the chain leads to "%s", and the certificate '
      .. "is good for %s"):format(chain[#chain].subject, found.name))
  else
    put_wrapped("  ", (found.verdict == "unknown" and "none: "
      or "NOT TRUSTED: ") .. err.message)
  end
  if found.verdict == "untrusted" and found.tls and found.tls.verified then
    put_wrapped("  ", "The chain itself is in order; the handshake was not "
      .. "completed.")
  end
  for _, attempt in ipairs(err and err.attempts or {}) do
    put_wrapped("    ", attempt.message)
  end
  if found.speaks then
    put_wrapped("  ", ("It speaks %s, and nothing newer."):format(
      found.speaks))
  end
  put_today(found)
  if found.lacking then
    put_wrapped("  ", "The server asked for a client's certificate, and --cert "
      .. "gave none.")
  end
end

local function put_advice(found)
  if not found.advice[1] then return end
  put_heading "advice"
  for _, hint in ipairs(found.advice) do put_wrapped("  - ", hint) end
end

---Write all of it to standard output.
---@param found uvwss.cli.Report
function report.write(found)
  has_begun = false
  put_handshake(found)
  if found.tls then
    put_agreed(found)
    put_chain(found)
  end
  if found.verdict == "trusted" then put_answer(found) end
  put_verdict(found)
  put_advice(found)
end

return report
