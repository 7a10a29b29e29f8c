-- Client and server on two hosts, and what becomes of the cable between them.

local certs = require "spec.support.certs"
local network = require "spec.support.net"
local process = require "spec.support.process"

local identity = certs "server"

-- No spec waits for ever, and who is waited for ends with whoever waits.
local patience = tostring(60 * (tonumber(os.getenv "UVWSS_SLOW") or 1))

local function server_on(net)
  return process.start(net:on("far", { "timeout", patience,
    "setpriv", "--pdeathsig", "KILL", "lua5.4", "spec/support/far.lua", "server",
    net.far, identity.cert, identity.key }))
end

local function client_on(net, port, bytes)
  local words = net:on("near", { "timeout", patience,
    "setpriv", "--pdeathsig", "KILL", "lua5.4", "spec/support/far.lua", "client",
    ("wss://%s:%d/"):format(net.far, port),
    certs.ca, bytes and tostring(bytes) })
  words.ready = false
  return process.start(words)
end

-- The lines up to one that matches, that one last.
local function read_to(child, pattern)
  local lines = {}
  repeat
    local line = child:line()
    assert(line, ("no %q in:\n%s\n%s"):format(pattern,
      table.concat(lines, "\n"), child:stderr()))
    lines[#lines + 1] = line
  until line:find(pattern)
  return lines
end

local function last(lines) return lines[#lines] end

describe("a network", function()
  local net, server, client
  before_each(function()
    net = network.new()
    server = server_on(net)
  end)
  after_each(function()
    if client then client:stop() end
    server:stop()
    net:close()
    client = nil
  end)

  it("that is cut while nothing is said is noticed by both ends", function()
    client = client_on(net, server.port)
    read_to(client, "^open\t1\t10.77.0.2$")
    net:unplug()
    assert.are.equal("lost\ttimeout ping", last(read_to(client, "^lost")))
    assert.are.equal("gone\t1006\ttimeout ping", last(read_to(server, "^gone")))
    net:plug()
    read_to(client, "^open")
  end)

  it("that is cut takes a part of what is being sent along, and it is told",
    function()
      client = client_on(net, server.port, 1 << 20)
      read_to(client, "^back\t1\twhole$")
      net:set("near", "link set cable mtu 700") -- so that it takes its time
      client:stop()
      client = client_on(net, server.port, 32 << 20)
      read_to(client, "^open")
      net:unplug()
      local lines = read_to(client, "^sent")
      assert.are.equal("sent\t1\tpartial", last(lines))
      net:plug()
      read_to(client, "^open")
    end)

  it("that is not there yet is waited for", function()
    net:unplug()
    client = client_on(net, server.port, 1000)
    for _ = 1, 3 do
      local lost = last(read_to(client, "^lost"))
      assert.is_truthy(lost == "lost\ttimeout open"
        or lost == "lost\tconnect EHOSTUNREACH", lost)
    end
    net:plug()
    read_to(client, "^back\t1\twhole$")
  end)

  it("to which there is no way is an error at once", function()
    net:set("near", "addr del 10.77.0.1/24 dev cable")
    client = client_on(net, server.port, 1000)
    assert.are.equal("lost\tconnect ENETUNREACH", client:line())
    net:set("near", "addr add 10.77.0.1/24 dev cable")
    read_to(client, "^back\t1\twhole$")
  end)

  it("may give the client another address", function()
    client = client_on(net, server.port, 100000)
    read_to(client, "^back\t1\twhole$")
    net:set("near", "addr del 10.77.0.1/24 dev cable")
    net:set("near", "addr add 10.77.0.9/24 dev cable")
    assert.are.equal("lost\ttimeout ping", last(read_to(client, "^lost")))
    read_to(client, "^back\t2\twhole$")
  end)

  it("may take small packets only", function()
    for _, side in ipairs { "near", "far" } do
      net:set(side, "link set cable mtu 600")
    end
    client = client_on(net, server.port, 3 << 20)
    read_to(client, "^back\t1\twhole$")
  end)

  it("may come and go", function()
    client = client_on(net, server.port, 200000)
    for _ = 1, 3 do
      read_to(client, "^back\t%d+\twhole$")
      net:unplug()
      read_to(client, "^lost")
      net:plug()
    end
    read_to(client, "^back\t%d+\twhole$")
  end)
end)
