-- luacheck: read_globals wrong
-- The state is closed inside a call-out, with plenty in flight: another one
-- with every run.
local places = { "open", "message", "receive", "done", "piece", "partial",
  "unsent", "drain", "timer", "coroutine", "reconnect", "error", "close" }
local program = assert(loadfile "spec/support/exit.lua")
program(places[TURN % #places + 1], URL "/sink", URL "/talk", 1 << 22, nil,
  quit, wrong)
