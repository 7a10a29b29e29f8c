--- Clients that are not ours. Each takes a course, a list of visits as
-- peers/visitor.py tells, and returns what came of them in the same order:
--
--   visitors.python(url, course)   python3-websockets
--   visitors.node(url, course)     `ws` on Node
--   visitors.beast(url, course)    Boost.Beast
--   visitors.gorilla(url, course)  gorilla/websocket, which knows few words
--   visitors.openssl(url, course)  `openssl s_client`, of each visit one `say`
--   visitors.chromium(page, ca)    a browser, which is a child, see below
--
-- The loop runs meanwhile. A visitor that is not installed is a failure.

local json = require "dkjson"
local peers = require "spec.support.peers"
local process = require "spec.support.process"
local server = require "spec.support.server"

local visitors = {}
local here = "spec/support/peers/"
local source, beast = here .. "visitor.cpp", "build/peers/visitor"

-- Made once, and again when its source is newer.
local function build_beast()
  if os.execute(("test %s -nt %s"):format(beast, source)) then return end
  assert(os.execute "mkdir -p build/peers")
  -- Not optimized: that takes a minute, and this ten seconds. Who comes
  -- meanwhile waits, and finds it made.
  local output, status = process.run { "flock", "build/peers", "sh", "-ec",
    'test "$2" -nt "$1" || { g++ -std=c++17 -O0 -o "$2.new" "$1" -lssl '
      .. '-lcrypto -lpthread; mv "$2.new" "$2"; }', "sh", source, beast }
  if status.how ~= "exit" or status.code ~= 0 then
    error("the Beast client cannot be built:\n" .. output .. status.stderr, 0)
  end
end

-- It ended, and nobody has waited for it.
local function gone(child)
  local stat = process.read_file(("/proc/%d/stat"):format(child.pid))
  return not stat or stat:match "^.*%) (%u)" == "Z"
end

