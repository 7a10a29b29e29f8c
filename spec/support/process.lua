--- Child processes for specs, with nothing but what Lua brings along.
--
--   local peer <close> = process.start { "python3", "peer.py", "--tls" }
--   peer.port       -- from the line `ready PORT` on its standard output
--   peer:line()     -- its next line there
--   peer:signal "STOP"
--   peer:stop()     -- ended and waited for; also at <close> and collection
--
-- A child never outlives the process that started it, however that one ends:
-- the kernel kills it then (setpriv --pdeathsig).

local process = {}

local Child = {}
Child.__index = Child

local function quoted(s)
  return "'" .. tostring(s):gsub("'", "'\\''") .. "'"
end
process.quoted = quoted

local function words(command)
  local list = {}
  for i, word in ipairs(command) do list[i] = quoted(word) end
  return table.concat(list, " ")
end

local function environment(env)
  local list = {}
  for name, value in pairs(env or {}) do
    list[#list + 1] = name .. "=" .. quoted(value)
  end
  table.sort(list)
  return #list > 0 and "env " .. table.concat(list, " ") .. " " or ""
end

---The text of a file, or nil.
function process.read_file(name)
  local file = io.open(name, "rb")
  if not file then return nil end
  local text = file:read "a"
  file:close()
  return text
end

function process.write_file(name, text)
  local file = assert(io.open(name, "wb"))
  assert(file:write(text))
  assert(file:close())
  return name
end

local Directory = {}
Directory.__index = Directory
Directory.__name = "spec.support.Directory"

---A new empty directory; its `path` goes with it at <close> or collection.
function process.directory()
  local pipe = assert(io.popen "mktemp -d")
  local path = pipe:read "l"
  assert(pipe:close() and path, "no temporary directory")
  return setmetatable({ path = path }, Directory)
end

function Directory:remove()
  if self.path then os.execute("rm -rf " .. quoted(self.path)) end
  self.path = nil
end
Directory.__close = Directory.remove
Directory.__gc = Directory.remove

---Start `command`: a list of words, and
---  env    variables for it
---  stdin  a file for its standard input (/dev/null)
---  ready  the pattern of the line to wait for, its captures numbers
---         ("^ready (%d+)"), or false not to wait
---Raises, with what the child wrote to standard error, if that line does not
---come.
function process.start(command)
  local errors = os.tmpname()
  local pipe = assert(io.popen(("exec setpriv --pdeathsig KILL -- %ssh -c "
    .. "'echo $$; exec \"$@\"' sh %s <%s 2>%s"):format(
      environment(command.env), words(command),
      quoted(command.stdin or "/dev/null"), quoted(errors)), "r"))
  local child = setmetatable({ pipe = pipe, errors = errors }, Child)
  child.pid = math.tointeger(tonumber(pipe:read "l"))
  local ready = command.ready
  if ready == nil then ready = "^ready (%d+)" end
  if not child.pid then
    child:fail(command[1] .. " could not be started")
  elseif ready then
    child:await(ready, command[1])
  end
  return child
end

function Child:fail(why)
  self:stop()
  error(("%s: %s %s\n%s"):format(why, self.how, self.code, self.said), 0)
end

---Read lines up to one that matches; its captures become `ports`.
function Child:await(pattern, name)
  for line in self.pipe:lines() do
    local found = table.pack(line:match(pattern))
    if found[1] then
      self.ports = {}
      for word in line:gmatch "%f[%w]%d+%f[%W]" do
        self.ports[#self.ports + 1] = math.tointeger(tonumber(word))
      end
      self.port = math.tointeger(tonumber(found[1]))
      return
    end
  end
  self:fail((name or "the child") .. " did not get ready")
end

---The next line of its standard output; nil at the end. Blocks.
function Child:line()
  return self.pipe and self.pipe:read "l"
end

---What it has written to standard error so far.
function Child:stderr()
  return self.said or process.read_file(self.errors) or ""
end

---Send a signal by its name; true if the process was there.
function Child:signal(name)
  return self.pipe ~= nil and self.pid ~= nil
    and os.execute(("kill -%s %d 2>/dev/null"):format(name, self.pid)) == true
end

---Wait for its end: `"exit"` or `"signal"`, and the status or the number.
function Child:wait()
  if self.pipe then
    local pipe = self.pipe
    self.pipe = nil
    local _, how, code = pipe:close()
    self.how, self.code = how, code
    self.said = process.read_file(self.errors) or ""
    os.remove(self.errors)
  end
  return self.how, self.code
end

---End it, with a signal it cannot refuse unless another is named, and wait.
function Child:stop(name)
  if self.pipe and self.pid then
    self:signal(name or "KILL")
    -- One that was stopped takes no other signal before it goes on.
    self:signal "CONT"
  end
  return self:wait()
end
Child.__close = function(self) self:stop() end
Child.__gc = function(self) self:stop() end

---Run a command to its end. Returns its standard output, and a table with
---`how`, `code` and `stderr`.
function process.run(command)
  local copy = { ready = false, env = command.env, stdin = command.stdin,
    table.unpack(command) }
  local child = process.start(copy)
  local output = child.pipe:read "a"
  child:wait()
  return output, { how = child.how, code = child.code, stderr = child.said }
end

---The number of this process and the moment it began, as one word that no
---other process ever had.
function process.identity()
  local stat = assert(process.read_file "/proc/self/stat")
  local fields = {}
  for field in stat:gsub("^.*%) ", ""):gmatch "%S+" do
    fields[#fields + 1] = field
  end
  return stat:match "^%d+" .. "-" .. fields[20]
end

return process
