-- A short night; `make night` has the long one.

local process = require "spec.support.process"

local under = io.popen "command -v lua5.4":read "l":match "/build/(%l+)/bin/"

describe("the night", function()
  it("leaves nothing behind after 1500 reconnects to a hostile server",
    function()
      local began = os.time()
      -- A sanitizer keeps what was freed for a while: only the ledger, the
      -- descriptors and the threads say something there.
      local output, status = process.run { "lua5.4", "spec/long/night.lua",
        "--count", 1500, "--slack", under and 1 << 40 or 4 << 20 }
      assert.are.equal("exit 0", status.how .. " " .. status.code,
        output .. status.stderr)
      assert.matches("^night: 1500 reconnects of 40 clients", output)
      assert.matches("at most 1 transport of a client; ledger zero\n", output)
      for _, kind in ipairs { "closed/reset", "connect/ECONNREFUSED",
        "upgrade/status", "again" } do
        assert.matches(kind .. " %d", output)
      end
      -- Three seconds, where nothing else runs.
      local slow = tonumber(os.getenv "UVWSS_SLOW") or 1
      assert.is_true(os.time() - began <= 60 * slow * (under and 4 or 1))
    end)
end)
