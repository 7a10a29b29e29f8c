local process = require "spec.support.process"

local function alive(pid)
  local stat = process.read_file(("/proc/%d/stat"):format(pid))
  return stat ~= nil and not stat:find("^%d+ %b() [ZX]")
end

-- Waits for an event that no pipe tells of, in steps, and not for ever.
local function eventually(condition)
  for _ = 1, 500 do
    if condition() then return true end
    os.execute "sleep 0.01"
  end
  return false
end

local endless = "echo ready 7; exec sleep 1000"

describe("process", function()
  it("gives the port that a child tells, and more numbers if any", function()
    local child <close> = process.start { "sh", "-c",
      "echo noise; echo ready 4711 4712; exec sleep 1000" }
    assert.equal(4711, child.port)
    assert.same({ 4711, 4712 }, child.ports)
  end)

  it("hands on arguments as they are", function()
    local odd = "a b'c\"d\\n$HOME\n*"
    assert.equal(odd .. "|", (process.run { "printf", "%s|", odd }))
  end)

  it("hands on variables", function()
    assert.equal("x 'y'\n", (process.run { "sh", "-c", "echo \"$ODD\"",
      env = { ODD = "x 'y'" } }))
  end)

  it("knows the child by its number", function()
    local child <close> = process.start { "sh", "-c", "echo ready $$; "
      .. "exec sleep 1000" }
    assert.equal(child.pid, child.port)
    assert.is_true(alive(child.pid))
  end)

  it("says how a child ended", function()
    local child <close> = process.start { "sh", "-c",
      "echo ready 1; echo oh >&2; exit 3" }
    local how, code = child:wait()
    assert.same({ "exit", 3, "oh\n" }, { how, code, child:stderr() })
    assert.same({ "exit", 3 }, { child:wait() })
  end)

  it("ends a child that ignores what can be ignored", function()
    local child <close> = process.start { "sh", "-c",
      "trap '' TERM INT HUP; " .. endless }
    local how, signal = child:stop()
    assert.same({ "signal", 9 }, { how, signal })
    assert.is_false(alive(child.pid))
  end)

  it("ends a child that was stopped", function()
    local child <close> = process.start { "sh", "-c", endless }
    assert.is_true(child:signal "STOP")
    child:stop "TERM"
    assert.is_false(alive(child.pid))
  end)

  it("ends a child with the block it was made for", function()
    local pid
    pcall(function()
      local child <close> = process.start { "sh", "-c", endless }
      pid = child.pid
      error "the spec failed"
    end)
    assert.is_false(alive(pid))
  end)

  it("ends a child that was forgotten", function()
    local pid = process.start({ "sh", "-c", endless }).pid
    collectgarbage()
    collectgarbage()
    assert.is_false(alive(pid))
  end)

  it("leaves no child behind when the interpreter is killed", function()
    local script = "local process = require 'spec.support.process' "
      .. "local c = process.start { 'sh', '-c', '" .. endless .. "' } "
      .. "print('ready ' .. c.pid) io.stdout:flush() c:wait()"
    local parent <close> = process.start { "lua5.4", "-e", script }
    assert.is_true(alive(parent.port))
    parent:stop()
    assert.is_true(eventually(function() return not alive(parent.port) end))
  end)

  it("tells what a child that does not get ready has said", function()
    local ok, message = pcall(process.start, { "sh", "-c",
      "echo no such thing >&2; exit 2" })
    assert.is_false(ok)
    assert.equal("sh did not get ready: exit 2\nno such thing\n", message)
  end)

  it("removes a temporary directory with the block it was made for",
    function()
      local path
      do
        local dir <close> = process.directory()
        path = dir.path
        process.write_file(path .. "/x", "y")
        assert.equal("y", process.read_file(path .. "/x"))
      end
      assert.is_nil(process.read_file(path .. "/x"))
    end)
end)
