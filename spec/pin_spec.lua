-- The long proof (spec/long/pin.lua, `make pin`), with fewer messages; and
-- that it fails where the strings are not held.

local process = require "spec.support.process"

-- The instrument is told from what `lua5.4` is here (tools/env).
local where = io.popen "command -v lua5.4":read "l"
local under = where:match "/build/(%l+)/bin/"

-- A sanitizer's own memory (shadow, quarantine) is not ours, and valgrind's
-- even less: there, only digests and ledger are compared.
local work = ({
  asan = { count = 40, slack = 1 << 40 },
  valgrind = { count = 8, slack = 1 << 40 },
})[under] or { count = 120, slack = 8 << 20 }

-- glibc raises the size from which on it maps blocks whenever it frees one,
-- up to 32 MiB, and then keeps freed strings on its own heap. Setting the size
-- switches that off, so that what is resident is what is in use.
local function pin(peer, env, interpreter, count)
  env.MALLOC_MMAP_THRESHOLD_ = 65536
  return process.run { interpreter or "lua5.4", "spec/long/pin.lua",
    "--peer", peer, "--count", count or work.count, "--slack", work.slack,
    "--max", under == "valgrind" and 1 << 20 or 4 << 20, env = env }
end

local function asserts(peer, code)
  local output, status = pin(peer, {})
  local said = output .. status.stderr
  assert.are.equal("exit 0", status.how .. " " .. status.code, said)
  assert.matches("^pin: " .. work.count .. " messages, ", output)
  assert.is_truthy(output:find("to " .. peer .. "; 0 wrong;", 1, true))
  assert.matches("ledger zero; closed " .. (code or 1000) .. " nil\n$", output)
end

describe("strings in the send queue", function()
  it("reach python-websockets whole though nobody else holds them #valgrind",
    function() asserts "echo" end)

  it("reach ws on Node whole though nobody else holds them",
    function() asserts "node" end)

  it("of a server reach python-websockets whole, three clients from one pin "
    .. "#valgrind", function() asserts("guests", 1001) end)

  it("would not, without the pin: this test can fail", function()
    -- Always in the plain interpreter: a sanitizer's quarantine would keep
    -- what was freed as it was.
    local cpath = "./build/nopin/?.so;;"
    local built = process.read_file "build/nopin/uvwss/core.so"
    assert.is_truthy(built, "make VARIANT=nopin files")
    local output, status = pin("echo", { LUA_CPATH = cpath },
      "/usr/bin/lua5.4", 60)
    assert.is_false(status.how == "exit" and status.code == 0, output)
    if status.how == "exit" and status.code < 128 then
      assert.matches("message %d+: %x+ %d+, not %x+ %d+", status.stderr)
    end
  end)
end)
