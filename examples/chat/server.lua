#!/usr/bin/env lua5.4
-- A chat, and the page for it: open the address in a browser, twice.
--
--   lua5.4 server.lua [URL [server.crt server.key]]
--
-- One port serves both: GET / is answered with index.html, and the page then
-- opens a WebSocket to where it came from. `uvwss connect URL?name=Ann` is in
-- the same chat, without a browser.
--
-- What is spoken: a client sends lines of text; everybody, the sender too,
-- gets each as `NAME: TEXT`, whoever comes the last twenty of them first.

local wss = require "uvwss"

local url, cert, key = arg[1] or "ws://127.0.0.1:8080", arg[2], arg[3]
local here = arg[0]:match "^(.*/)" or "./"
local longest_name, longest_text, kept = 20, 500, 20

local server = assert(wss.listen(url, {
  tls = cert and { cert = cert, key = key },
  max_message = 4 * longest_text, -- bytes; what is larger is not even read
}))

local function read_page()
  local file = assert(io.open(here .. "index.html", "rb"))
  local text = file:read "a"
  file:close()
  return text
end

local page = read_page()

function server:onrequest(request)
  if request.path == "/" then
    return 200, { ["content-type"] = "text/html; charset=utf-8" }, page
  end
  return 404
end

-- Any page may open a WebSocket to here, with the cookies of its reader: only
-- our own may stay. What is no browser sends no Origin.
function server:onupgrade(request)
  local origin = request.headers.origin
  local scheme = cert and "https://" or "http://"
  if origin and origin ~= scheme .. request.headers.host then
    return false, 403
  end
end

-- At most so many characters of a text, and no control characters.
local function cut(text, most)
  text = text:gsub("%c", " ")
  local stop = utf8.offset(text, most + 1)
  return stop and text:sub(1, stop - 1) or text
end

local function name_of(request)
  local escaped = ("&" .. (request.query or "")):match "&name=([^&]*)" or ""
  local name = escaped:gsub("+", " "):gsub("%%(%x%x)", function(digits)
    return string.char(tonumber(digits, 16))
  end)
  if name == "" or not utf8.len(name) then name = "somebody" end
  return cut(name, longest_name)
end

local history = {}

local function tell(line)
  table.insert(history, line)
  if #history > kept then table.remove(history, 1) end
  server:broadcast(line)
end

function server:onopen(ws)
  ws.name = name_of(ws.request) -- a field of our own
  for _, line in ipairs(history) do ws:send(line) end
  tell("* " .. ws.name .. " comes in")
end

function server:onmessage(ws, data, kind)
  if kind == "text" then tell(ws.name .. ": " .. cut(data, longest_text)) end
end

function server:onclose(ws)
  tell("* " .. ws.name .. " has left")
end

print("listening on " .. server.url)
print("open " .. server.url:gsub("^ws", "http") .. "/ in a browser")
io.flush()
wss.run()
