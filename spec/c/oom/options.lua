-- Options of every kind, right and wrong, a proxy that is not there, a
-- configuration that is read again, and a trace.
local function refused(options, sentence)
  local ok, err = pcall(wss.connect, URL "/echo", options)
  check(not ok, "a wrong option was accepted: " .. sentence)
  if not tostring(err):find(sentence, 1, true) then error(err, 0) end
end
refused({ recconect = true }, "did you mean 'reconnect'?")
refused({ headers = { host = "x" } }, "belongs to the handshake")
refused({ subprotocols = { "a", "b", "a" } }, "listed twice")
refused({ reconnect = { min = "x" } }, "min")
refused({ proxy = "ftp://x" }, "proxy")
refused({ onopen = 1 }, "onopen")
local ws = wss.connect(URL "/echo", {
  headers = { one = "1", more = { "2", "3" } },
  subprotocols = { "a", "b" }, origin = "http://x",
  proxy = "http://user:secret@127.0.0.1:1", redirects = 3,
  tls = { ca = CA },
})
local why
function ws:onclose(_, _, err) why = err end
wss.run()
check(why, "no reason")
if why.kind ~= "connect" then error(why, 0) end
local tls = must(wss.tls { ca = { CA }, alpn = { "http/1.1" },
  pins = { "sha256/" .. ("A"):rep(43) .. "=" } })
must(tls:reload())
local got, bad = wss.tls { ca = "/nowhere/at/all" }
check(got == nil, "a file that is not there was loaded")
check(bad, "no reason")
local steps = 0
local pinned = wss.connect(TLS_URL "/echo", { tls = tls })
function pinned:onopen() check(false, "a wrong pin was accepted") end
function pinned:onclose(_, _, err) why = err end
wss.run()
if why.kind ~= "certificate" then error(why, 0) end
local traced = wss.connect(TLS_URL "/echo", {
  tls = { ca = CA, trace = function(step)
    steps = steps + 1
    check(step.name and step.bytes and step.direction, "a step")
  end },
})
function traced:onopen() self:close() end
local ended
function traced:onclose(_, _, err) ended = err end
wss.run()
if ended then error(ended, 0) end
check(steps > 5, "no trace")
