std = "lua54"
self = false -- handlers are methods, whether they need their object or not
max_line_length = 100
max_comment_line_length = false -- an annotation cannot be broken
cache = false
exclude_files = { "build", "lua_modules", ".luarocks" }
files["spec"] = { std = "+busted" }
-- Scenarios of one program, which share what lib.lua defines.
files["spec/c/oom"] = {
  ignore = { "311", "331" }, -- a last reference is dropped, or was for C
  globals = { "CA", "CERT", "FOLDER", "KEY", "PORT", "TLS_PORT", "TURN", "URL",
    "TLS_URL", "clean_up", "quit", "check", "check_ledger", "guest", "host",
    "message", "must", "once", "raw_dial", "raw_guest", "raw_hear",
    "see_through", "wss" },
}
files["**/*.rockspec"] = { std = "rockspec" }
