-- Frames as server.lua and server.py send them, and client.lua checks them:
-- integers with the big end first,
--
--   4 bytes  n, the length of the payload
--   4 bytes  the frame's number
--   n bytes  the payload
--   4 bytes  the CRC-32 (as zlib has it) of all that stands before

local frame = {}

local crc_of_byte = {}
for i = 0, 255 do
  local c = i
  for _ = 1, 8 do c = c & 1 == 1 and c >> 1 ~ 0xEDB88320 or c >> 1 end
  crc_of_byte[i] = c
end

local function crc32(s, last)
  local c = 0xFFFFFFFF
  for i = 1, last do c = c >> 8 ~ crc_of_byte[(c ~ s:byte(i)) & 0xFF] end
  return c ~ 0xFFFFFFFF
end

local noise = {}
for i = 1, 71000 do noise[i] = string.char(math.random(0, 255)) end
noise = table.concat(noise)

---A frame with that number. All lengths up to 999, and at times one beyond
---65,535.
function frame.make(number)
  local length = number % 500 == 499 and 70000 or number * 7 % 1000
  local at = number % 1000
  local body = (">I4I4"):pack(length, number)
    .. noise:sub(at + 1, at + length)
  return body .. (">I4"):pack(crc32(body, #body))
end

---The number and the payload of a frame, or nil and what is wrong with it.
function frame.open(bytes)
  if #bytes < 12 then return nil, "shorter than an empty frame" end
  local length, number = (">I4I4"):unpack(bytes)
  if #bytes ~= length + 12 then return nil, "of another length than it says" end
  if (">I4"):unpack(bytes, #bytes - 3) ~= crc32(bytes, #bytes - 4) then
    return nil, "damaged: its checksum is wrong"
  end
  return number, bytes:sub(9, -5)
end

return frame
