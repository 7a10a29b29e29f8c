local wss = require "uvwss"

-- The loop had gone on to wait for the next event, a minute away.
describe("a timer that is due when the loop starts", function()
  local function run(fn)
    local began = os.time()
    local timer = wss.timer(0, fn, 60)
    local ok, err = pcall(wss.run)
    timer:cancel()
    return os.time() - began < 30, ok, err
  end

  it("can stop the loop at once", function()
    local soon, ok = run(function() wss.stop() end)
    assert.is_true(soon)
    assert.is_true(ok)
  end)

  it("raises out of the loop at once", function()
    local err = {}
    local soon, ok, raised = run(function() error(err) end)
    assert.is_true(soon)
    assert.is_false(ok)
    assert.are.equal(err, raised)
  end)
end)
