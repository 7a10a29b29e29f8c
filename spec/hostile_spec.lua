-- Hostile clients of a server in a process of its own, and a good one after
-- each, which is served in time.

local certs = require "spec.support.certs"
local process = require "spec.support.process"
local variant = require "spec.support.variant"

local slow = (tonumber(os.getenv "UVWSS_SLOW") or 1) * (variant and 4 or 1)
-- KiB. A handshake that is not done costs 48 of them, most of it OpenSSL's.
local most_growth, most_of_half_open = 24 * 1024, 96 * 1024

describe("a server is bounded, and serves others in time, under", function()
  local server, ports

  local function start(descriptors)
    local pair = certs "server"
    server = process.start { "sh", "-c",
      'ulimit -n "$1" && shift && exec "$@"', "sh", descriptors, "lua5.4",
      "spec/support/peers/target.lua", pair.cert, pair.key }
    ports = server.ports
  end

  local function attack(name, count)
    local output, status = process.run { "/usr/bin/python3",
      "spec/support/peers/hostile.py", name, ports[1], ports[2], certs.ca,
      "--count", count or 1, "--deadline", 10 * slow }
    assert.are.equal(0, status.code, output .. status.stderr)
    return output
  end

  local function survives(name, count)
    local grew = attack(name, count):match "grew by (%-?%d+)"
    local most = name == "half_open" and most_of_half_open or most_growth
    assert.is_truthy(variant or tonumber(grew) < most, grew)
  end

  after_each(function()
    attack "quit"
    local rest = server.pipe:read "a"
    assert.are.same({ "exit", 0 }, { server:wait() })
    assert.are.equal("ledger zero\n", rest, server:stderr())
  end)

  local few = variant and 4 or 20
  for _, row in ipairs {
    { "tls_drip", few, "a TLS handshake that comes in drips, or not at all" },
    { "head_drip", few, "a request that comes in drips" },
    { "frame_drip", few, "half a frame's header and then silence" },
    { "header_bytes", few, "a million header bytes" },
    { "garbage", few, "garbage behind a request, an upgrade, and for TLS" },
    { "half_open", variant and 50 or 1000, "a thousand half-open connections" },
  } do
    it(row[3], function()
      start(2000)
      survives(row[1], row[2])
    end)
  end

  it("so many callers that it has no descriptors left", function()
    start(100)
    survives("descriptors", 300)
  end)
end)
