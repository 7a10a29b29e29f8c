std = "lua54"
self = false -- handlers are methods, whether they need their object or not
max_line_length = 100
max_comment_line_length = false -- an annotation cannot be broken
cache = false
exclude_files = { "build", "lua_modules", ".luarocks" }
files["spec"] = { std = "+busted" }
files["**/*.rockspec"] = { std = "rockspec" }
