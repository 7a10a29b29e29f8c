-- Receivers that do not read, among many that do.

local process = require "spec.support.process"
local variant = require "spec.support.variant"
local wss = require "uvwss"

local guests_n, silent_n = variant and 40 or 200, variant and 4 or 20
local readers_n = guests_n - silent_n
local messages, size = 240, 64 * 1024
local high, most = 128 * 1024, 1024 * 1024

local function resident()
  collectgarbage()
  collectgarbage()
  return tonumber(process.read_file "/proc/self/status"
    :match "VmRSS:%s*(%d+)") * 1024
end

local pad = ("x"):rep(size - 4)

local function message(i)
  return (">I4"):pack(i) .. pad
end

local present

-- A server with all of its guests.
local function gather(options)
  options.high_water, options.low_water = high, high // 2
  options.max_buffered = most
  local server = assert(wss.listen("ws://127.0.0.1:0", options))
  local silent = 0
  function server:onopen(ws) ws:subscribe "news" end
  function server.onmessage(_, ws)
    ws.silent = true
    silent = silent + 1
  end
  local child = process.start { "lua5.4", "spec/support/peers/guests.lua",
    server.url, "--count", guests_n, "--silent", silent_n, ready = false }
  present = { server, child }
  while server:stats().subscriptions < guests_n or silent < silent_n do
    wss.sleep(0.01)
  end
  return server, child
end

-- Let go on when all who read have read.
local function drained(server)
  local behind
  repeat
    wss.sleep(0)
    behind = 0
    for ws in server:connections() do
      if ws.buffered > 0 and not ws.silent then behind = behind + 1 end
    end
  until behind == 0
end

local function finish(server, child)
  server:publish("news", "end")
  -- Nobody blocks on the child before it has ended: the loop is its server.
  -- Those who read take their leave, and then the silent ones are gone, too.
  while server.count > 0 do wss.sleep(0.01) end
  server:close(0)
  return child
end

local function verdict(child, pattern)
  local said = child.pipe:read "a"
  child:wait()
  assert.is_truthy(said:find(("readers %d got %d to %d wrong 0\n")
    :format(readers_n, messages, messages), 1, true), said .. child:stderr())
  if pattern then assert.matches(pattern, said) end
end

-- What the queues may hold, and twice what the rest was seen to take.
local function bounded(before)
  if variant then return end
  local grown = resident() - before
  assert.is_true(grown < guests_n * most, ("grew by %d"):format(grown))
end

describe("of 200 subscribers 20 never read, and the others get all;", function()
  after_each(function() -- of a failure too
    present[1]:close(0)
    present[2]:stop()
  end)

  it("\"close\" ends those whose queue would exceed max_buffered", function()
    local before, ended, kinds = resident(), 0, {}
    local child = wss.run(function()
      local server, child = gather {
        slow_consumer = "close", ping_interval = false,
        onclose = function(_, _, _, _, err)
          if err then
            ended = ended + 1
            kinds[err.kind .. " " .. err.code] = true
          end
        end,
      }
      for i = 1, messages do
        local before_it = server.count
        local n = server:publish("news", message(i), "binary")
        assert.is_true(n <= before_it and n >= readers_n)
        drained(server)
      end
      bounded(before)
      local stats = server:stats()
      assert.are.equal(silent_n, stats.slow_closed)
      assert.are.equal(0, stats.dropped)
      assert.are.equal(readers_n, server.count)
      assert.are.equal(messages, stats.published)
      return finish(server, child)
    end)
    assert.are.equal(silent_n, ended)
    assert.are.same({ ["limit buffered"] = true }, kinds)
    verdict(child)
  end)

  it("\"drop\" leaves them out, and drops nobody", function()
    local before = resident()
    local child = wss.run(function()
      local server, child = gather {
        slow_consumer = "drop", ping_interval = false,
      }
      local given = 0
      for i = 1, messages do
        given = given + server:publish("news", message(i), "binary")
        drained(server)
      end
      bounded(before)
      local stats, high_ones = server:stats(), 0
      assert.are.equal(guests_n, server.count)
      assert.are.equal(0, stats.slow_closed)
      assert.are.equal(given, stats.delivered)
      assert.are.equal(guests_n * messages, stats.delivered + stats.dropped)
      assert.is_true(stats.dropped > 0)
      for ws in server:connections() do
        if ws.buffered > 0 then
          high_ones = high_ones + 1
          assert.is_true(ws.buffered <= high + size)
        end
      end
      assert.are.equal(silent_n, high_ones)
      return finish(server, child)
    end)
    verdict(child)
  end)

  it("\"wait\" holds the publisher until they have gone", function()
    local before, ended = resident(), 0
    local child = wss.run(function()
      local server, child = gather {
        slow_consumer = "wait", ping_interval = 0.5, ping_timeout = 4,
        onclose = function(_, _, _, _, err)
          if err then
            assert.are.equal("timeout ping", err.kind .. " " .. err.code)
            ended = ended + 1
          end
        end,
      }
      local seen = 0
      for i = 1, messages do
        server:publish("news", message(i), "binary")
        for ws in server:connections() do
          seen = math.max(seen, ws.buffered)
        end
      end
      -- One above the water mark makes it wait.
      assert.is_true(seen <= high + size, seen)
      bounded(before)
      assert.are.equal(0, server:stats().slow_closed)
      assert.are.equal(0, server:stats().dropped)
      drained(server)
      return finish(server, child)
    end)
    assert.are.equal(silent_n, ended)
    verdict(child)
  end)
end)
