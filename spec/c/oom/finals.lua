-- A message with final blocks (RFC 7692, 7.2.3.4), which refers to what was
-- before them.
local heard = {}
local server = host {
  compress = true,
  onmessage = function(_, _, data) heard[#heard + 1] = data end,
}
local head = "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
  .. "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
  .. "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
  .. "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
local block = "\xf3\x48\xcd\xc9\xc9\x07\x00" -- "Hello", and it is final
local function frame(first, data)
  return string.char(first, 0x80 + #data) .. "\0\0\0\0" .. data
end
local guests = {
  raw_guest(server, head .. frame(0xc1, block .. block .. "\0")
    .. frame(0xc1, "\xf2\x00\x11\x00\x00") -- "Hello", as before
    .. frame(0x88, "\x03\xe8")),
}
see_through(server, guests)
if #heard == 2 then
  check(heard[1] == "HelloHello" and heard[2] == "Hello", "the messages")
else
  check(guests[1].heard, "nothing was heard")
end
check_ledger()
