-- Handlers, pings, and the user's own fields.
local got, opened, closed, ponged = 0, 0, 0, 0
local done, count = once()
local ws = wss.connect(URL "/ping")
ws.note = "mine"
function ws:onopen(info)
  opened = opened + 1
  check(info.attempt == 1, "the first attempt")
  must(self:send(message(1, 300), "text", done))
  must(self:ping("beat"))
end
function ws:onmessage(data, kind)
  got = got + 1
  check(data == message(got, 300) and kind == "text", "message " .. got)
  if got == 3 then
    self:close()
  else
    must(self:send(message(got + 1, 300)))
  end
end
function ws:onpong(payload)
  ponged = ponged + 1
  check(payload == "beat", "the pong's payload")
end
function ws:onping(payload) check(payload == "are you there", "a ping") end
function ws:onclose(code, _, err)
  closed = closed + 1
  check(closed == 1, "closed twice")
  if not err then check(code == 1000, "the code is " .. code) end
  if err then error(err, 0) end
end
wss.run()
check(opened == 1 and got == 3 and closed == 1 and ponged <= 1, "a handler")
check(ws.note == "mine" and ws.state == "closed", "a field")
check(count() == 1, "no outcome")
ws = nil
check_ledger()
