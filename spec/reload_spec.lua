-- A server whose certificate changes while it works.

local certs = require "spec.support.certs"
local process = require "spec.support.process"
local variant = require "spec.support.variant"
local wss = require "uvwss"

local talkers_n, changes = variant and 20 or 200, variant and 10 or 50

local function copy(from, to)
  process.write_file(to, process.read_file(from))
end

describe("a server's certificate", function()
  it("changes 50 times under 200 clients that talk, and drops none",
    function()
      local dir <close> = process.directory()
      local cert, key = dir.path .. "/s.crt", dir.path .. "/s.key"
      local function use(name)
        copy(certs(name).cert, cert)
        copy(certs(name).key, key)
      end
      use "server"
      local server = assert(wss.listen("wss://127.0.0.1:0", {
        tls = { cert = cert, key = key },
        onmessage = function(_, ws, data) ws:send(data) end,
      }))
      local tls = assert(wss.tls { ca = certs.ca })
      local said, talking, lost = {}, 0, {}

      local function talk(number)
        said[number] = 0
        wss.connect(server.url, {
          tls = tls,
          onopen = function(ws)
            talking = talking + 1
            ws:send "word"
          end,
          onmessage = function(ws, data)
            said[number] = said[number] + 1
            ws:send(data)
          end,
          onclose = function(_, code, _, err)
            if code ~= 1001 or err then lost[#lost + 1] = tostring(err) end
          end,
        })
      end

      -- What a new connection is shown; without resumption, which shows none.
      local function shown()
        local ws <close> = wss.connect(server.url, { tls = tls })
        ws:send "hello"
        assert.are.equal("hello", ws:receive(60))
        return ws.tls.chain[1].spki_sha256
      end

      wss.run(function()
        for number = 1, talkers_n do talk(number) end
        while talking < talkers_n do wss.sleep(0.01) end
        local before = shown()
        for change = 1, changes do
          use(change % 2 == 1 and "server2" or "server")
          assert.is_true(server:reload())
          local now = shown()
          assert.are_not.equal(before, now)
          before = now
          -- Each of them says something under each certificate.
          local at = table.move(said, 1, talkers_n, 1, {})
          for number = 1, talkers_n do
            while said[number] == at[number] do wss.sleep(0) end
          end
        end
        process.write_file(key, "no key")
        local ok, err = server:reload()
        assert.is_nil(ok)
        assert.are.equal("tls", err.kind)
        assert.are.equal(before, shown()) -- the old one stays
        assert.are.equal(0, #lost, lost[1])
        while server.count > talkers_n do wss.sleep(0.01) end
        server:close()
      end)
      assert.are.equal(0, #lost, lost[1])
      assert.are.equal(0, wss.stats().ssl_objects)
    end)
end)

describe("onupgrade", function()
  it("lets 500 clients wait 0.1 s each, all at once", function()
    local clients_n = variant and 50 or 500
    local waiting, most, opened = 0, 0, 0
    local server = assert(wss.listen("ws://127.0.0.1:0", {
      upgrade_timeout = 600, handshake_timeout = 600,
    }))
    function server:onupgrade() -- luacheck: ignore self
      waiting = waiting + 1
      most = math.max(most, waiting)
      wss.sleep(0.1)
      waiting = waiting - 1
    end
    local began = os.time()
    for _ = 1, clients_n do
      wss.connect(server.url, {
        open_timeout = 600,
        onopen = function()
          opened = opened + 1
          if opened == clients_n then server:close() end
        end,
      })
    end
    wss.run()
    assert.are.equal(clients_n, opened)
    -- One after the other they would take clients_n / 10 seconds.
    assert.is_true(most > clients_n / 4, most)
    assert.is_truthy(variant or os.time() - began < 25)
  end)
end)
