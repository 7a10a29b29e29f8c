-- luacheck: read_globals TROUBLE
-- Ends of every kind that are not ours.
local function ended(path, options)
  local ws = wss.connect(URL(path), options)
  local ends, result = 0, nil
  function ws:onopen() self:send("hello") end
  function ws:onmessage(data) check(data == "hello", "the echo") end
  function ws:onclose(code, reason, err)
    ends = ends + 1
    result = { code = code, reason = reason, err = err }
  end
  wss.run()
  check(ends == 1, "onclose was called " .. ends .. " times")
  return result
end
-- Without memory the error is another one, but it tells of that. (OpenSSL's
-- SHA-1 needs memory too, and the answer to the upgrade is refused then.)
local starved = { memory = true, random = true, ENOMEM = true,
  bad_accept = true }
local function check_kind(result, kind, code)
  local err = result.err
  check(err, "it ended without a reason")
  if starved[err.code] or err.kind == "closed" then error(err, 0) end
  local same = err.kind == kind and err.code == code
  if TROUBLE == "fail" and err.kind == "connect" and not same then
    error(err, 0)
  end
  check(same,
    ("%s %s instead of %s %s"):format(err.kind, err.code, kind, code))
end
check_kind(ended "/bad", "protocol", "opcode")
check_kind(ended "/503", "upgrade", "status")
local bye = ended "/bye"
if not bye.err then check(bye.code == 1001, "the code") end
local ws = wss.connect("ws://127.0.0.1:1/")
local heard
function ws:onclose(_, _, err) heard = err end
wss.run()
check_kind({ err = heard }, "connect", "ECONNREFUSED")
check_ledger()
