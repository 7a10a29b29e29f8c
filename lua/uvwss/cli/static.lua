--- Files below a folder as answers to GET and HEAD, for `uvwss serve`. Not a
-- web server: whole files, no ranges, no validators, no listings.

local core = require "uvwss.core"

local static = {}

local most = 64 << 20 -- a file is held in memory while it is sent

local types = {
  avif = "image/avif", bin = "application/octet-stream", css = "text/css",
  csv = "text/csv", gif = "image/gif", htm = "text/html", html = "text/html",
  ico = "image/x-icon", jpeg = "image/jpeg", jpg = "image/jpeg",
  js = "text/javascript", json = "application/json", md = "text/markdown",
  mjs = "text/javascript", mp3 = "audio/mpeg", mp4 = "video/mp4",
  ogg = "audio/ogg", pdf = "application/pdf", png = "image/png",
  svg = "image/svg+xml", txt = "text/plain", wasm = "application/wasm",
  wav = "audio/wav", webm = "video/webm", webp = "image/webp",
  woff2 = "font/woff2", xml = "application/xml", zip = "application/zip",
}

---What a file of that name is to be called in `content-type`.
---@param name string
---@return string
function static.type(name)
  local kind = types[(name:match "%.(%w+)$" or ""):lower()]
    or "application/octet-stream"
  local is_text = kind:find "^text/" or kind == "application/json"
    or kind == "application/xml" or kind == "image/svg+xml"
  return is_text and kind .. "; charset=utf-8" or kind
end

-- One segment of a path as the name of a file, or nil. What would be a
-- separator, or the end of a string in C, only once it is decoded is no name
-- (RFC 3986, 7.3); a name that begins with a dot is hidden, which takes care
-- of "." and ".." too. ".well-known" is there to be seen (RFC 8615).
local function name_of(segment)
  if segment:gsub("%%%x%x", ""):find("%", 1, true) then return nil end
  local name = segment:gsub("%%(%x%x)", function(digits)
    return string.char(tonumber(digits, 16))
  end)
  if name == "" or name:find "[/\0]"
    or (name:sub(1, 1) == "." and name ~= ".well-known") then
    return nil
  end
  return name
end

---The path of a request as one below the folder: a file's, or a folder's,
---which ends with a slash ("" is the root). Nil if there can be no such file.
---@param path string  as in the request, with its escapes
---@return string|nil
function static.locate(path)
  if path:sub(1, 1) ~= "/" then return nil end
  local names = {}
  local folder, last = path:match "^(.*/)([^/]*)$"
  for segment in folder:sub(2):gmatch "([^/]*)/" do
    local name = name_of(segment)
    if not name then return nil end
    names[#names + 1] = name .. "/"
  end
  if last ~= "" then
    local name = name_of(last)
    if not name then return nil end
    names[#names + 1] = name
  end
  return table.concat(names)
end

local function say(status, text, headers)
  headers = headers or {}
  headers["content-type"] = "text/plain; charset=utf-8"
  return status, headers, text .. "\n"
end

local function refuse(code)
  if code == "EACCES" or code == "EPERM" then
    return say(403, "This file may not be read.")
  elseif code == "EFBIG" then
    return say(403, ("This server has no files of more than %d MiB.")
      :format(most >> 20))
  elseif code == "EMFILE" or code == "ENFILE" or code == "ENOMEM" then
    return say(503, "Too much is going on; try again.")
  end
  return say(404, "There is no such file.")
end

---The answer to a request: a status, headers, a body.
---@param root string
---@param path string  as in the request
function static.answer(root, path)
  local where = static.locate(path)
  if not where then return refuse "ENOENT" end
  local is_folder = where == "" or where:sub(-1) == "/"
  if is_folder then where = where .. "index.html" end
  local file <close>, code = core.document(root, where, most)
  if not file and code == "EISDIR" and not is_folder then
    return say(301, "It is a folder.", { location = path .. "/" })
  elseif not file then
    return refuse(code)
  end
  local body = file:read "a"
  if not body then return say(500, "This file cannot be read.") end
  return 200, { ["content-type"] = static.type(where),
    ["x-content-type-options"] = "nosniff" }, body
end

---Nil, or why a folder cannot be served.
---@param root string
---@return string|nil
function static.problem(root)
  local file, code = core.document(root, ".", most)
  if file then file:close() end
  if code == "EISDIR" then return nil end
  return ("cannot serve '%s': %s"):format(root,
    code == "ENOENT" and "there is no such folder"
      or code == "ENOTDIR" and "it is no folder" or code or "it is no folder")
end

return static
