-- luacheck: read_globals IMPOSTOR_PORT
-- A certificate of nobody we trust is never accepted, whatever fails.
local ws = wss.connect("wss://127.0.0.1:" .. IMPOSTOR_PORT .. "/echo", {
  tls = { ca = CA },
})
local why
ws:send("secret", "text", function(err, outcome)
  check(err and outcome == "unsent", "something was sent")
end)
function ws:onopen() check(false, "it was accepted") end
function ws:onmessage() check(false, "it was listened to") end
function ws:onclose(_, _, err)
  check(err, "it ended cleanly")
  why = err
end
wss.run()
check(why, "it ended without a reason")
check(ws.state == "closed", ws.state)
if why.kind ~= "certificate" then error(why, 0) end
