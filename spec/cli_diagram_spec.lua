local diagram = require "uvwss.cli.diagram"
local explain = require "uvwss.cli.explain"

-- ">ClientHello <ServerHello …" as steps.
local function steps_of(text)
  local steps = {}
  for way, name in text:gmatch "([<>])(%S+)" do
    steps[#steps + 1] = { direction = way == ">" and "out" or "in",
      name = name, bytes = 10 * (#steps + 1), milliseconds = #steps + 0.04,
      alert = name == "Alert" and "unknown_ca" or nil }
  end
  return steps
end

-- The names of those that were encrypted.
local function encrypted(text)
  local steps, names = steps_of(text), {}
  local marks = diagram.encrypted(steps)
  for i, step in ipairs(steps) do
    if marks[i] then names[#names + 1] = step.name end
  end
  return table.concat(names, " ")
end

local tls = { version = "TLSv1.3", group = "x25519", cipher = "", alpn = "",
  sent = { {}, {} } }

describe("the diagram of a handshake", function()
  it("is two lanes, arrows between them, and a gap between flights", function()
    local text = table.concat(diagram.lines(steps_of(
      ">ClientHello <ServerHello <EncryptedExtensions <Certificate >Alert"),
      tls, "(the end)"), "\n")
    assert.equal([[
        client                       server
           |                           |
    0.0 ms |------ ClientHello ------->|   10 B  versions, ciphers, key share
           |                           |
    1.0 ms |<------ ServerHello -------|   20 B  chose TLSv1.3, X25519
    2.0 ms |<== EncryptedExtensions ===|   30 B  its other choices
    3.0 ms |<====== Certificate =======|   40 B  its chain: 2 certificates
           |                           |
    4.0 ms |--------- Alert ---------->|   50 B  unknown_ca
           |                           |
           |         (the end)         |]], text)
  end)

  it("is nothing without a message", function()
    assert.same({}, diagram.lines({}, nil, "x"))
  end)

  it("fits into 80 columns, whatever comes", function()
    local names = { "HelloRequest", "ClientHello", "ServerHello",
      "NewSessionTicket", "EndOfEarlyData", "EncryptedExtensions",
      "Certificate", "ServerKeyExchange", "CertificateRequest",
      "ServerHelloDone", "CertificateVerify", "ClientKeyExchange", "Finished",
      "CertificateStatus", "KeyUpdate", "ChangeCipherSpec", "Alert",
      "Handshake" }
    for _, name in ipairs(names) do
      for _, way in ipairs { "in", "out" } do
        local step = { direction = way, name = name, bytes = 16777,
          milliseconds = 9999.9, alert = "bad_certificate_status_response" }
        for _, known in ipairs { tls, { version = "TLSv1.2", group = "",
          cipher = "", sent = {} }, false } do
          local lines = diagram.lines({ step }, known or nil, "x")
          for _, line in ipairs(lines) do
            assert.is_true(#line <= 80, line)
          end
        end
      end
    end
  end)

  it("knows what TLS 1.3 encrypts", function()
    local hello = ">ClientHello <ServerHello <EncryptedExtensions "
    assert.equal("EncryptedExtensions Certificate Finished Finished "
      .. "NewSessionTicket", encrypted(hello .. "<Certificate <Finished "
        .. ">ChangeCipherSpec >Finished <NewSessionTicket"))
    -- Our keys are not in use yet when a certificate is refused.
    assert.equal("EncryptedExtensions Certificate",
      encrypted(hello .. "<Certificate >Alert"))
    assert.equal("EncryptedExtensions Alert", encrypted(hello .. "<Alert"))
    assert.equal("EncryptedExtensions", encrypted(
      ">ClientHello <ServerHello >ChangeCipherSpec >ClientHello <ServerHello "
        .. "<EncryptedExtensions"))
  end)

  it("knows what TLS 1.2 encrypts", function()
    assert.equal("Finished Finished", encrypted(">ClientHello <ServerHello "
      .. "<Certificate <ServerHelloDone >ClientKeyExchange >ChangeCipherSpec "
      .. ">Finished <NewSessionTicket <Finished"))
    assert.equal("", encrypted ">ClientHello <Alert")
  end)

  it("calls the first of two ServerHellos what it is", function()
    local lines = diagram.lines(steps_of
      ">ClientHello <ServerHello >ClientHello <ServerHello", nil, "x")
    local text = table.concat(lines, "\n")
    assert.matches("HelloRetryRequest.*ServerHello", text)
    assert.is_nil(text:find "ServerHello.*ServerHello")
  end)
end)

describe("what was agreed on", function()
  it("has forward secrecy, or has not", function()
    local function said(version, group, cipher)
      return explain.exchange { version = version, group = group,
        cipher = cipher }
    end
    assert.matches("^forward secrecy .*; not post%-quantum$",
      said("TLSv1.3", "x25519", "TLS_AES_128_GCM_SHA256"))
    assert.matches("^forward secrecy .*; a post%-quantum hybrid",
      said("TLSv1.3", "X25519MLKEM768", "TLS_AES_128_GCM_SHA256"))
    assert.matches("^forward secrecy .*; not post%-quantum$",
      said("TLSv1.2", "", "DHE-RSA-AES128-GCM-SHA256"))
    assert.matches("^no forward secrecy",
      said("TLSv1.2", "", "AES128-GCM-SHA256"))
  end)

  it("is said of ciphers too", function()
    for cipher, words in pairs {
      ["TLS_AES_256_GCM_SHA384"] = "^AES%-256 in Galois/Counter mode: enc",
      ["TLS_CHACHA20_POLY1305_SHA256"] = "^ChaCha20 and Poly1305: enc",
      ["ECDHE-RSA-AES128-GCM-SHA256"] = "^AES%-128 in Galois",
      ["TLS_AES_128_CCM_SHA256"] = "^AES%-128 in CCM",
      ["ECDHE-RSA-AES256-SHA384"] = "CBC mode, which has seen many attacks$",
      ["DES-CBC3-SHA"] = "^Triple DES", ["NULL-SHA"] = "^no encryption",
      ["SOMETHING-NEW"] = "^$",
    } do
      assert.matches(words, explain.cipher(cipher), nil, nil, cipher)
    end
  end)
end)
