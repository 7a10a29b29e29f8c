-- A file of a folder, for whoever asks a server for it.
local core = require "uvwss.core"
local path = FOLDER .. "/page"
local made = io.open(path, "w")
if not made then error("not enough memory", 0) end
local written = made:write "a page"
made:close()
local file, code = core.document(FOLDER, "/page", 100)
if file then
  local text = file:read "a"
  check(not written or text == "a page" or text == "" or text == nil,
    "what was read")
  file:close()
else
  check(type(code) == "string", "no reason")
end
check(not core.document(FOLDER, "/../page", 100), "it was outside")
check_ledger()
