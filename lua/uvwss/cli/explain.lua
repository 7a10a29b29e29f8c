--- What happens in a TLS handshake, in a few words each: its messages, and what
-- was agreed on. For `uvwss check`.

local explain = {}

-- ---- messages --------------------------------------------------------------

-- In so few characters that a line of the diagram has at most 80.
local in_words = {
  EncryptedExtensions = "its other choices",
  CertificateRequest = "asks who the client is",
  CertificateStatus = "its stapled OCSP answer",
  CertificateVerify = "proves that it has the key",
  ServerKeyExchange = "its key share, signed",
  ServerHelloDone = "now it is the client's turn",
  Finished = "proves all of it unaltered",
  NewSessionTicket = "a ticket to resume with",
  HelloRequest = "wants to begin anew",
  HelloRetryRequest = "asks for another group",
  KeyUpdate = "has new keys",
}

local out_words = {
  ClientHello = "versions, ciphers, key share",
  CertificateVerify = "proves that we have the key",
  ClientKeyExchange = "our key share",
  Finished = "proves all of it unaltered",
  EndOfEarlyData = "the end of early data",
  KeyUpdate = "has new keys",
}

local function plural(count, word)
  return ("%d %s%s"):format(count, word, count == 1 and "" or "s")
end

local function server_hello(tls)
  if not tls then return "its choice" end
  local group = explain.group_name(tls.group)
  if tls.version ~= "TLSv1.3" or group == "" then
    return "chose " .. tls.version
  end
  return ("chose %s, %s"):format(tls.version, group)
end

local function certificate(step, tls)
  if step.direction == "in" then
    return tls and tls.sent
      and "its chain: " .. plural(#tls.sent, "certificate") or "its chain"
  end
  -- Without one the message has a header and nothing but lengths.
  return step.bytes <= 8 and "there is none to show" or "the client's chain"
end

---What a message does; "" if there is nothing to say.
---@param step uvwss.Step
---@param tls? uvwss.Peer  as far as it is known
---@return string
function explain.step(step, tls)
  if step.name == "Alert" then
    return step.alert or ""
  elseif step.name == "ServerHello" then
    return server_hello(tls)
  elseif step.name == "Certificate" then
    return certificate(step, tls)
  elseif step.name == "ChangeCipherSpec" then
    return tls and tls.version == "TLSv1.3" and "nothing, to please middleboxes"
      or "from here on encrypted"
  end
  return (step.direction == "in" and in_words or out_words)[step.name] or ""
end

-- ---- what was agreed on ----------------------------------------------------

local versions = {
  ["TLSv1.3"] = "the newest there is",
  ["TLSv1.2"] = "sound as it is used here, but not the newest (1.3)",
  ["TLSv1.1"] = "out of use since 2021 (RFC 8996)",
  ["TLSv1"] = "out of use since 2021 (RFC 8996)",
}

---@param version string
---@return string
function explain.version(version)
  return versions[version] or ""
end

local group_names = { x25519 = "X25519", x448 = "X448", secp256r1 = "P-256",
  prime256v1 = "P-256", secp384r1 = "P-384", secp521r1 = "P-521" }

---A group as people call it.
---@param group string
---@return string
function explain.group_name(group)
  return group_names[group] or group
end

local forward = "forward secrecy (the keys are made for this connection and "
  .. "forgotten: who gets the server's key later cannot read what was recorded)"

---How the keys came to be, and what that is good for.
---@param tls uvwss.Peer
---@return string
function explain.exchange(tls)
  local group = tls.group:lower()
  if group:find "mlkem" or group:find "kyber" then
    return forward .. "; a post-quantum hybrid, which a quantum computer "
      .. "does not open"
  elseif group ~= "" or tls.version == "TLSv1.3"
    or tls.cipher:find "^E?C?DHE%-" then
    return forward .. "; not post-quantum"
  end
  return "no forward secrecy: who gets the server's key, some day, reads "
    .. "what was recorded"
end

local ciphers = {
  { "AES_?(%d+)_GCM", "AES-%s in Galois/Counter mode" },
  { "AES(%d+)%-GCM", "AES-%s in Galois/Counter mode" },
  { "AES_?(%d+)[_-]CCM", "AES-%s in CCM mode" },
  { "CHACHA20", "ChaCha20 and Poly1305" },
  { "NULL", "no encryption at all", true },
  { "RC4", "RC4, which is broken", true },
  { "3?DES", "Triple DES, which is too old", true },
  { "AES_?(%d+)", "AES-%s in CBC mode, which has seen many attacks", true },
}

---@param cipher string  as OpenSSL calls it
---@return string
function explain.cipher(cipher)
  for _, row in ipairs(ciphers) do
    local size = cipher:match(row[1])
    if size then
      return row[2]:format(size) .. (row[3] and ""
        or ": encrypts, and notices every change")
    end
  end
  return ""
end

return explain
