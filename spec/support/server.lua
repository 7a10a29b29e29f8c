--- A server of ours in a spec, and raw callers of it.

local client = require "spec.support.client"
local json = require "dkjson"
local process = require "spec.support.process"
local wss = require "uvwss"

local server = {}

-- dkjson takes an empty table for a list; of ours, headers are none.
local function shaped(step)
  for i = 2, #step do
    if type(step[i]) == "table" and not next(step[i]) then
      setmetatable(step[i], { __jsontype = "object" })
    end
  end
  return setmetatable(step, { __jsontype = "array" })
end

local function encoded(scripts)
  for _, script in ipairs(scripts) do
    for _, step in ipairs(script) do shaped(step) end
    setmetatable(script, { __jsontype = "array" })
  end
  return json.encode(setmetatable(scripts, { __jsontype = "array" }))
end

---In steps of a script: a header that is to be left out.
server.none = json.null

---Run the loop until `condition` holds; raises when it never does.
function server.await(condition, what)
  local seconds = 60 * (tonumber(os.getenv "UVWSS_SLOW") or 1)
  local deadline = os.time() + seconds
  while not condition() do
    if os.time() > deadline then
      error((what or "it") .. " never came", 2)
    end
    wss.sleep(0.002)
  end
end

---Raw clients, one for each script, as peers/caller.py tells; the loop runs
---until all have ended. `target` is a server or a path. Returns for each the
---list of its events.
function server.call(target, scripts, options)
  options = options or {}
  local dir <close> = process.directory()
  local file = dir.path .. "/told"
  local command = { "/usr/bin/python3", "spec/support/peers/caller.py",
    ready = false }
  if options.ca then
    table.move({ "--ca", options.ca }, 1, 2, #command + 1, command)
  end
  if type(target) ~= "string" then target = tostring(target.port) end
  for _, word in ipairs { "--", target, file, encoded(scripts) } do
    table.insert(command, word)
  end
  local child <close> = process.start(command)
  local text
  server.await(function()
    text = process.read_file(file)
    return text or child:stderr() ~= ""
  end, "the end of the callers")
  if not text then error("caller.py: " .. child:stderr(), 2) end
  return json.decode(text)
end

---One raw client; returns its events, and the answers among them.
function server.call_one(target, script, options)
  local events = server.call(target, { script }, options)[1]
  local answers = {}
  for _, event in ipairs(events) do
    if event.event == "answer" then answers[#answers + 1] = event end
  end
  return events, answers
end

local listening = {}

---Listen on a port of the kernel's choice, or where `url` says.
function server.listen(options, url)
  local s = assert(wss.listen(url or "ws://127.0.0.1:0", options))
  listening[#listening + 1] = s
  return s
end

---A handler of messages: they go back.
function server.echo(_, ws, data, kind) assert(ws:send(data, kind)) end

---A client that says "hello": what it hears back and itself, or nil and why.
function server.talk(url, options)
  local ws = wss.connect(url, options)
  ws:send "hello"
  local data, err = ws:receive(30)
  ws:close()
  while ws.state ~= "closed" do wss.sleep(0.001) end
  return data, data and ws or err
end

---Close it, see its end through, and look that nothing is left.
function server.finish(s)
  s:close(0)
  wss.run()
  if s.state ~= "closed" then error("it is " .. s.state, 2) end
  collectgarbage()
  client.zero_ledger()
end

---The n-th that was refused, of a list that onrefused fills: a client may know
---before the server does.
function server.refusal(seen, n)
  server.await(function() return seen.refused[n] end, "a refusal")
  return seen.refused[n]
end

---After each spec: what a failed one has left shall not fail the next ones,
---and nothing may be left of one that was good.
function server.clean()
  local left = 0
  wss.onerror = nil
  for _, s in ipairs(listening) do
    if s.state ~= "closed" then
      left = left + 1
      s:close(0)
    end
  end
  listening = {}
  if left > 0 then
    wss.onerror = function() end
    pcall(wss.run)
    wss.onerror = nil
    error(left .. " servers were left", 2)
  end
  collectgarbage()
  client.zero_ledger()
end

return server
