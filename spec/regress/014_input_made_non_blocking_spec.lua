-- Reading standard input in the loop made it non-blocking, and with it what
-- is the same open file: at a terminal everything that is printed, of which
-- large pieces were cut off then.
local process = require "spec.support.process"

describe("reading input in the loop", function()
  it("leaves the descriptor as it was", function()
    local output, status = process.run { "sh", "-c", [[: | lua5.4 -e '
      local core = require "uvwss.core"
      local input = core.input(print)
      os.execute(arg[1])
      input:close()' /dev/null "/usr/bin/python3 -c '
import fcntl, os
print(fcntl.fcntl(0, fcntl.F_GETFL) & os.O_NONBLOCK)'"]] }
    assert.are.equal("0\n", output, status.stderr)
  end)
end)
