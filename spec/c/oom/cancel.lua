-- What is given up while a name is looked up, and a signal that nobody sends.
local ended = 0
local signal = must(wss.signal("HUP", function() end))
for i = 1, 8 do
  local ws = wss.connect((URL("/echo"):gsub("127.0.0.1", "localhost")))
  function ws:onopen() self:terminate() end
  function ws:onclose() ended = ended + 1 end
  if i % 2 == 0 then ws:terminate() end
end
wss.timer(0.001, function() signal:close() end)
wss.run()
check(ended == 8, ended .. " ends of 8")
check_ledger()
