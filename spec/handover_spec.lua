-- Servers that follow each other on a port (reuse_port), each ended with
-- SIGTERM while its clients are busy.

local certs = require "spec.support.certs"
local process = require "spec.support.process"
local variant = require "spec.support.variant"
local wss = require "uvwss"

local handovers = variant and 2 or 4
local clients_n = variant and 15 or 50
local visitors_n = variant and 2 or 4
local window = 4 -- messages of a client that are not acknowledged
local redial = { min = 0.05 }
local seconds = 120 * (tonumber(os.getenv "UVWSS_SLOW") or 1)

local tls = assert(wss.tls { ca = certs.ca })

local function start_server(url, record)
  local identity = certs "server"
  return process.start { "lua5.4", "spec/support/relay_server.lua", url,
    identity.cert, identity.key, record }
end

local function await(what, condition)
  local until_ = os.time() + seconds
  while not condition() do
    assert(os.time() < until_, "waited in vain for " .. what)
    wss.sleep(0.01)
  end
end

-- ---- clients ----------------------------------------------------------------

-- Sends messages as they are acknowledged, and those again of which it cannot
-- know whether they arrived. What has not left waits for the next connection
-- by itself.
local Client = {}
Client.__index = Client

local function payload(client, number)
  return ("%d %d %s"):format(client, number, ("x"):rep(number * 37 % 3000))
end

function Client:send(number)
  self.sent[number] = "waits"
  assert(self.ws:send(payload(self.number, number), "text",
    function(_, outcome) self.sent[number] = outcome end))
end

function Client:next()
  self.count = self.count + 1
  self:send(self.count)
end

function Client:opened()
  self.opens = self.opens + 1
  local again = {}
  for number, outcome in pairs(self.sent) do
    if outcome ~= "waits" then again[#again + 1] = number end
  end
  table.sort(again)
  for _, number in ipairs(again) do
    self.again = self.again + 1
    self:send(number)
  end
end

function Client:acknowledged(data)
  local client, number = data:match "^(%d+) (%d+)$"
  number = math.tointeger(tonumber(number))
  assert(tonumber(client) == self.number and self.sent[number], data)
  self.sent[number] = nil
  self.acks = self.acks + 1
  self.known[number] = true
  if not self.enough then
    self:next()
  elseif not next(self.sent) then
    self.ws:close()
  end
end

local function new_client(number, url)
  local self = setmetatable({ number = number, sent = {}, known = {}, acks = 0,
    count = 0, opens = 0, again = 0, losses = {} }, Client)
  self.ws = wss.connect(url, {
    tls = tls,
    reconnect = redial,
    onopen = function() self:opened() end,
    onmessage = function(_, data) self:acknowledged(data) end,
    onreconnect = function(_, _, _, err) self.losses[#self.losses + 1] = err end,
    onclose = function(_, code, _, err) self.ended = err or code end,
  })
  for _ = 1, window do self:next() end
  return self
end

local function all(clients, condition)
  for _, client in ipairs(clients) do
    if not condition(client) then return false end
  end
  return true
end

-- ---- visitors ---------------------------------------------------------------

-- Comes, says one thing, hears that it arrived, and goes, again and again: there
-- is always one at the door that is being closed. Whom the old server does not
-- serve any more dials again.
local function visit(number, url, visits)
  local client, n = 1000 + number, 0
  while not visits.enough do
    n = n + 1
    local left
    local ws <close> = wss.connect(url, {
      tls = tls, reconnect = redial,
      onreconnect = function(_, _, _, err)
        visits.losses[#visits.losses + 1] = ("%s %s"):format(err.kind, err.code)
        return not left -- to a server that was closing already
      end,
    })
    assert(ws:send(payload(client, n), "text", function() left = true end))
    local answer, err = ws:receive(seconds)
    if answer or not left or err.kind ~= "closed" then
      assert.are.equal(("%d %d"):format(client, n), answer, tostring(err))
      visits.acknowledged[#visits.acknowledged + 1] = payload(client, n)
    end
  end
  visits.over = visits.over + 1
end

-- ---- what the servers wrote down --------------------------------------------

local function count_lines(name, counts)
  for line in io.lines(name) do
    counts[line] = (counts[line] or 0) + 1
  end
end

describe("a server that SIGTERM ends under load", function()
  it("hands its clients to the next one on its port, and no message is lost",
    function()
      local dir <close> = process.directory()
      local records = {}
      local function start(url)
        records[#records + 1] = ("%s/%d"):format(dir.path, #records + 1)
        return start_server(url, records[#records])
      end
      local server = start "wss://127.0.0.1:0"
      local url = ("wss://127.0.0.1:%d/"):format(server.port)
      local clients = {}
      local visits = { losses = {}, acknowledged = {}, over = 0 }

      wss.run(function()
        for number = 1, visitors_n do wss.spawn(visit, number, url, visits) end
        for number = 1, clients_n do
          clients[number] = new_client(number, url)
        end
        for round = 1, handovers do
          await("traffic", function()
            return all(clients, function(c)
              return c.opens == round and c.acks >= 20 * round
            end)
          end)
          local following = start(url)
          assert.are.equal(server.port, following.port)
          assert.is_true(server:signal "TERM")
          await("the next connection", function()
            return all(clients, function(c) return c.opens == round + 1 end)
          end)
          assert.is_truthy((server:line() or ""):match "^over %d+$",
            server:stderr())
          assert.are.same({ "exit", 0 }, { server:wait() })
          server = following
        end
        for _, client in ipairs(clients) do client.enough = true end
        visits.enough = true
        await("the last answers", function()
          return visits.over == visitors_n
            and all(clients, function(c) return c.ended end)
        end)
      end)
      server:signal "TERM"
      assert.is_truthy(server:line())
      assert.are.same({ "exit", 0 }, { server:wait() })

      local expected = {}
      for i = 1, handovers do expected[i] = "closed remote 1001" end
      local counts = {}
      for _, name in ipairs(records) do count_lines(name, counts) end
      for _, client in ipairs(clients) do
        assert.are.equal(1000, client.ended)
        -- 1001 at each handover, and nothing else ever went wrong.
        local codes = {}
        for i, err in ipairs(client.losses) do
          codes[i] = ("%s %s %s"):format(err.kind, err.code, err.close)
        end
        assert.are.same(expected, codes)
        -- Each message was acknowledged, and is written down as it was sent;
        -- a second time only if it had to be sent twice.
        local twice = 0
        for number = 1, client.count do
          assert.is_true(client.known[number])
          local n = counts[payload(client.number, number)]
          assert.is_truthy(n, "a message was acknowledged and is nowhere")
          twice = twice + n - 1
        end
        assert.is_true(twice <= client.again)
      end
      for _, message in ipairs(visits.acknowledged) do
        assert.are.equal(1, counts[message])
      end
      assert.is_true(#visits.acknowledged > visitors_n * handovers)
      for _, loss in ipairs(visits.losses) do
        assert.is_true(loss == "closed remote"
          or loss == "tls unexpected_eof_while_reading", loss)
      end
    end)
end)
