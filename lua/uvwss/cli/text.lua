--- Bytes of others made fit to be shown.

local text = {}

---The same, with every byte that is not part of valid UTF-8 replaced by
---U+FFFD.
---@param s string
---@return string
function text.valid(s)
  local length, at = utf8.len(s)
  if length then return s end
  local parts, from = {}, 1
  repeat
    parts[#parts + 1] = s:sub(from, at - 1)
    from = at + 1
    length, at = utf8.len(s, from)
  until length
  parts[#parts + 1] = s:sub(from)
  return table.concat(parts, "\u{FFFD}")
end

local function named(character)
  return ("\\u{%X}"):format(utf8.codepoint(character))
end

-- What moves the cursor, starts a sequence (C0 and C1), or turns the direction
-- of writing: none of it may reach a terminal.
local function escaped(s)
  return (s:gsub("[%z\1-\8\11-\31\127]", function(c)
    return ("\\x%02X"):format(c:byte())
  end):gsub("\xC2[\x80-\x9F]", named)
    :gsub("\xE2\x80[\x8E\x8F\xA8-\xAE]", named)
    :gsub("\xE2\x81[\xA6-\xA9]", named))
end

---One line of text, harmless on a terminal whatever it is made of.
---@param s string
---@return string
function text.line(s)
  return (escaped(text.valid(s)):gsub("[\t\n]", { ["\t"] = "\\t",
    ["\n"] = "\\n" }))
end

---A text of several lines, harmless on a terminal; each line but the first
---begins with `indent`, so that none can pass for something else.
---@param s string
---@param indent string
---@return string
function text.lines(s, indent)
  s = escaped(text.valid(s):gsub("\r\n", "\n"))
  return (s:gsub("\n", "\n" .. indent))
end

---"1 byte", "2 bytes".
---@param n integer
---@return string
function text.bytes(n)
  return n == 1 and "1 byte" or n .. " bytes"
end

---Binary data in one line: its size and how it begins.
---@param data string
---@return string
function text.hex(data)
  local head = data:sub(1, 24)
  if head == "" then return "[0 bytes]" end
  return ("[%s] %s%s |%s|"):format(text.bytes(#data),
    head:gsub(".", function(c) return ("%02x "):format(c:byte()) end)
      :sub(1, -2),
    #data > #head and " ..." or "", head:gsub("[^ -~]", "."))
end

local alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
  .. "0123456789+/"
local digits = {}
for i = 0, 63 do digits[i] = alphabet:sub(i + 1, i + 1) end

---RFC 4648, 4.
---@param data string
---@return string
function text.base64(data)
  return (data:gsub("..?.?", function(three)
    local a, b, c = three:byte(1, 3)
    local n = a << 16 | (b or 0) << 8 | (c or 0)
    return digits[n >> 18] .. digits[n >> 12 & 63]
      .. (b and digits[n >> 6 & 63] or "=") .. (c and digits[n & 63] or "=")
  end))
end

---"2024-02-29 12:00:00 UTC" of epoch seconds.
---@param seconds number
---@return string
function text.date(seconds)
  if not seconds then return "a date that cannot be read" end
  return os.date("!%Y-%m-%d %H:%M:%S UTC", math.floor(seconds)) --[[@as string]]
end

return text
