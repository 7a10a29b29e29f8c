--- Values that are right, or right for some, by the name of the option: what
-- bytes at random would seldom get to. `pem` has certificates and keys.

local yes_no = { true, false }
local times = { 0.5, 1, 10, 4e6, 1e-7, 3 }
local sizes = { 0, 1, 125, 1000, 1 << 20, 5.0, 1 << 53 }
return function(pem)
  return {
    level = { 0, 6, 9 }, mem_level = { 1, 9 }, min_size = sizes,
    server_max_window_bits = { 8, 9, 15 }, client_max_window_bits = { 8, 15 },
    server_no_context_takeover = yes_no, client_no_context_takeover = yes_no,
    close_timeout = times, open_timeout = times, handshake_timeout = times,
    upgrade_timeout = times, ping_interval = { 0, false, 1, 20.5 },
    ping_timeout = { 0, false, 1, 4e6 }, max_message = sizes,
    max_buffered = sizes, high_water = sizes, low_water = sizes,
    max_header = sizes, max_connections = sizes, max_topics = sizes,
    subprotocols = { "chat", { "a", "b" }, {}, { "a", "a" } },
    redirects = { 0, 1, 20 }, backlog = { 0, 1, 511, 65535 },
    reuse_port = yes_no, slow_consumer = { "close", "drop", "wait" },
    origin = { "https://example.com", "null" }, min = { 0.5, 1e308, 30 },
    origins = { "null", { "https://example.com", "http://a" }, {},
      "http://a/b", "x" },
    max = { 1, 30, 0.25 }, factor = { 1, 2, 1e308 }, jitter = yes_no,
    attempts = { 1, math.maxinteger }, stable = { 0, 10 },
    random = { math.random }, outbox = { "unsent", "drop" },
    headers = { {}, { a = "b" }, { a = { "b", "c" } }, { host = "x" },
      { ["sec-websocket-key"] = "x" }, { ["a b"] = "x" }, { a = "\n" } },
    ca = { pem.root, { pem.root, pem.middle }, "/dev/null/ca", "/dev/null" },
    cert = { pem.leaf, pem.chain, pem.leaf .. pem.key, "/dev/null/crt" },
    key = { pem.key, pem.other }, password = { "secret", "" },
    server_name = { "example.com", "127.0.0.1", "a..b", "" },
    pins = { "sha256/" .. ("A"):rep(43) .. "=", { "sha1/x" } },
    min_version = { "1.0", "1.2", "1.3" }, max_version = { "1.1", "1.3" },
    ciphers = { "HIGH", "ECDHE+AESGCM", "none at all" },
    ciphersuites = { "TLS_AES_128_GCM_SHA256", "x" },
    groups = { "X25519", "P-256:P-384", "x" }, alpn = { "h2", {}, { "a", "" },
      ("a"):rep(256) }, session = yes_no, keylog = { "/dev/null/log" },
    max_depth = { 0, 10, 100 }, strict = yes_no, insecure = yes_no,
    crl = { "/dev/null/crl", { pem.root } }, crl_check = { "leaf", "chain" },
    ocsp = { "staple", "require", "/dev/null/ocsp" }, system_ca = yes_no,
    client_ca = { pem.root }, tickets = yes_no,
    verify_client = { "none", "request", "require" },
    sni = { {}, { ["a.example"] = { cert = pem.leaf, key = pem.key } },
      { ["a.b\0c"] = { cert = pem.leaf, key = pem.key } },
      { ["*.b"] = { cert = pem.leaf .. pem.key }, c = {} } },
    time = { 0, 1e9, 1.5, 2e9 }, intermediates = { pem.middle, {} },
  }
end
