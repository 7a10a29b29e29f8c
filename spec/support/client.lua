--- A client as specs need it: one attempt, and all that came of it.

local wss = require "uvwss"

local client = {}

client.secret = "what only the right server may read"

---Connect, send the secret, wait for an answer and close. Returns what was
---seen: `opened` (times), `info`, `tls`, `echo`, `code`, `reason`, `err`,
---`outcome` (of the secret), `ws`.
function client.attempt(url, tls, options)
  local all = { tls = tls, headers = { authorization = client.secret },
    open_timeout = 60 }
  for name, value in pairs(options or {}) do all[name] = value end
  local ws = wss.connect(url, all)
  local seen = { ws = ws, opened = 0 }
  ws:send(client.secret, "text", function(_, outcome)
    seen.outcome = outcome
  end)
  function ws:onopen(info)
    seen.opened, seen.info, seen.tls = seen.opened + 1, info, self.tls
  end
  function ws:onmessage(data)
    seen.echo = data
    self:close()
  end
  function ws:onclose(code, reason, err)
    seen.code, seen.reason, seen.err = code, reason, err
  end
  wss.run()
  return seen
end

---Nothing may be left of the connections of a spec.
function client.zero_ledger()
  for name, count in pairs(wss.stats()) do
    if count ~= 0 then error(("%d %s are left"):format(count, name), 2) end
  end
end

return client