-- A table without entries is a list: courses have no empty objects.
local function run(words, url, course)
  local dir <close> = process.directory()
  local file = dir.path .. "/told"
  local command = { ready = false, table.unpack(words) }
  table.move({ url, file, json.encode(course) }, 1, 3, #command + 1, command)
  local child <close> = process.start(command)
  local text
  server.await(function()
    local over = gone(child)
    text = process.read_file(file)
    return text or over
  end, words[#words] .. "'s result")
  if not text then child:fail(words[#words] .. " told nothing") end
  return json.decode(text)
end

function visitors.python(url, course)
  return run({ "/usr/bin/python3", here .. "visitor.py" }, url, course)
end

function visitors.node(url, course)
  return run({ "node", here .. "visitor.js" }, url, course)
end

function visitors.beast(url, course)
  build_beast()
  return run({ beast }, url, course)
end

function visitors.gorilla(url, course)
  return run({ peers.build_gorilla(), "visit" }, url, course)
end

---A masked frame as one can type it: the mask is nothing but zeros.
function visitors.frame(opcode, payload)
  return string.char(0x80 | opcode, 0x80 | #payload) .. "\0\0\0\0" .. payload
end

---A request for an upgrade, with the key of RFC 6455, 1.3.
function visitors.upgrade(path)
  return ("GET %s HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
    .. "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    .. "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"):format(path)
end

-- Begin `openssl s_client` with an input; a function that awaits its end and
-- returns what it showed.
local function s_client(port, words, input)
  local dir = process.directory()
  local command = { "sh", "-c", 'exec "$@" >"$0" 2>&1', dir.path .. "/shown",
    "openssl", "s_client", "-connect", "127.0.0.1:" .. port, "-nocommands",
    "-ign_eof", ready = false,
    stdin = process.write_file(dir.path .. "/input", input) }
  table.move(words, 1, #words, #command + 1, command)
  local child = process.start(command)
  return function()
    server.await(function() return gone(child) end, "the end of s_client")
    child:stop()
    local shown = process.read_file(dir.path .. "/shown")
    dir:remove()
    return shown
  end
end

-- Asks for an upgrade, says something, and goodbye.
local function typed(said)
  return visitors.upgrade "/" .. visitors.frame(1, said)
    .. visitors.frame(8, "\x03\xe8")
end

-- The text that came back, behind the answer's head.
local function answer_in(shown)
  local at = select(2, shown:find "\r\n\r\n\x81")
  return at and string.unpack("s1", shown, at + 1)
end

---`openssl s_client` with these words, to the end of a short conversation.
---@return string shown what it printed
---@return string|nil answer to what was `said`
function visitors.s_client(port, words, said)
  local shown = s_client(port, words, typed(said or "x"))()
  return shown, answer_in(shown)
end

local Typist = {}
Typist.__index = Typist

function Typist:type(text) assert(self.keys:write(text)) end

---All that was shown so far, once 'text' is in it.
function Typist:await(text)
  local shown
  server.await(function()
    shown = process.read_file(self.dir.path .. "/shown") or ""
    return shown:find(text, 1, true)
  end, ("%q"):format(text))
  return shown
end

function Typist:__close()
  self.child:stop()
  self.keys:close()
  self.dir:remove()
end

---`openssl s_client` with somebody at its keys, to be closed.
function visitors.typist(port, words)
  local dir = process.directory()
  local fifo = dir.path .. "/keys"
  assert(os.execute("mkfifo " .. fifo))
  -- For writing and reading, so that opening it waits for nobody.
  local keys = assert(io.open(fifo, "r+"))
  keys:setvbuf "no"
  local command = { "sh", "-c", 'exec "$@" >"$0" 2>&1', dir.path .. "/shown",
    "openssl", "s_client", "-connect", "127.0.0.1:" .. port,
    stdin = fifo, ready = false }
  table.move(words, 1, #words, #command + 1, command)
  return setmetatable({ dir = dir, keys = keys,
    child = process.start(command) }, Typist)
end

function visitors.openssl(url, course)
  local port, ends, told = url:match ":(%d+)$", {}, {}
  for i, visit in ipairs(course) do
    local words = { "-servername", "localhost", "-CAfile", visit.ca,
      "-verify_return_error", "-tls" .. visit.version:gsub("%.", "_") }
    if visit.cert then
      table.move({ "-cert", visit.cert, "-key", visit.key, "-cert_chain",
        visit.cert }, 1, 6, #words + 1, words)
    end
    ends[i] = s_client(port, words, typed(visit.steps[1][2]))
  end
  for i, wait in ipairs(ends) do
    local shown = wait()
    local answer = answer_in(shown)
    told[i] = { steps = { answer }, error = not answer and shown or nil }
  end
  return told
end

---The page that makes visits, for a browser.
visitors.page = here .. "visitor.html"

-- A home in which 'ca' is trusted, as NSS has it.
local function home(ca)
  local dir = process.directory()
  local store = dir.path .. "/.pki/nssdb"
  local output, status = process.run { "sh", "-ec", [[
    mkdir -p "$1"
    certutil -d "sql:$1" -N --empty-password
    [ -z "$2" ] || certutil -d "sql:$1" -A -n ours -t C,, -i "$2"]],
    "sh", store, ca or "" }
  if status.how ~= "exit" or status.code ~= 0 then
    error("certutil failed:\n" .. output .. status.stderr, 0)
  end
  return dir
end

local Browser = {}
Browser.__index = Browser

-- Killed at once it would leave helpers behind that still write files. They
-- have its output, which ends when the last one has gone.
function Browser:stop()
  if self.child:signal "TERM" then self.child.pipe:read "a" end
  self.child:stop()
  self.home:remove()
end
Browser.__close = Browser.stop

---Chromium, showing `url`, that trusts `ca` (a file, or nil) besides the
---authorities that it brings along.
function visitors.chromium(url, ca)
  local dir = home(ca)
  local child = process.start { "timeout", "--foreground", "-k", "10", "600",
    "setpriv", "--pdeathsig", "KILL", "--",
    "chromium", "--headless", "--no-sandbox", "--disable-gpu",
    "--disable-dev-shm-usage", "--no-first-run", "--disable-breakpad",
    -- Nobody but us is asked for anything.
    "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND, "
      .. "EXCLUDE localhost",
    "--remote-debugging-port=0", "--user-data-dir=" .. dir.path .. "/profile",
    url, ready = false, env = { HOME = dir.path,
      XDG_CONFIG_HOME = dir.path .. "/config",
      XDG_CACHE_HOME = dir.path .. "/cache" } }
  return setmetatable({ child = child, home = dir }, Browser)
end

return visitors
