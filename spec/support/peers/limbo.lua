-- One connection, whose end is told: limbo.lua PORT FILE
--
-- FILE has its TLS options in JSON. Prints a JSON object with the kind and the
-- code of the error with which it ended.

local json = require "dkjson"
local wss = require "uvwss"

local file = assert(io.open(arg[2]))
local options = assert(json.decode(file:read "a"))
file:close()
wss.connect(("wss://127.0.0.1:%d/"):format(arg[1]), { tls = options,
  onclose = function(_, _, _, err)
    print(json.encode { kind = err.kind, code = err.code })
  end })
wss.run()
