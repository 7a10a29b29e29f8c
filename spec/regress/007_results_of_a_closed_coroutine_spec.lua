local wss = require "uvwss"

-- They were taken off a stack that had nothing on it any more.
describe("wss.run(fn), whose coroutine is closed when it has ended", function()
  local function run(fn)
    return table.pack(pcall(wss.run, function()
      local co = coroutine.running()
      wss.timer(0.01, function() coroutine.close(co) end)
      return fn()
    end))
  end

  it("returns nothing instead of rubbish", function()
    assert.are.same({ true, n = 1 },
      run(function() return 1, 2, 3, 4, 5, 6, 7, 8 end))
  end)

  it("raises its error all the same", function()
    local err = {}
    local result = run(function()
      local co = coroutine.running()
      wss.timer(0, function() coroutine.close(co) end)
      error(err)
    end)
    wss.run()
    assert.are.same({ false, err, n = 2 }, result)
  end)
end)
