--- Runs `uvwss check` with the CA of the specs.

local certs = require "spec.support.certs"
local command = require "spec.support.command"

local check = {}

---The URL of a server that has a port.
function check.url(server)
  return ("wss://localhost:%d/"):format(server.port)
end

---`uvwss check --ca CA …`: its output and status, as command.run has them.
function check.run(...)
  return command.run { "check", "--ca", certs.ca, ... }
end

---The one object that it prints with --json, and its exit status.
function check.json(...)
  local objects, status = command.json { "check", "--json", "--ca", certs.ca,
    ... }
  if #objects ~= 1 then
    error(("%d objects: %s"):format(#objects, status.stderr), 2)
  end
  return objects[1], status.code
end

return check
