-- Every fault of spec/support/proxy.lua, at many places of a conversation, in
-- both directions, with and without TLS, between a client and a server of ours.

local certs = require "spec.support.certs"
local process = require "spec.support.process"
local proxy = require "spec.support.proxy"
local variant = require "spec.support.variant"
local wss = require "uvwss"

local seconds = 60 * (tonumber(os.getenv "UVWSS_SLOW") or 1)
local identity = certs "server"
local trusting = assert(wss.tls { ca = certs.ca })

local kinds = { "none", "refuse", "cut", "reset", "half", "hole", "stall",
  "flip", "delay", "dribble" }
-- Within each record and flight of a handshake, the request, frames and what
-- follows them.
local offsets = variant and { 0, 100, 700, 1300, 3000, 20000 } or {
  0, 1, 3, 4, 5, 6, 20, 80, 150, 200, 250, 300, 400, 517, 600, 700, 800, 900,
  1000, 1100, 1200, 1300, 1500, 1700, 1900, 2100, 2500, 3000, 4000, 6000,
  15000, 20000, 30000, 44000, 44500 }

-- Each its own, and none the beginning of another.
local said = {}
for i, size in ipairs { 10, 3000, 40000, 1 } do
  said[i] = ("%d "):format(i) .. ("abcdefg"):rep(size // 7)
end

-- Longer than what is only slow takes, on a machine that is busy.
local patience_s = 3 * (tonumber(os.getenv "UVWSS_SLOW") or 1)
local limits = { ping_interval = 0.5, ping_timeout = patience_s,
  close_timeout = patience_s }

local function with_limits(options)
  for name, value in pairs(limits) do options[name] = value end
  return options
end

local function word(err, code)
  return err and err.kind .. " " .. err.code or "clean " .. code
end

-- ---- one conversation ---------------------------------------------------------

-- The client says everything at once, the server sends it back, and then the
-- client closes.
local function converse(run, url)
  run.got, run.outcomes = {}, {}
  local ws
  ws = wss.connect(url, with_limits {
    tls = trusting, open_timeout = patience_s, headers = { ["X-Run"] = tostring(run.number) },
    onmessage = function(self, data)
      run.got[#run.got + 1] = data
      if #run.got == #said then self:close() end
    end,
    onclose = function(_, code, _, err)
      assert(not run.ended, "onclose was called twice")
      run.ended = word(err, code)
    end,
  })
  for i, data in ipairs(said) do
    assert(ws:send(data, "text", function(_, outcome)
      assert(not run.outcomes[i], "done was called twice")
      run.outcomes[i] = outcome
    end))
  end
end

local function start_server(scheme, runs)
  local url = scheme .. "://127.0.0.1:0"
  return assert(wss.listen(url, with_limits {
    tls = scheme == "wss" and { cert = identity.cert, key = identity.key }
      or nil,
    handshake_timeout = patience_s,
    onupgrade = function(_, request)
      return true
        and (runs[tonumber(request.headers["x-run"])] ~= nil or false)
    end,
    onopen = function(_, ws)
      local run = runs[tonumber(ws.request.headers["x-run"])]
      run.heard, run.there = {}, ws
    end,
    onmessage = function(_, ws, data)
      local run = runs[tonumber(ws.request.headers["x-run"])]
      run.heard[#run.heard + 1] = data
      ws:send(data)
    end,
    onclose = function(_, ws, code, _, err)
      local run = runs[tonumber(ws.request.headers["x-run"])]
      run.there_ended = word(err, code)
    end,
  }))
end

-- All faults at all places; each waits only for its connection to be taken.
local function run_all(scheme)
  local runs = {}
  local server = start_server(scheme, runs)
  local faulty <close> = proxy.start(server.port)
  wss.run(function()
    for _, kind in ipairs(kinds) do
      for _, direction in ipairs { "up", "down" } do
        for _, offset in ipairs(offsets) do
          local run = { kind = kind, direction = direction, offset = offset,
            number = #runs + 1 }
          runs[run.number] = run
          local number = kind == "delay" and 20 or 997
          assert(faulty:order(("fault %s %s %d %d"):format(kind, direction,
            offset, number)) == "ok")
          converse(run, ("%s://localhost:%d/"):format(scheme, faulty.port))
          repeat wss.sleep(0) until faulty:stats().accepted >= run.number
        end
      end
    end
    local patience = os.time() + seconds
    local function over()
      for _, run in ipairs(runs) do
        if not run.ended or (run.there and not run.there_ended) then
          return false
        end
      end
      return true
    end
    while not over() and os.time() < patience do wss.sleep(0.05) end
    server:close(0)
  end)
  return runs, faulty:stats()
end

-- ---- what must hold -------------------------------------------------------------

-- What a broken network may be called: that it ended or broke, or that nothing
-- came in time, by either end's patience; never that the peer did wrong.
local gone = { "^closed eof$", "^closed reset$", "^closed remote$",
  "^tls unexpected_eof_while_reading$", "^timeout %l+$", "^clean 1000$" }
local broken = { cut = gone, reset = gone, half = gone, hole = gone,
  stall = gone,
  refuse = { "^connect ECONNRESET$", "^closed reset$", "^closed eof$",
    "^tls unexpected_eof_while_reading$" },
  -- In the handshake a wrong byte may be an alert of either side, of many
  -- kinds; bytes that a wrong length announced end in time, too.
  flip = { "^tls [%l%d_]+$", "^certificate [%l%d_]+$", "^timeout %l+$",
    "^closed reset$", "^closed eof$" } }
-- Nothing protects what is not encrypted: whatever either end makes of it.
local flipped = { "^%l+ [%w_]+$", "^clean %d+$" }

local function is_one_of(text, patterns)
  for _, pattern in ipairs(patterns) do
    if text:find(pattern) then return true end
  end
  return false
end

local function is_beginning(list)
  for i, data in ipairs(list) do
    if data ~= said[i] then return false end
  end
  return true
end

local function label_of(run, scheme)
  return ("%s %s %d over %s: %s here, %s there"):format(run.kind,
    run.direction, run.offset, scheme, run.ended, run.there_ended)
end

local function check(run, scheme)
  local label = label_of(run, scheme)
  local spoilt = run.kind == "flip" and scheme == "ws"
  assert(run.ended, label)
  if run.kind == "none" or run.kind == "delay" or run.kind == "dribble" then
    assert.are.equal("clean 1000", run.ended, label)
    assert.are.equal("clean 1000", run.there_ended, label)
    assert.are.equal(#said, #run.got, label)
  end
  if spoilt then
    assert.is_true(is_one_of(run.ended, flipped), label)
    return
  end
  -- What arrives is whole, and as it was sent, on either side.
  assert.is_true(is_beginning(run.got), label)
  assert.is_true(is_beginning(run.heard or {}), label)
  if run.ended == "clean 1000" then
    assert.are.equal(#said, #run.got, label)
  else
    assert.is_true(is_one_of(run.ended, broken[run.kind]), label)
  end
  if run.there_ended and run.there_ended ~= "clean 1000" then
    assert.is_true(is_one_of(run.there_ended, broken[run.kind]), label)
  end
  -- And nobody is told of what was heard that it was not sent.
  for i = 1, #said do
    local outcome = assert(run.outcomes[i], label)
    if run.heard and run.heard[i] then
      assert.is_true(outcome == "written" or outcome == "partial", label)
    end
  end
end

for _, scheme in ipairs { "ws", "wss" } do
  describe("between client and server over " .. scheme, function()
    it("every fault at every place is told, and what arrives is whole",
      function()
        local runs, stats = run_all(scheme)
        local endings = {}
        for _, run in ipairs(runs) do
          check(run, scheme)
          local key = run.kind .. ": " .. run.ended
          endings[key] = (endings[key] or 0) + 1
        end
        -- Most of them did happen, and some were too late for it.
        for _, kind in ipairs(kinds) do
          if kind ~= "none" then
            assert.is_true(stats[kind] >= #offsets // 2, kind)
          end
        end
        if os.getenv "UVWSS_TELL" then
          local list = {}
          for key, n in pairs(endings) do
            list[#list + 1] = ("%s %d"):format(key, n)
          end
          table.sort(list)
          print(#runs .. " runs\n" .. table.concat(list, "\n"))
        end
        for name, n in pairs(wss.stats()) do assert.are.equal(0, n, name) end
      end)
  end)
end

describe("a client that dials again", function()
  it("gets through after any fault", function()
    local runs, heard = {}, {}
    local server = assert(wss.listen("wss://127.0.0.1:0", with_limits {
      tls = { cert = identity.cert, key = identity.key },
      handshake_timeout = patience_s,
      onmessage = function(_, ws, data)
        heard[data] = true
        ws:send(data)
      end,
    }))
    local faulty <close> = proxy.start(server.port)
    wss.run(function()
      local left = 0
      for _, kind in ipairs(kinds) do
        for _, offset in ipairs { 0, 700, 1400, 2200, 5000 } do
          local run = { kind = kind, offset = offset, opens = 0 }
          runs[#runs + 1] = run
          left = left + 1
          local word_ = ("%s %d "):format(kind, offset) .. ("x"):rep(5000)
          local before = faulty:stats().accepted
          faulty:order(("fault %s %s %d %d"):format(kind,
            offset % 200 == 0 and "up" or "down", offset,
            kind == "delay" and 20 or 500))
          run.ws = wss.connect(("wss://localhost:%d/"):format(faulty.port),
            with_limits {
              tls = trusting, open_timeout = patience_s, reconnect = { min = 0.05 },
              onopen = function(ws)
                run.opens = run.opens + 1
                ws:send(word_) -- again each time: it says so itself
              end,
              onmessage = function(ws, data)
                run.answer = data
                ws:close()
              end,
              onclose = function(_, code, _, err)
                run.ended = word(err, code)
                run.word = word_
                left = left - 1
              end,
            })
          repeat wss.sleep(0) until faulty:stats().accepted > before
          faulty:order "fault none up 0"
        end
      end
      local patience = os.time() + seconds
      while left > 0 and os.time() < patience do wss.sleep(0.02) end
      for _, run in ipairs(runs) do run.ws:terminate() end
      server:close(0)
    end)
    for _, run in ipairs(runs) do
      local label = ("%s %d: %s"):format(run.kind, run.offset, run.ended)
      assert.is_truthy(run.ended, label)
      -- The fault may have come with the close itself.
      assert.is_true(run.ended == "clean 1000"
        or is_one_of(run.ended, broken[run.kind] or {}), label)
      assert.are.equal(run.word, run.answer, label)
      assert.is_true(heard[run.word], label)
    end
    for name, n in pairs(wss.stats()) do assert.are.equal(0, n, name) end
  end)
end)

describe("the proxy", function()
  it("does what it says", function()
    -- Raw bytes there and back: `taster` is a server that echoes bytes.
    local script = [[
import os, socket, struct, sys, threading
def echo(door):
    while True:
        sock, _ = door.accept()
        threading.Thread(target=serve, args=(sock,), daemon=True).start()
def serve(sock):
    try:
        while True:
            data = sock.recv(65536)
            if not data:
                break
            sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
    except OSError:
        pass
door = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=echo, args=(door,), daemon=True).start()
print("ready", door.getsockname()[1], flush=True)
for line in open(sys.argv[1]):
    port, patience = line.split()
    sock = socket.create_connection(("127.0.0.1", int(port)))
    sock.settimeout(float(patience))
    got, how = b"", "eof"
    try:
        sock.sendall(b"abcdefghij" * 100)
        sock.shutdown(socket.SHUT_WR)
        while True:
            data = sock.recv(65536)
            if not data:
                break
            got += data
    except TimeoutError:
        how = "silence"
    except OSError: # also of a shutdown that comes after it
        how = "reset"
    wrong = sum(a != b for a, b in zip(got, b"abcdefghij" * 100))
    print(len(got), wrong, how, flush=True)
]]
    local dir <close> = process.directory()
    local name = process.write_file(dir.path .. "/taster.py", script)
    local fifo = dir.path .. "/ports"
    assert(os.execute("mkfifo " .. fifo))
    local ports <close> = assert(io.open(fifo, "r+"))
    local taster <close> = process.start { "/usr/bin/python3", name, fifo }
    local faulty <close> = proxy.start(taster.port)
    local function try(order)
      assert.are.equal("ok", faulty:order(order))
      assert(ports:write(faulty.port, order:find "stall" and " 1\n"
        or " 60\n"))
      ports:flush()
      return taster:line()
    end
    assert.are.equal("1000 0 eof", try "fault none up 0")
    assert.are.equal("0 0 reset", try "fault refuse up 0")
    assert.matches("^%d+ 0 eof$", try "fault cut down 300")
    assert.are.equal("300 0 eof", try "fault cut down 300")
    assert.matches("^%d+ 0 reset$", try "fault reset down 300")
    assert.are.equal("200 0 eof", try "fault half up 200")
    assert.are.equal("300 0 eof", try "fault half down 300")
    assert.are.equal("400 0 eof", try "fault hole down 400")
    assert.are.equal("500 0 silence", try "fault stall down 500")
    assert.are.equal("1000 1 eof", try "fault flip up 500")
    assert.are.equal("1000 0 eof", try "fault delay up 500 20")
    assert.are.equal("1000 0 eof", try "fault dribble down 100 300")
    assert.are.equal(12, faulty:stats().accepted)
    assert.are.equal(1, faulty:stats().flip)
  end)
end)
