--- Under which instrument a spec runs: "asan", "gc", "valgrind", or false.

local cpath = os.getenv "LUA_CPATH" or ""
local pipe = assert(io.popen "command -v lua5.4")
local interpreter = pipe:read "l" or ""
pipe:close()

return cpath:match "/build/(%l+)/%?%.so"
  or interpreter:match "/build/(%l+)/bin/" or false
