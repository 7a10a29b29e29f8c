-- docs/check.md shows what the command prints: each of its blocks is made again
-- with the words that it begins with, against a server of that kind. What
-- differs from one run to the next (numbers, digests) may differ; "[...]"
-- stands for what was left out.

local certs = require "spec.support.certs"
local command = require "spec.support.command"
local peers = require "spec.support.peers"
local process = require "spec.support.process"

local servers = {}

servers["NATS"] = function() return peers.nats(certs "server") end
servers["nginx with a certificate for another host"] = function()
  return peers.nginx(certs "wronghost", 1)
end
servers["uvwss serve, which wants to know its clients"] = function()
  return process.start { "bin/uvwss", "serve", "-q", "--cert",
    certs("server").cert, "--key", certs("server").key, "--client-ca", certs.ca,
    "wss://127.0.0.1:0", ready = ":(%d+)" }
end
servers["An impostor"] = function()
  return peers.echo { tls = certs "impostor" }
end
servers["A certificate that has expired"] = function()
  return peers.echo { tls = certs "expired" }
end
servers["An intermediate that is missing"] = function()
  return peers.echo { tls = certs "nointermediate" }
end
servers["Another key than the one that is pinned"] = function()
  return peers.echo { tls = certs "server" }
end
servers["The verdict of another day"] = function()
  return peers.echo { tls = certs "server" }
end
servers["A stapled answer of the CA"] = function()
  return process.start { "openssl", "s_server", "-accept", "127.0.0.1:0",
    "-www", "-tls1_2", "-cert", certs("server").cert, "-key",
    certs("server").key, "-cert_chain", certs.file "intermediate.crt",
    "-status_file", certs.file "server.ocsp", ready = "^ACCEPT .*:(%d+)" }
end
servers["A port without TLS"] = function() return peers.echo {} end
servers["Nothing but TLS 1.0"] = function()
  return process.start { "openssl", "s_server", "-accept", "127.0.0.1:0",
    "-www", "-tls1", "-cipher", "ALL:@SECLEVEL=0", "-cert",
    certs("server").cert, "-key", certs("server").key,
    ready = "^ACCEPT .*:(%d+)" }
end
servers["Nobody at all"] = function() return peers.refuse() end

-- The words of a line of the docs, for the server that is there now.
local function words_of(line, port)
  local words = {}
  for word in line:gmatch "%S+" do
    words[#words + 1] = word == "ca.crt" and certs.ca
      or word:gsub(":44443/", (":%d/"):format(port))
  end
  return words
end

local function plain(text)
  return (text:gsub("sha256/[%w+/=]+", "PIN"):gsub("%f[%w]%x+%f[%W]",
    function(word) return #word == 64 and "DIGEST" or nil end)
    :gsub("%d+", "N"):gsub("%s+", " "))
end

-- All that lies between gaps is there, in that order, from end to end.
local function assert_shape(expected, output)
  local at, rest, is_first = 1, plain(output), true
  for part in (plain(expected):gsub(" ?%[%.%.%.%] ?", "\0") .. "\0")
    :gmatch "([^%z]*)%z" do
    local from, to = rest:find(part, at, true)
    assert.truthy(from, ("%s\n\nis not in\n\n%s"):format(part, rest:sub(at)))
    assert.is_true(not is_first or from == 1, rest)
    at, is_first = to + 1, false
  end
  assert.equal("", rest:sub(at):gsub("^ ", ""))
end

describe("docs/check.md shows what is printed for", function()
  local text = assert(process.read_file "docs/check.md")
  local seen = {}
  for heading, block in text:gmatch "\n## ([^\n]+)\n.-\n```\n%$ (.-)\n```\n" do
    seen[heading] = true
    it(heading, function()
      assert.truthy(servers[heading], heading)
      local server <close> = servers[heading]()
      local line, expected = block:match "^uvwss ([^\n]*)\n(.*)$"
      assert_shape(expected, (command.run(words_of(line, server.port))))
    end)
  end

  it("every kind of server", function()
    for heading in pairs(servers) do assert.is_true(seen[heading], heading) end
  end)
end)
