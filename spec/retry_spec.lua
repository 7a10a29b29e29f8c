local retry = require "uvwss.retry"

-- Dice that always show the same.
local function dice(value)
  return function() return value end
end

local lost = { err = { kind = "closed", code = "reset" }, uptime = 0 }

local function delays(policy, count, event)
  local list = {}
  for i = 1, count do list[i] = assert(policy:next(event or lost)) end
  return list
end

describe("retry", function()
  describe("backoff", function()
    it("doubles from half a second to thirty seconds by default", function()
      local policy = retry.new { jitter = false }
      assert.same({ 0.5, 1, 2, 4, 8, 16, 30, 30 }, delays(policy, 8))
    end)

    it("takes min, max and factor from its options", function()
      local policy = retry.new { min = 1, max = 20, factor = 3,
        jitter = false }
      assert.same({ 1, 3, 9, 20, 20 }, delays(policy, 5))
    end)

    it("waits always the same with a factor of 1", function()
      local policy = retry.new { min = 2, factor = 1, jitter = false }
      assert.same({ 2, 2, 2 }, delays(policy, 3))
    end)

    it("spreads over the whole ceiling with jitter", function()
      assert.same({ 0, 0, 0 }, delays(retry.new { random = dice(0) }, 3))
      assert.same({ 0.25, 0.5, 1, 2 },
        delays(retry.new { random = dice(0.5) }, 4))
    end)

    it("throws the dice once for each delay", function()
      local throws = 0
      local policy = retry.new { random = function()
        throws = throws + 1
        return 0.5
      end }
      delays(policy, 7)
      assert.equal(7, throws)
    end)

    it("stays within the ceiling with the dice it brings along", function()
      local policy, ceiling = retry.new(), 0.5
      for _ = 1, 200 do
        local delay = policy:next(lost)
        assert.is_true(delay >= 0 and delay <= ceiling)
        ceiling = math.min(30, ceiling * 2)
      end
    end)

    it("is still finite after very many attempts", function()
      local policy = retry.new { factor = 10, jitter = false }
      local last
      for _ = 1, 5000 do last = policy:next(lost) end
      assert.equal(30, last)
    end)

    it("lets min alone lift the default max", function()
      assert.same({ 60, 60 }, delays(retry.new { min = 60, jitter = false },
        2))
    end)

    it("keeps no hold on the caller's table", function()
      local options = { min = 1, jitter = false }
      local policy = retry.new(options)
      options.min = 7
      assert.equal(1, policy:next(lost))
    end)
  end)

  describe("counting", function()
    it("says how many attempts there were in a row", function()
      local policy = retry.new { jitter = false }
      assert.equal(0, policy.attempt)
      delays(policy, 3)
      assert.equal(3, policy.attempt)
    end)

    it("goes on when the connection was up for less than 'stable'", function()
      local policy = retry.new { jitter = false, stable = 10 }
      delays(policy, 3)
      assert.equal(4, policy:next { err = lost.err, uptime = 9.999 })
    end)

    it("starts again when it was up for 'stable' seconds", function()
      local policy = retry.new { jitter = false, stable = 10 }
      delays(policy, 3)
      assert.equal(0.5, policy:next { err = lost.err, uptime = 10 })
      assert.equal(1, policy.attempt)
      assert.equal(1, policy:next(lost))
    end)

    it("starts again after any connection with a 'stable' of 0", function()
      local policy = retry.new { jitter = false, stable = 0 }
      assert.same({ 0.5, 0.5 }, delays(policy, 2))
    end)

    it("gives up after the attempts it was allowed", function()
      local policy = retry.new { jitter = false, attempts = 2 }
      delays(policy, 2)
      local delay, reason = policy:next(lost)
      assert.is_nil(delay)
      assert.equal("gave up after 2 attempts", reason)
      assert.equal(2, policy.attempt)
    end)

    it("allows them anew after a stable connection", function()
      local policy = retry.new { jitter = false, attempts = 1 }
      delays(policy, 1)
      assert.is_nil((policy:next(lost)))
      assert.equal(0.5, policy:next { err = lost.err, uptime = 11 })
    end)
  end)

  describe("Retry-After", function()
    local function after(seconds, options)
      options.jitter = options.jitter or false
      return retry.new(options):next { retry_after = seconds, err = {
        kind = "upgrade", code = "status", status = 503 } }
    end

    it("is the least that it waits", function()
      assert.equal(7, after(7, {}))
      assert.equal(7, after(7, { jitter = true, random = dice(0.9) }))
    end)

    it("may be longer than max", function()
      assert.equal(120, after(120, { max = 30 }))
    end)

    it("does not shorten the wait", function()
      assert.equal(5, after(1, { min = 5 }))
      assert.equal(5, after(0, { min = 5 }))
    end)

    it("is found in the error too", function()
      assert.equal(9, retry.new():next { err = { kind = "upgrade",
        code = "status", status = 429, retry_after = 9 } })
    end)

    it("is ignored when it is no time to wait", function()
      for _, odd in ipairs { -1, math.huge, 0 / 0 } do
        assert.equal(0.5, after(odd, {}))
      end
    end)
  end)

  describe("giving up", function()
    local function outcome(event)
      return retry.new({ jitter = false }):next(event)
    end

    local function upgrade(status)
      return { err = { kind = "upgrade", code = "status", status = status } }
    end

    it("ends at a certificate error", function()
      for _, code in ipairs { "expired", "hostname_mismatch", "pin_mismatch" }
      do
        local delay, reason = outcome { err = { kind = "certificate",
          code = code } }
        assert.is_nil(delay)
        assert.equal("a certificate does not get better by waiting", reason)
      end
    end)

    it("ends at status 4xx", function()
      for status = 400, 499 do
        if status ~= 408 and status ~= 425 and status ~= 429 then
          local delay, reason = outcome(upgrade(status))
          assert.is_nil(delay)
          assert.equal("the server answered with status " .. status, reason)
        end
      end
    end)

    it("goes on after 408, 425, 429 and every other status", function()
      for _, status in ipairs { 408, 425, 429, 200, 301, 399, 500, 502, 503,
        504, 599 } do
        assert.equal(0.5, outcome(upgrade(status)))
      end
    end)

    it("goes on after an upgrade that failed in another way", function()
      for _, code in ipairs { "bad_accept", "no_upgrade" } do
        assert.equal(0.5, outcome { err = { kind = "upgrade", code = code } })
      end
    end)

    it("ends at the close codes that are final", function()
      for _, code in ipairs { 1000, 1002, 1003, 1007, 1008, 1009, 1010 } do
        local delay, reason = outcome { code = code, uptime = 60 }
        assert.is_nil(delay)
        assert.equal("it was closed with code " .. code, reason)
      end
    end)

    it("ends at a final close code that only the error has", function()
      assert.is_nil((outcome { err = { kind = "protocol", code = "utf8",
        close = 1007 } }))
    end)

    it("goes on after every other close code", function()
      for _, code in ipairs { 1001, 1005, 1006, 1011, 1012, 1013, 1014, 1015,
        3000, 4000, 4999 } do
        assert.equal(0.5, outcome { code = code })
      end
    end)

    it("ends at the user's own close", function()
      local delay, reason = outcome { err = { kind = "closed",
        code = "local" } }
      assert.is_nil(delay)
      assert.equal("it was closed on this side", reason)
    end)

    it("goes on after every other kind of error", function()
      for kind, code in pairs { dns = "ENOTFOUND", connect = "ECONNREFUSED",
        proxy = "refused", tls = "wrong_version_number", timeout = "ping",
        closed = "eof" } do
        assert.equal(0.5, outcome { err = { kind = kind, code = code } })
      end
    end)

    it("does not count what it gave up", function()
      local policy = retry.new { jitter = false }
      policy:next { code = 1000 }
      assert.equal(0, policy.attempt)
    end)
  end)

  describe("misuse", function()
    local function message(options)
      local ok, err = pcall(retry.new, options)
      assert.is_false(ok)
      return err
    end

    it("names an unknown option and the one that was meant", function()
      assert.equal("unknown option 'fator' (did you mean 'factor'?)",
        message { fator = 2 })
      assert.equal("unknown option 'mx' (did you mean 'max'?)",
        message { mx = 2 })
      assert.equal("unknown option 'elephant'", message { elephant = 2 })
      assert.equal("unknown option '1'", message { "min" })
    end)

    it("says what an option must be", function()
      local seconds = "a number of seconds above 0, not "
      assert.equal("option 'min' must be " .. seconds .. "0",
        message { min = 0 })
      assert.equal("option 'min' must be " .. seconds .. "\"1\"",
        message { min = "1" })
      assert.equal("option 'max' must be " .. seconds .. "-1",
        message { max = -1 })
      assert.equal("option 'max' must be " .. seconds .. "inf",
        message { max = math.huge })
      assert.matches("^option 'min' must be .*nan$",
        message { min = 0 / 0 })
      assert.equal("option 'factor' must be a number, 1 or more, not 0.5",
        message { factor = 0.5 })
      assert.equal("option 'jitter' must be a boolean, not 1",
        message { jitter = 1 })
      assert.equal("option 'attempts' must be an integer, 1 or more, not 0",
        message { attempts = 0 })
      assert.equal("option 'attempts' must be an integer, 1 or more, not 1.5",
        message { attempts = 1.5 })
      assert.equal("option 'stable' must be a number of seconds, 0 or more, "
        .. "not -1", message { stable = -1 })
      assert.equal("option 'random' must be a function, not a table",
        message { random = {} })
      assert.equal("option 'outbox' must be \"unsent\" or \"drop\", "
        .. "not \"keep\"", message { outbox = "keep" })
    end)

    it("wants max not below min", function()
      assert.equal("option 'max' (1) must not be below 'min' (2)",
        message { min = 2, max = 1 })
    end)

    it("wants a table or nothing", function()
      assert.equal("options of a retry policy must be a table, not 3",
        message(3))
      assert.has_no.errors(function() retry.new(nil) end)
    end)

    it("blames the caller's line, or that of whoever it speaks for",
      function()
        local here = "spec/retry_spec%.lua:"
        local function caller(level)
          -- No tail call: it would take this line off the stack.
          local policy = retry.new({ min = 0 }, level)
          return policy
        end
        local function outer()
          local policy = caller(2)
          return policy
        end
        local line = debug.getinfo(caller, "S").linedefined + 2
        local _, err = pcall(caller)
        assert.matches(here .. line .. ": option 'min'", err)
        line = debug.getinfo(outer, "S").linedefined + 1
        _, err = pcall(outer)
        assert.matches(here .. line .. ": option 'min'", err)
      end)

    it("accepts every option of the reference", function()
      assert.has_no.errors(function()
        retry.new { min = 0.5, max = 30, factor = 2, jitter = true,
          attempts = 3, stable = 10, outbox = "drop", random = math.random }
      end)
    end)
  end)
end)
