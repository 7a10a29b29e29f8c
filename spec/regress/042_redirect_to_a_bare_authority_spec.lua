-- "10.0.0.1:8080/x" is no URL, for it has no scheme, and no path either (RFC
-- 3986, 4.2: no ":" in the first segment). It was taken for one of the server
-- that said it.

local server = require "spec.support.server"
local wss = require "uvwss"

describe("a redirect to an address without a scheme", function()
  after_each(server.clean)

  local function follow(location)
    local asked, closed = {}, nil
    local s = server.listen {
      onrequest = function(_, request)
        asked[#asked + 1] = request.path
        return 404
      end,
      onupgrade = function(_, request)
        asked[#asked + 1] = request.path
        return false, 302, { location = location }
      end,
    }
    local ws = wss.connect(s.url, { redirects = 1 })
    function ws:onclose(_, _, err) closed = err or true end
    server.await(function() return closed end)
    s:close(0)
    server.await(function() return wss.stats().servers == 0 end)
    return asked, closed
  end

  it("is not followed", function()
    for _, location in ipairs { "10.0.0.1:8080/x", ":8080/x", "1a:b" } do
      local asked, err = follow(location)
      assert.are.same({ "/" }, asked)
      assert.are.equal("redirect", err.code)
    end
  end)

  it("is one to a path where that says so", function()
    assert.are.same({ "/", "/10.0.0.1:8080/x" }, (follow "./10.0.0.1:8080/x"))
  end)
end)
