--- Runs the command as a user would.

local json = require "dkjson"
local process = require "spec.support.process"

local command = {}

-- Nothing here takes long; what hangs shall fail.
local function words(list)
  return { "timeout", "--foreground", "120", "bin/uvwss", table.unpack(list) }
end

---Run `uvwss WORDS…` to its end with `input` as its standard input (a string).
---@return string output
---@return { code: integer, stderr: string, how: string } status
function command.run(list, input)
  local dir <close> = process.directory()
  local full = words(list)
  if input then
    full.stdin = process.write_file(dir.path .. "/input", input)
  end
  return process.run(full)
end

---The same; every line of output is JSON.
---@return table[] objects
---@return table status
function command.json(list, input)
  local output, status = command.run(list, input)
  local objects = {}
  for line in output:gmatch "[^\n]+" do
    objects[#objects + 1] = assert(json.decode(line))
  end
  return objects, status
end

---Run words of a shell, in which "$@" is the command.
function command.shell(script, list)
  return process.run { "sh", "-c", script, "sh", table.unpack(words(list)) }
end

local Typist = {}
Typist.__index = Typist

---The command on a terminal of its own. `typist:type(text)`, `typist:await
---(text)` (what was shown up to it), `typist:wait()` (its exit status).
function command.on_terminal(list)
  local dir = process.directory()
  local fifo, line = dir.path .. "/keys", {}
  assert(os.execute("mkfifo " .. fifo))
  -- For writing and reading, so that opening it waits for nobody.
  local keys = assert(io.open(fifo, "r+"))
  keys:setvbuf "no"
  for i, word in ipairs(words(list)) do line[i] = process.quoted(word) end
  local child = process.start { "script", "-qefc", table.concat(line, " "),
    "/dev/null", stdin = fifo, ready = false }
  return setmetatable({ dir = dir, keys = keys, child = child, shown = "" },
    Typist)
end

function Typist:type(text)
  assert(self.keys:write(text))
end

function Typist:await(text)
  while not self.shown:find(text, 1, true) do
    local more = self.child.pipe:read(1)
    assert(more, "never shown: " .. text .. "\n" .. self.shown)
    self.shown = self.shown .. more
  end
  local before = self.shown
  self.shown = ""
  return before
end

function Typist:wait()
  local rest = self.shown .. self.child.pipe:read "a"
  local _, code = self.child:wait()
  return code, rest
end

function Typist:close()
  self.child:stop()
  self.keys:close()
  self.dir:remove()
end
Typist.__close = Typist.close

return command
