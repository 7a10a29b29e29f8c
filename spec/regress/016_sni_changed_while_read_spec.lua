local wss = require "uvwss"

-- The names were counted, and then, after a metamethod had added some, written
-- behind the end of the list. Of those that it took away, garbage was read.
describe("the option 'sni'", function()
  local function listening(sni, change)
    for i = 1, 30 do
      sni["z" .. i] = setmetatable({}, { __index = function(_, name)
        change(sni)
        return name == "cert" and "/nowhere" or nil
      end })
    end
    return wss.listen("wss://127.0.0.1:0", { tls = { cert = "/nowhere",
      sni = sni } })
  end

  it("raises where it grows while it is read", function()
    local sni = { ["a.example"] = { cert = "/nowhere" } }
    local ok = pcall(listening, sni, function(names)
      for i = 1, 300 do names["b" .. i] = { cert = "/nowhere" } end
    end)
    assert.is_false(ok)
  end)

  it("is what it was found to be where it shrinks", function()
    local s, err = listening({}, function(names)
      for name in pairs(names) do names[name] = nil end
    end)
    assert.is_nil(s)
    assert.are.equal("io", err.kind)
  end)
end)
