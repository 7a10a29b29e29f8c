-- Plain HTTP: a body, one that waits, keep-alive with a pipelined request, and
-- what is malformed.
local big = message(1, 20000)
local server = host {
  onrequest = function(_, request)
    if request.path == "/wait" then wss.sleep(0.001) end
    if request.path == "/none" then return end
    return 200, { ["content-type"] = "text/plain", ["x-two"] = { "1", "2" } },
      big
  end,
}
local function get(method, path, headers)
  return ("%s %s HTTP/1.1\r\nHost: x\r\n%s\r\n"):format(method, path,
    headers or "")
end
local last = "Connection: close\r\n"
local guests = {
  raw_guest(server, get("GET", "/wait") .. get("HEAD", "/head")
    .. get("GET", "/none", last)),
  raw_guest(server, get("GET", "/a", last)),
  raw_guest(server, "what is this\r\n\r\n"),
}
see_through(server, guests)
-- Whoever could not be served was told so, or hung up on.
local function statuses(text)
  local list = {}
  for status in text:gmatch "HTTP/1%.1 (%d+)" do list[#list + 1] = status end
  return table.concat(list, " ")
end
local short = false
for i, wanted in ipairs { "200 200 404", "200", "400" } do
  local got = statuses(guests[i].heard)
  if got ~= wanted then
    check(not got:find "[^2450 3]" , "answered with " .. got)
    short = true
  elseif i < 3 then
    check(guests[i].heard:find(big, 1, true), "the body of " .. i)
  end
end
if short then error("not enough memory", 0) end
check_ledger()
