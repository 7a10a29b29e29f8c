-- A minute of the soak; `make soak` has half an hour.

local process = require "spec.support.process"
local variant = require "spec.support.variant"

describe("the soak", function()
  it("loses nothing that was acknowledged, and leaves nothing behind",
    function()
      -- A sanitizer keeps what was freed for a while.
      local output, status = process.run { "lua5.4", "spec/long/soak.lua",
        "--seconds", variant and 8 or 60, "--clients", variant and 20 or 200,
        "--flat", variant and "no" or "yes" }
      assert.are.equal("exit 0", status.how .. " " .. status.code,
        output .. status.stderr)
      assert.matches("server ledger zero\n", output)
      assert.matches("clients ledger zero\n", output)
      local n = tonumber(output:match "soak: (%d+) messages acknowledged")
      assert.is_true(n > 100, output)
      assert.is_true(tonumber(output:match "losses (%d+)") > 0, output)
      for _, kind in ipairs { "cut", "reset", "hole", "stall" } do
        if not variant then assert.matches(kind .. " [1-9]", output) end
      end
    end)
end)
