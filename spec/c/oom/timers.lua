-- Timers, coroutines, sleeps, stop, and errors that nobody catches.
local ticks, woken = 0, 0
local timer
timer = wss.timer(0, function()
  ticks = ticks + 1
  if ticks == 3 then timer:cancel() end
end, 0.001)
for _ = 1, 3 do
  wss.spawn(function(s)
    wss.sleep(s)
    woken = woken + 1
  end, 0.001)
end
wss.run()
check(ticks == 3, "ticks")
check(woken == 3, "coroutines")
wss.timer(0, function() error("mine", 0) end)
local ok, err = pcall(wss.run)
check(not ok, "an error was swallowed")
if err ~= "mine" and not tostring(err):find("^mine\n") then error(err, 0) end
local heard
wss.onerror = function(e) heard = e end
wss.spawn(function() error("yours", 0) end)
wss.timer(0.002, wss.stop)
wss.run()
wss.onerror = nil
if not tostring(heard):find "yours" then error(heard, 0) end
local a, b = wss.run(function() return 1, 2 end)
check(a == 1 and b == 2, "results")
check_ledger()
