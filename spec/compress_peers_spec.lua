-- Compression with peers that are not ours: parameters by peers, in both roles.
-- Every message comes back as it was, and fewer bytes than it has are sent.
-- docs/compression.md has the same table; `make interop` prints it anew.

local certs = require "spec.support.certs"
local json = require "dkjson"
local peers = require "spec.support.peers"
local process = require "spec.support.process"
local server = require "spec.support.server"
local visitors = require "spec.support.visitors"
local wss = require "uvwss"

local both_no <const> = { server_no_context_takeover = true,
  client_no_context_takeover = true }
local small <const> = { server_max_window_bits = 9,
  client_max_window_bits = 10 }
local all_at_once <const> = { server_no_context_takeover = true,
  client_no_context_takeover = true, server_max_window_bits = 9,
  client_max_window_bits = 9 }

-- What others ask for, and what we want. A server that asks for smaller windows
-- than a client offers is content; `ws` answers 400 where it wants a larger one.
local theirs = { {}, { server_no_context_takeover = true },
  { client_no_context_takeover = true }, both_no, small, all_at_once }
local ours = { true, both_no, small, { server_no_context_takeover = true,
  server_max_window_bits = 12, min_size = 0, level = 1 } }

local sizes = { 0, 0, 1, 125, 255, 256, 65535, 65536, 1 << 17 }
local total = 0
for _, size in ipairs(sizes) do total = total + size end

-- The part of their bytes that may be left. What the payloads repeat is further
-- away than a window of 9 bits lets zlib look.
local function share(...)
  for _, conf in ipairs { ... } do
    if conf ~= true and (conf.server_max_window_bits == 9
        or conf.client_max_window_bits == 9) then
      return 0.9
    end
  end
  return 0.1
end

