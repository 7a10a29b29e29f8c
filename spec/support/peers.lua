--- The peers of spec/support/peers, one function each. All return a child of
-- spec.support.process with its `port`; all listen on 127.0.0.1.

local json = require "dkjson"
local process = require "spec.support.process"

local peers = {}
local here = "spec/support/peers/"
local python = "/usr/bin/python3"

-- { mode = "sha", close_after = 3, deflate = true } to words of a command.
-- A list repeats its option; `tls` and `cert`/`key` are the caller's.
local function flags(command, options)
  local names = {}
  for name in pairs(options) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    local value, flag = options[name], "--" .. name:gsub("_", "-")
    if value == true then
      table.insert(command, flag)
    elseif value ~= false then
      for _, one in ipairs(type(value) == "table" and value or { value }) do
        table.insert(command, flag)
        table.insert(command, tostring(one))
      end
    end
  end
  return command
end

-- Take `tls = { cert =, key = }` out of a copy of the options.
local function split(options)
  local copy = {}
  for name, value in pairs(options or {}) do copy[name] = value end
  local tls = copy.tls
  copy.tls = nil
  return tls, copy
end

local function with_tls(command, options)
  local tls, others = split(options)
  if tls then
    for _, word in ipairs { "--tls", tls.cert, tls.key } do
      table.insert(command, word)
    end
  end
  return flags(command, others)
end

---python3-websockets. Options as echo.py lists them, with `_` for `-`, and
---`tls = { cert =, key = }`, which is what `certs "server"` returns.
function peers.echo(options)
  return process.start(with_tls({ python, here .. "echo.py" }, options))
end

---`ws` on Node: modes echo, sha and slow.
function peers.node(options)
  local tls, others = split(options)
  others.cert, others.key = tls and tls.cert, tls and tls.key
  return process.start(flags({ "node", here .. "echo.js" }, others))
end

-- Made once, and again when its source is newer. Who comes meanwhile waits, and
-- finds it made.
local gorilla <const> = "build/peers/gorilla"
function peers.build_gorilla()
  local source = here .. "gorilla.go"
  assert(os.execute "mkdir -p build/peers")
  local output, status = process.run { "flock", "build/peers", "sh", "-ec",
    'test "$2" -nt "$1" || { GO111MODULE=off GOPATH=/usr/share/gocode '
      .. 'GOCACHE="$PWD/build/peers/go" go build -o "$2.new" "$1"; '
      .. 'mv "$2.new" "$2"; }', "sh", source, gorilla }
  if status.how ~= "exit" or status.code ~= 0 then
    error("the gorilla peer cannot be built:\n" .. output .. status.stderr, 0)
  end
  return gorilla
end

---gorilla/websocket, an echo that compresses; `tls` is the only option.
function peers.gorilla(options)
  local tls = split(options)
  return process.start { peers.build_gorilla(), "serve", tls and tls.cert,
    tls and tls.key }
end

---What a peer tells of itself: its counts, a step of a script, …
---@return table|nil
function peers.told(child)
  local line = child:line()
  return line and assert(json.decode(line))
end

---Wait, and let nothing else go on here, until a script of `raw` has ended.
function peers.until_ended(child)
  while peers.told(child).event ~= "end" do end
end

---The counts of an echo or of chaos.
function peers.counts(child, signal)
  child:signal(signal or "USR1")
  return peers.told(child)
end

---A hostile peer. `scripts` has one script for each connection, as raw.py
---tells; options are `tls`, `client_ca`, `tls_version`, `weak`, `alpn`, `host`.
function peers.raw(scripts, options)
  local command = with_tls({ python, here .. "raw.py" }, options)
  for _, script in ipairs(scripts) do
    for _, step in ipairs(script) do
      -- An empty table of headers or options is an object.
      for i = 2, #step do
        if type(step[i]) == "table" and not next(step[i]) then
          step[i] = setmetatable({}, { __jsontype = "object" })
        end
      end
      setmetatable(step, { __jsontype = "array" })
    end
    setmetatable(script, { __jsontype = "array" })
  end
  table.insert(command, "--")
  table.insert(command, json.encode(scripts))
  return process.start(command)
end

---In steps of `raw`: a header that is to be left out.
peers.none = json.null

---A port on which connecting is refused, for as long as the child lives.
function peers.refuse()
  return process.start { python, here .. "raw.py", "--refuse" }
end

---The server of the night test; options as chaos.py lists them.
function peers.chaos(options)
  return process.start(with_tls({ python, here .. "chaos.py" }, options))
end

-- A program with a directory of its own, which goes with it. Another process
-- may have taken its port: then there is a second try and a third.
local function launched(pattern, ...)
  local child, problem
  for _ = 1, 3 do
    local dir = process.directory()
    local command = { python, here .. "launch.py", ready = pattern }
    for _, word in ipairs { (...), dir.path, select(2, ...) } do
      table.insert(command, tostring(word))
    end
    local ok
    ok, child = pcall(process.start, command)
    if ok then
      child.dir = dir.path
      child.directory = dir
      return child
    end
    problem = child .. (process.read_file(dir.path .. "/log") or "")
  end
  error(problem, 0)
end

---nginx that ends TLS in front of `backend`, a port.
function peers.nginx(tls, backend, client_ca)
  return launched(nil, "nginx", tls.cert, tls.key, backend, client_ca)
end

---nats-server: `port` speaks NATS over wss, `ports[2]` NATS over TCP.
function peers.nats(tls, client_ca)
  return launched(nil, "nats", tls.cert, tls.key, client_ca)
end

---websocketd: every message is a line for the command, a `cat` unless words
---follow, and every line that it prints a message; in the mode "binary" bytes
---are what they are.
function peers.websocketd(tls, mode, ...)
  return launched(nil, "websocketd", tls.cert, tls.key, mode or "text", ...)
end

---mitmproxy as an HTTP proxy; `ca` is its authority's certificate.
function peers.mitmproxy(account)
  local child = launched(nil, "mitmproxy", account)
  child.ca = child.dir .. "/mitmproxy-ca-cert.pem"
  return child
end

return peers
