local wss = require "uvwss"

-- The names were counted, and then, after a metamethod had added some, written
-- behind the end of the list. Of those that it took away, garbage was read.
describe("the option 'sni'", function()
  local function listening(sni, change, prefix)
    for i = 1, 30 do
      sni[(prefix or "z") .. i] = setmetatable({}, { __index = function(_, name)
        change(sni)
        return name == "cert" and "/nowhere" or nil
      end })
    end
    return wss.listen("wss://127.0.0.1:0", { tls = { cert = "/nowhere",
      sni = sni } })
  end

  it("raises where it grows while it is read", function()
    -- Where Lua goes on in a table that has grown is chance, and may be so near
    -- to its end that there is nothing to see: other names, another chance.
    local raised = 0
    for try = 1, 30 do
      local sni = { ["a.example"] = { cert = "/nowhere" } }
      if not pcall(listening, sni, function(names)
        for i = 1, 300 do names["b" .. i] = { cert = "/nowhere" } end
      end, "z" .. try .. "-") then
        raised = raised + 1
      end
    end
    assert.is_true(raised > 0)
  end)

  it("is what it was found to be where it shrinks", function()
    local s, err = listening({}, function(names)
      for name in pairs(names) do names[name] = nil end
    end)
    assert.is_nil(s)
    assert.are.equal("io", err.kind)
  end)
end)
