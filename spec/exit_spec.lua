-- os.exit(true, true) closes the Lua state wherever it is called, with the
-- loop, OpenSSL and handlers of ours further up the stack. Nothing may be lost
-- (make asan and make valgrind see that), and nothing of the user's may be
-- called any more.

local certs = require "spec.support.certs"
local peers = require "spec.support.peers"
local process = require "spec.support.process"

local MIB <const> = 1 << 20

local places = { "open", "message", "receive", "done", "piece", "partial",
  "unsent", "drain", "timer", "coroutine", "reconnect", "error", "close" }

-- What is sent to the one is not read; the other speaks first.
local function servers(secure)
  local options = secure and { tls = certs "server" }
  local scheme = secure and "wss" or "ws"
  local function server(...)
    local script = { { "upgrade" }, ... }
    if secure then table.insert(script, 1, { "tls" }) end
    table.insert(script, { "sleep", 600 })
    local child = peers.raw({ script }, options)
    return child, ("%s://localhost:%d/"):format(scheme, child.port)
  end
  local set = {}
  set.sink, set.sink_url = server()
  set.talk, set.talk_url = server { "frame", 1, "68656c6c6f" }
  return set
end

for _, secure in ipairs { false, true } do
  describe(("ending inside a call-out, 64 MiB in flight over %s,"):format(
    secure and "TLS" or "TCP"), function()
    local set

    lazy_setup(function() set = servers(secure) end)

    lazy_teardown(function()
      set.sink:stop()
      set.talk:stop()
    end)

    for _, where in ipairs(places) do
      it("loses nothing and calls nobody: in " .. where .. " #valgrind",
        function()
          local output, ended = process.run { "lua5.4",
            "spec/support/exit.lua", where, set.sink_url, set.talk_url,
            16 * MIB, secure and certs.ca or nil }
          assert.are.equal("", ended.stderr)
          assert.are.equal("left\n", output)
          assert.are.equal("exit 0", ended.how .. " " .. ended.code)
        end)
    end
  end)
end

local server_places = { "onupgrade", "onupgrade late", "onrequest",
  "onrequest late", "onopen", "onmessage", "receive", "onping", "onpong",
  "ondrain", "onclose", "unsent", "room", "onrefused", "onclose of a client",
  "closing", "closed", "iterating", "trace" }

for _, secure in ipairs { false, true } do
  describe(("ending inside a call-out of a server over %s,"):format(
    secure and "TLS" or "TCP"), function()
    local own = certs "server"
    for _, where in ipairs(server_places) do
      if where ~= "trace" or secure then
        it("loses nothing and calls nobody: in " .. where
          .. (secure and " #valgrind" or ""), function()
            local command = { "lua5.4", "spec/support/exit_server.lua", where,
              16 * MIB }
            if secure then
              table.move({ own.cert, own.key, certs.ca }, 1, 3, 5, command)
            end
            local output, ended = process.run(command)
            assert.are.equal("", ended.stderr)
            assert.are.equal("left\n", output)
            assert.are.equal("exit 0", ended.how .. " " .. ended.code)
          end)
      end
    end
  end)
end