local function described(conf)
  if conf == true then return "by default" end
  local words = {}
  for name, value in pairs(conf) do
    words[#words + 1] = name .. (value == true and "" or "=" .. value)
  end
  table.sort(words)
  return #words == 0 and "nothing" or table.concat(words, ", ")
end

-- ---- the table ----------------------------------------------------------------

-- What was sent to us, and by us, in percent of the payloads: of a peer in a
-- role, by what it asks for and what we do.
local tables, by_title = {}, {}

local function note(title, asked, wanted, to_us, by_us)
  local one = by_title[title]
  if not one then
    one = { title = title, rows = {}, columns = {}, cells = {} }
    tables[#tables + 1], by_title[title] = one, one
  end
  local row, column = described(asked), described(wanted)
  if not one.cells[row] then
    one.rows[#one.rows + 1] = row
    one.cells[row] = {}
  end
  if not one.columns[column] then
    one.columns[#one.columns + 1] = column
    one.columns[column] = true
  end
  one.cells[row][column] = ("%.1f, %.1f"):format(100 * to_us, 100 * by_us)
end

local function lines_of(one)
  local lines = { "## " .. one.title, "",
    "| it asks for | we: " .. table.concat(one.columns, " | we: ") .. " |",
    "|---" .. ("|--:"):rep(#one.columns) .. "|" }
  table.sort(one.rows)
  for _, row in ipairs(one.rows) do
    local cells = { row }
    for _, column in ipairs(one.columns) do
      cells[#cells + 1] = one.cells[row][column] or ""
    end
    lines[#lines + 1] = "| " .. table.concat(cells, " | ") .. " |"
  end
  return lines
end

-- Every size as text and as bytes, perhaps in fragments as well.
local function steps(fragments)
  local list, bytes = {}, 0
  for _, pieces in ipairs(fragments and { 1, 3 } or { 1 }) do
    for _, kind in ipairs { "text", "binary" } do
      for _, size in ipairs(sizes) do
        list[#list + 1] = { "echo", kind, size, pieces > 1 and pieces or nil }
      end
      bytes = bytes + total
    end
  end
  list[#list + 1] = { "close" }
  return list, bytes
end

after_each(server.clean)

describe("a server of ours, compressed,", function()
  -- A page's visits, as the others return them.
  local function browse(url, course, s)
    local results
    local page = process.read_file(visitors.page)
    function s:onrequest(request)
      if request.path == "/" then
        return 200, { ["content-type"] = "text/html" }, page
      elseif request.path == "/course" then
        return 200, { ["content-type"] = "application/json" },
          json.encode { url = url, visits = course }
      end
    end
    local echo = s.onmessage
    function s:onmessage(ws, data, kind)
      if ws.request.path ~= "/results" then return echo(self, ws, data, kind) end
      results = json.decode(data)
      ws:close()
    end
    local _ <close> = visitors.chromium(url:gsub("^ws", "http") .. "/",
      certs.ca)
    server.await(function() return results end, "the page's result")
    return results
  end

  -- Visits by all the offers to a server with 'compress'.
  local function visited(peer, visit, compress, offers, scheme, fragments)
    local seen = {}
    local s = server.listen({ compress = compress, onmessage = server.echo,
      ping_interval = false,
      tls = scheme == "wss" and { cert = certs("server").cert,
        key = certs("server").key } or nil,
      onclose = function(_, ws, _, _, err)
        seen[ws.request.path] = { stats = ws:stats(), err = err,
          offered = ws.request.headers["sec-websocket-extensions"] }
      end }, scheme .. "://localhost:0")
    local course, bytes = {}, nil
    for i, offer in ipairs(offers) do
      local list
      list, bytes = steps(fragments)
      course[i] = { path = "/" .. i, ca = certs.ca, steps = list,
        deflate = next(offer) and offer or nil }
    end
    local told = visit(s.url, course, s)
    server.await(function() return s.count == 0 end, "the last one's end")
    server.finish(s)
    for i, offer in ipairs(offers) do
      local what = described(offer)
      assert.is_nil(told[i].error, what)
      assert.equal(#course[i].steps, #told[i].steps, what)
      for n = 1, #course[i].steps - 1 do
        assert.is_true(told[i].steps[n], what)
      end
      local one = seen["/" .. i]
      assert.is_nil(one.err, what)
      assert.matches("permessage%-deflate", one.offered)
      for name, value in pairs(offer) do
        assert.matches(value == true and name or name .. "=" .. value,
          one.offered, 1, true)
      end
      local most = bytes * share(compress, offer)
      assert.is_true(one.stats.bytes_in < most, what)
      assert.is_true(one.stats.bytes_out < most, what)
      note(peer .. " as client, " .. scheme, offer, compress,
        one.stats.bytes_in / bytes, one.stats.bytes_out / bytes)
      if told[i].opened.extensions then
        assert.matches("permessage%-deflate", told[i].opened.extensions)
      end
    end
  end

  for _, one in ipairs {
    { "python-websockets", visitors.python, ours, theirs, true },
    { "ws on Node", visitors.node, ours, theirs, true },
    { "Boost.Beast", visitors.beast, ours, theirs, true },
    -- These cannot be told what to ask for.
    { "gorilla/websocket", visitors.gorilla, ours, { {} }, false },
    { "Chromium", browse, { true, both_no, small }, { {} }, false },
  } do
    local name, visit, confs, offers, fragments = table.unpack(one)
    for _, compress in ipairs(confs) do
      it(("with %s, serves %s, whatever that asks for"):format(
        described(compress), name), function()
        visited(name, visit, compress, offers, "ws", fragments)
      end)
    end
    it(("serves %s over TLS"):format(name), function()
      visited(name, visit, true, offers, "wss", fragments)
    end)
  end
end)

describe("a client of ours, compressed,", function()
  local payloads = {}
  setup(function()
    local text, bytes = {}, {}
    for i = 0, 250 do
      text[#text + 1] = string.char(97 + i * 7 % 26)
      bytes[#bytes + 1] = string.char(i * 5 % 256)
    end
    text, bytes = table.concat(text), table.concat(bytes)
    for _, size in ipairs(sizes) do
      payloads[#payloads + 1] = { text:rep(size // 251 + 1):sub(1, size),
        "text" }
      payloads[#payloads + 1] = { bytes:rep(size // 251 + 1):sub(1, size),
        "binary" }
    end
  end)

  -- Every payload there and back, whole and by a writer.
  local function converse(name, peer, asked, compress, scheme)
    local what = described(compress)
    local ws = wss.connect(scheme .. "://localhost:" .. peer.port, {
      compress = compress, ping_interval = false,
      tls = scheme == "wss" and { ca = certs.ca } or nil })
    local got = 0
    function ws:onopen()
      for _, payload in ipairs(payloads) do
        assert(self:send(payload[1], payload[2]))
      end
      for _, payload in ipairs(payloads) do
        local half = #payload[1] // 2
        local writer = assert(self:stream(payload[2]))
        assert(writer:write(payload[1]:sub(1, half)))
        assert(writer:write "")
        assert(writer:finish(payload[1]:sub(half + 1)))
      end
    end
    function ws:onmessage(data, kind)
      local payload = payloads[got % #payloads + 1]
      got = got + 1
      assert(kind == payload[2], what .. ": another kind")
      assert(data == payload[1], what .. ": other bytes")
      if got == 2 * #payloads then self:close() end
    end
    function ws.onclose(_, _, _, err) assert.is_nil(err, what) end
    wss.run()
    assert.equal(2 * #payloads, got, what)
    local stats, most = ws:stats(), 4 * total * share(asked, compress)
    assert.is_true(stats.bytes_out < most, what)
    assert.is_true(stats.bytes_in < most, what)
    note(name .. " as server, " .. scheme, asked, compress,
      stats.bytes_in / (4 * total), stats.bytes_out / (4 * total))
  end

  -- It grants no smaller window for what it sends, and so we ask for none.
  it("is served by gorilla/websocket", function()
    local peer <close> = peers.gorilla()
    for _, compress in ipairs { true, both_no, { client_max_window_bits = 10,
      min_size = 0 } } do
      converse("gorilla/websocket", peer, {}, compress, "ws")
    end
  end)

  it("is served by gorilla/websocket over TLS", function()
    local peer <close> = peers.gorilla { tls = certs "server" }
    converse("gorilla/websocket", peer, {}, true, "wss")
  end)

  for _, one in ipairs { { "python-websockets", peers.echo },
    { "ws on Node", peers.node } } do
    local name, start = table.unpack(one)
    for _, asked in ipairs(theirs) do
      it(("is served by %s that asks for %s, whatever we ask for"):format(name,
        described(asked)), function()
        local peer <close> = start { deflate = json.encode(setmetatable(asked,
          { __jsontype = "object" })), host = "localhost" }
        for _, compress in ipairs(ours) do
          converse(name, peer, asked, compress, "ws")
        end
      end)
    end

    it(("is served by %s over TLS"):format(name), function()
      local peer <close> = start { deflate = "{}", tls = certs "server",
        host = "localhost" }
      converse(name, peer, {}, true, "wss")
    end)

    it(("is served by %s without it where that has none"):format(name),
      function()
        local peer <close> = start { host = "localhost" }
        local ws = wss.connect("ws://localhost:" .. peer.port,
          { compress = true })
        ws:send(("x"):rep(10000))
        assert.equal(10000, #assert(ws:receive(60)))
        ws:close()
        wss.run()
        assert.is_true(ws:stats().bytes_in > 10000)
        assert.is_true(ws:stats().bytes_out > 10000)
      end)
  end
end)

describe("docs/compression.md", function()
  -- All but the numbers, which are of the payloads and of zlib's version.
  local function frame_of(lines)
    local list = {}
    for _, line in ipairs(lines) do
      list[#list + 1] = (line:gsub("%d+%.%d, %d+%.%d", "n"))
    end
    return table.concat(list, "\n")
  end

  it("has all of these", function()
    local documented = process.read_file "docs/compression.md"
    local lines = {}
    for line in documented:gmatch "[^\n]*" do lines[#lines + 1] = line end
    documented = frame_of(lines)
    for _, one in ipairs(tables) do
      assert.is_truthy(documented:find(frame_of(lines_of(one)), 1, true),
        table.concat(lines_of(one), "\n"))
    end
    assert.equal(#tables, select(2, documented:gsub("\n## ", "")))
  end)

  if os.getenv "UVWSS_TABLE" then
    it("is printed", function()
      for _, one in ipairs(tables) do
        print("\n" .. table.concat(lines_of(one), "\n"))
      end
    end)
  end
end)
