-- Many connections of one server; `make crowd` has it alone.

local process = require "spec.support.process"

local variant = require "spec.support.variant"

describe("a server", function()
  it("holds 10,000 idle wss connections, and closes all with 1001", function()
    local count = variant and 100 or 10000
    local output, status = process.run { "sh", "-c",
      'ulimit -n $(($1 + 100)) && exec lua5.4 spec/long/crowd.lua --count $1',
      "sh", count }
    assert.are.equal("exit 0", status.how .. " " .. status.code,
      output .. status.stderr)
    local each = tonumber(output:match "connections, ([%d.]+) KiB")
    assert.matches("one broadcast to all, all closed with 1001", output)
    -- A sanitizer's memory is its own.
    assert.is_truthy(variant or each < 40, output)
  end)
end)
