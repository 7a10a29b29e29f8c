-- A plain script: no coroutine, no handler.
do
  local ws <close> = wss.connect("ws://localhost:" .. PORT .. "/echo")
  for i = 1, 3 do must(ws:send(message(i, 10 ^ i // 1 | 0))) end
  local n = 0
  for data in ws:messages() do
    n = n + 1
    check(data == message(n, 10 ^ n // 1 | 0), "message " .. n)
    if n == 3 then break end
  end
  if n < 3 then error(ws.error, 0) end
  local data, err = ws:receive(0.001)
  check(data == nil and err, "a message out of nothing")
  if err.kind ~= "timeout" then error(err, 0) end
  wss.sleep(0)
end
check_ledger()
