-- Upgrades that are refused: by the handler, with headers and a body; for
-- their origin; by a handler that raises; for their number.
local refused, raised = {}, 0
wss.onerror = function(err)
  if err ~= "mine" and not tostring(err):find "^mine\n" then error(err, 0) end
  raised = raised + 1
end
local server = host {
  origins = { "http://good" },
  onupgrade = function(_, request)
    if request.path == "/raise" then error("mine", 0) end
    wss.sleep(0)
    return false, 401, { ["www-authenticate"] = "Basic" }, message(1, 5000)
  end,
  onopen = function() check(false, "it was accepted") end,
  onrefused = function(_, err) refused[#refused + 1] = err end,
}
local guests = {
  guest(server, { origin = "http://good" }),
  guest(server, { origin = "http://bad" }),
  guest(server, { origin = "http://good" }, server.url .. "/raise"),
}
wss.run()
check(server.state == "closed", "the server is " .. server.state)
for i, status in ipairs { 401, 403, 500 } do
  local g = guests[i]
  check(g.count == 1 and g.err, "guest " .. i .. " did not hear of its end")
  if g.err.status ~= status then error(g.err, 0) end
end
check(#refused <= 3, "onrefused")
wss.onerror = nil
check_ledger()
