--- What would have to change for a server to be trusted: hints for each reason
-- why it is not, for `uvwss check`. A table by kind and code of the error; a
-- hint is a text, or a function of the error and the report that makes one, or
-- a list of these. `{…}` in a text is a field of the error or of the report.

local text = require "uvwss.cli.text"

local advice = {}

local most_names = 6

local function quoted(names)
  local list = {}
  for i = 1, math.min(#names, most_names) do
    list[i] = '"' .. text.line(names[i]) .. '"'
  end
  if #names > most_names then
    list[#list + 1] = ("%d more"):format(#names - most_names)
  end
  return table.concat(list, ", ")
end

local function now(_, report)
  if report.today then return nil end -- another moment was meant
  return ("Here: is the clock right? The verdict is of %s."):format(
    text.date(report.at))
end

local function is_leaf(err) return (err.depth or 0) == 0 end

-- ---- certificates ----------------------------------------------------------

local function renew(err, report)
  if is_leaf(err) then
    return "At the server: renew the certificate, and make the server load it "
      .. "(many go on with the old one until they are restarted)."
  end
  if not report.fault then
    return 'Here: the authority "{subject}", as it is trusted here, has '
      .. "expired; get its present certificate (--ca), or update the system."
  end
  return "At the server: it is not its own certificate but the CA's "
    .. '"{subject}" that has expired; send the one that the CA uses now.'
end

local function early(err)
  if not err.not_before then return nil end
  return ("At the server: wait until %s, or use the certificate before this "
    .. "one."):format(text.date(err.not_before))
end

local function its_names(err)
  if not err.names or #err.names == 0 then
    return "At the server: have a certificate issued that has {wanted} among "
      .. "its subject alternative names; a common name counts for nothing."
  end
  return ("Here: connect to a name that it has: %s. If you are sure that it "
    .. "is the right server, verify one of them in place of {wanted}: --name "
    .. "%s."):format(quoted(err.names), text.line(err.names[1]))
end

local function more_names(err)
  if not err.names or #err.names == 0 then return nil end
  return "At the server: have a certificate issued that is for {wanted} too; "
    .. "or, if there is one, let it be chosen by the name that is asked for "
    .. "(SNI)."
end

-- The chain ends with a certificate that is its own issuer, or at a name.
local function is_root(err) return err.subject == err.issuer end

local function send_along(err)
  if is_root(err) then
    return "At the server: have the certificate issued by a CA that clients "
      .. "trust; sending the root along does not make it trusted."
  end
  return 'At the server: if "{issuer}" is an intermediate, send its '
    .. "certificate along, behind the server's own in the same file."
end

local function trust_it(err)
  local name = is_root(err) and "{subject}" or "{issuer}"
  return 'Here: if you mean to trust "' .. name .. '", give its certificate, '
    .. "as you got it from its owner and not over this connection: --ca FILE."
end

local reissue = "At the server: have the certificate issued anew, by software "
  .. "that follows RFC 5280."
local formless = { reissue, "Here: in a program of your own, tls = { strict = "
  .. "false } does without these rules of form; this command does not." }
local new_list = "Here: fetch the issuer's present list, and give it with "
  .. "--crl; without --crl no list is looked at."
local other_list = "Here: give a list that the certificate's own issuer has "
  .. "signed, for all of its certificates: --crl FILE."
local new_staple = "At the server: make it fetch a new OCSP answer from the "
  .. "CA and staple that; answers are good for some days only."
local bad_staple = "At the server: staple the CA's own OCSP answer for this "
  .. "very certificate; after a renewal the old answer no longer fits."
local tell_ca = "At the server: this is for the CA to mend: have the chain "
  .. "issued anew, or take another CA."
local interception = "If a proxy between you and the server opens TLS to read "
  .. "along, this is how that looks: then nothing here is private."

advice.certificate = {
  expired = { renew, now },
  not_yet_valid = { now, early },
  hostname_mismatch = { its_names, more_names },
  unknown_issuer = { send_along, trust_it, interception },
  self_signed = {
    "At the server: have the certificate issued by a CA that clients trust.",
    "Here: if the server is yours, trust this very certificate, taken from "
      .. "the server itself and not over this connection: --ca FILE.",
    interception },
  pin_mismatch = function(err)
    return ("The keys of the chain are %s, the server's first. If its owner "
      .. "told you of a new key, and it is one of these, give that to --pin. "
      .. "If not, somebody may be in between."):format(quoted(err.pins or {}))
  end,
  wrong_purpose = function(err)
    return is_leaf(err) and "At the server: have a certificate issued for a "
      .. "server (extended key usage serverAuth)." or tell_ca
  end,
  ca_as_leaf = "At the server: use a certificate of its own, which the CA's "
    .. "key signs, and not the CA's.",
  weak_key = "At the server: make a new key, EC P-256 or RSA of 2048 bits or "
    .. "more, and have a certificate issued for it.",
  weak_signature = "At the server: have the chain issued anew with SHA-256; "
    .. "SHA-1 and MD5 can be forged.",
  name_constraint = { tell_ca, "A CA that may issue for some names only has "
    .. "issued for another." },
  invalid_ca = "At the server: use a certificate that a CA has issued; "
    .. 'the issuer here, "{subject}", is none.',
  path_length = tell_ca,
  chain_too_long = "At the server: send the certificates that lead to the "
    .. "root, and no others; a program of yours can allow longer chains with "
    .. "tls = { max_depth = N }.",
  bad_signature = { "At the server: one of the certificates is damaged or "
    .. "forged, or an intermediate has the right name and the wrong key; "
    .. "take the CA's files anew.", interception },
  critical_extension = tell_ca,
  key_usage = "At the server: have a certificate issued whose key may make "
    .. "signatures (key usage digitalSignature).",
  revoked = "At the server: make a new key, have a certificate issued for it, "
    .. "and find out why this one was revoked. Until then do not connect: "
    .. "somebody else may have the key.",
  missing_authority_key_identifier = formless,
  missing_subject_key_identifier = formless,
  empty_subject_alt_name = formless,
  empty_subject_san_not_critical = formless,
  ca_basic_constraints_not_critical = formless,
  authority_key_identifier_critical = formless,
  subject_key_identifier_critical = formless,
  ca_missing_key_usage = formless,
  extensions_require_version_3 = formless,
  pathlen_invalid_for_non_ca = formless,
  pathlen_without_key_cert_sign = formless,
  key_cert_sign_invalid_for_non_ca = formless,
  issuer_name_empty = formless,
  subject_name_empty = formless,
  signature_inconsistency = formless,
  malformed_name = reissue,
  duplicate_extension = reissue,
  too_many_names = "At the server: use certificates, and a CA, with fewer names "
    .. "and constraints; comparing so many of them is not done.",
  invalid_serial = reissue,
  invalid_version = reissue,
  bad_time = reissue,
  invalid_extension = reissue,
  invalid_non_ca = reissue,
  ec_key_explicit_params = reissue,
  unsupported_extension = reissue,
  unsupported_signature = reissue,
  signature_mismatch = reissue,
  bad_issuer_key = tell_ca,
  issuer_mismatch = "At the server: send the certificate of the key that "
    .. "signed this one; the CA has more than one of that name.",
  invalid_policy = tell_ca,
  no_explicit_policy = tell_ca,
  unnested_resource = tell_ca,
  untrusted = { "Here: the authority is known and not trusted for servers; if "
    .. "you mean to trust it all the same: --ca FILE." },
  rejected = { "Here: the authority is marked as rejected in the list of "
    .. "those that are trusted; that was somebody's decision." },
  refused = "Here: this program itself refused it.",
  path_loop = "At the server: send the certificates that lead to the root, "
    .. "and no others.",
  proxy_certificate = "At the server: use an ordinary certificate; proxy "
    .. "certificates (RFC 3820) are not taken.",
  proxy_path_length = tell_ca,
  proxy_subject = tell_ca,
  email_mismatch = reissue,
  suite_b = "Here: the system's OpenSSL asks for Suite B; that is a setting.",
  dane = "At the server: put the certificate's key into the TLSA record.",
  no_scts = "At the server: have the certificate logged in public "
    .. "(RFC 6962).",
  store_lookup = "Here: the store of those that are trusted cannot be read: "
    .. "is the folder of --ca whole?",
  invalid_call = "Here: this should not happen; it is worth a report.",
  unspecified = { "Here: OpenSSL gave no reason; look at the chain above.",
    reissue },
  no_crl = other_list,
  no_crl_issuer = other_list,
  crl_scope = other_list,
  crl_path = other_list,
  crl_key_usage = tell_ca,
  crl_expired = new_list,
  crl_not_yet_valid = { now, new_list },
  bad_crl_signature = new_list,
  bad_crl_time = new_list,
  critical_crl_extension = other_list,
  ocsp_needed = { "At the server: turn OCSP stapling on (in nginx: "
    .. "ssl_stapling on; uvwss: tls = { ocsp = FILE }).",
    "Here: unless the certificate itself demands it, leave out --ocsp "
      .. "require." },
  ocsp_expired = { new_staple, now },
  ocsp_not_yet_valid = { now, new_staple },
  ocsp_failed = bad_staple,
  ocsp_unknown = "At the server: the CA does not know this certificate (any "
    .. "more): have one issued anew, or wait, if it is minutes old.",
}

-- ---- TLS -------------------------------------------------------------------

local function no_tls_here(_, report)
  if not report.port then return nil end
  return ("On port %d something speaks, but not TLS. If it is a WebSocket "
    .. "server without TLS, its URL begins with ws:// (and anybody can read "
    .. "along); else it is the wrong port."):format(report.port)
end

local newer = "At the server: turn on TLS 1.2 or better 1.3; the versions "
  .. "before them are out of use since 2021 (RFC 8996). A program of yours "
  .. 'can go back with tls = { min_version = "1.0" }, and should not.'
local show_one = "Here: the server wants to know who you are: --cert FILE, "
  .. "with the key in it or in --key FILE."
local other_one = "Here: the server does not take the certificate that you "
  .. "showed; it must be issued by a CA that the server trusts, for clients "
  .. "(clientAuth), and be valid: --cert FILE."

local function handshake_failure(_, report)
  if report.asked then return show_one end
  return "At the server: allow ECDHE with AES-GCM or ChaCha20 (TLS 1.2), "
    .. "groups X25519, P-256 or P-384; does it know the name that was asked "
    .. "for (SNI)? --name asks for another."
end

local this_file = "Here: look at the file that was named."

advice.tls = {
  no_tls = "Use a wss:// URL, if the server has one.",
  wrong_version_number = no_tls_here,
  http_request = no_tls_here,
  packet_length_too_long = no_tls_here,
  unsupported_protocol = newer,
  tlsv1_alert_protocol_version = newer,
  no_protocols_available = newer,
  sslv3_alert_handshake_failure = handshake_failure,
  tlsv1_alert_insufficient_security = handshake_failure,
  tlsv1_alert_internal_error = "At the server: it failed; its log tells why. "
    .. "Some do so for a name (SNI) that they do not know: --name.",
  tlsv13_alert_certificate_required = show_one,
  tlsv1_alert_unknown_ca = other_one,
  sslv3_alert_bad_certificate = other_one,
  sslv3_alert_certificate_expired = other_one,
  sslv3_alert_certificate_revoked = other_one,
  sslv3_alert_certificate_unknown = other_one,
  sslv3_alert_unsupported_certificate = other_one,
  tlsv1_alert_access_denied = other_one,
  tlsv1_alert_decrypt_error = "Here: is --key the key of --cert?",
  tlsv1_alert_no_application_protocol = "At the server: serve http/1.1 "
    .. "(ALPN), which WebSocket begins with.",
  tlsv1_unrecognized_name = "Here: the server has no certificate for the name "
    .. "{name}; --name asks for another.",
  unexpected_eof_while_reading = "The server, or something before it, hung up "
    .. "in the handshake: is it the right port, and does the server know the "
    .. "name {name} (SNI)? Its log may tell why.",
  close_notify = "The server ended the handshake; its log may tell why.",
  dh_key_too_small = "At the server: use ECDHE; its Diffie-Hellman group is "
    .. "too small.",
  ee_key_too_small = "At the server: make a new key: EC P-256 or RSA of 2048 "
    .. "bits or more.",
  wrong_signature_type = "At the server: it signs the handshake with an "
    .. "algorithm that is not taken any more: renew OpenSSL there.",
  bad_signature = "The server does not have the key of the certificate that "
    .. "it shows: somebody may be in between.",
  no_certificate = this_file,
  bad_crl = this_file,
  no_private_key = "Here: the key is not in the file of --cert: --key FILE.",
  key_values_mismatch = "Here: --key is not the key of --cert.",
  bad_decrypt = "Here: the key is encrypted; give one that is not.",
  bad_password_read = "Here: the key is encrypted; give one that is not.",
  bad_pin = "Here: a pin is sha256/ and 44 characters of base64, as this "
    .. "command shows it for each certificate.",
  bad_name = "Here: give a host name or an address: --name.",
}

-- ---- the rest --------------------------------------------------------------

advice.dns = {
  ENOTFOUND = "Is the name {host} spelled right?",
  default = "Can other names be looked up? The resolver may be out of reach.",
}
advice.connect = {
  ECONNREFUSED = "Nobody listens on that port: is the server up, and is it "
    .. "the right port?",
  default = "Is the server up, and is there a way to it (firewall, route)?",
}
advice.timeout = {
  default = "Something took the connection and stays silent: is it the right "
    .. "port? --timeout waits longer.",
}
advice.proxy = {
  auth_required = "Give the proxy's user and password: --proxy "
    .. "http://USER:PASSWORD@HOST:PORT.",
  default = "The proxy does not let you through, or is none.",
}
advice.io = { default = this_file }

local function of_kind(err)
  local rows = advice[err.kind]
  if type(rows) ~= "table" then return nil end
  return rows[err.code] or rows.default
end

local function collect(hint, err, report, list)
  if type(hint) == "function" then hint = hint(err, report) end
  if type(hint) == "table" then
    for _, one in ipairs(hint) do collect(one, err, report, list) end
  elseif hint then
    list[#list + 1] = hint:gsub("{(%l+)}", function(name)
      return text.line(tostring(err[name] or report[name] or "?"))
    end)
  end
end

---What would have to change; nothing, if there is nothing to say.
---@param err uvwss.Error
---@param report uvwss.cli.Report
---@return string[]
function advice.of(err, report)
  local list = {}
  collect(of_kind(err), err, report, list)
  return list
end

return advice
