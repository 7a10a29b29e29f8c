--- Who is measured: servers, and clients. Ours is the second of the servers,
-- after the limit, and the first of the clients.

local PYTHON = "/usr/bin/python3"

local peers = {}

-- `deflate = false`, `fanout = false`: it cannot.
peers.servers = {
  { id = "raw", name = "raw", raw = true, deflate = false, fanout = false,
    "build/bench/raw" },
  { id = "uvwss", name = "uvwss", ours = true,
    "lua5.4", "bench/servers/uvwss.lua" },
  -- It answers compressed messages with uncompressed ones.
  { id = "uws", name = "µWS", deflate = false, "build/bench/uws" },
  { id = "beast", name = "Beast", "build/bench/beast" },
  -- An empty message that is compressed makes 4.1.6 fail an assertion.
  { id = "lws", name = "lws", filled = true, "build/bench/lws" },
  { id = "gorilla", name = "gorilla", "build/bench/gorilla" },
  { id = "node", name = "Node ws", "node", "bench/servers/node.js" },
  { id = "python", name = "python", PYTHON, "bench/servers/python.py" },
  { id = "luahttp", name = "lua-http", deflate = false,
    "lua5.4", "bench/servers/luahttp.lua" },
}

peers.clients = {
  { id = "uvwss", name = "uvwss", ours = true,
    "lua5.4", "bench/clients/uvwss.lua" },
  { id = "beast", name = "Beast", "build/bench/beast-client" },
  { id = "node", name = "Node ws", "node", "bench/clients/node.js" },
  { id = "python", name = "python", PYTHON, "bench/clients/python.py" },
}

-- What sees that a server is an echo.
peers.check = { PYTHON, "bench/clients/python.py" }

return peers
