local wss = require "uvwss"

-- 2^32 + 1 was taken for 1.
describe("a number far above an option's range", function()
  it("raises", function()
    assert.has_error(function()
      wss.connect("ws://127.0.0.1:1", { redirects = (1 << 32) + 1 })
    end, "option 'redirects': at most 20")
    assert.has_error(function()
      wss.tls { max_depth = (1 << 32) + 1 }
    end, "option 'max_depth': at most 100")
  end)
end)
