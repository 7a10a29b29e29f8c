-- Built where it lies, with Lua 5.4:
--
--   luarocks --lua-version 5.4 make
--
-- Debian 12's luarocks takes the first Lua it finds, which is 5.1 (its package
-- depends on that one), and refuses then, naming the dependency below. Who
-- wants 5.4 to be the rule says so once, `luarocks config lua_version 5.4`,
-- and `luarocks make` alone will do from there on. A .luarocks directory in
-- the tree could say the same, but would also turn the install into one under
-- ./lua_modules, so there is none.
rockspec_format = "3.0"
package = "uvwss"
version = "dev-1"
source = {
  url = "git+file://.", -- a development version comes from nowhere else
}
description = {
  summary = "Asynchronous WebSocket client and server over TLS",
  detailed = [[
    An event loop (libuv), TLS (OpenSSL) and WebSocket in one module: with
    callbacks or coroutines, reconnecting, verifying by default, bounded
    everywhere.]],
  license = "MIT",
  labels = { "websocket", "tls", "async", "network", "libuv", "openssl" },
}
supported_platforms = { "linux" }
dependencies = { "lua >= 5.4, < 5.5" }
external_dependencies = {
  OPENSSL = { header = "openssl/ssl.h", library = "ssl" },
  LIBUV = { header = "uv.h", library = "uv" },
}
build = {
  type = "builtin",
  -- From here to the end of 'build' it is what `make rockspec` writes.
  modules = {
    ["uvwss.cli.args"] = "lua/uvwss/cli/args.lua",
    ["uvwss.cli.check"] = "lua/uvwss/cli/check.lua",
    ["uvwss.cli.connect"] = "lua/uvwss/cli/connect.lua",
    ["uvwss.cli"] = "lua/uvwss/cli/init.lua",
    ["uvwss.cli.json"] = "lua/uvwss/cli/json.lua",
    ["uvwss.cli.screen"] = "lua/uvwss/cli/screen.lua",
    ["uvwss.cli.text"] = "lua/uvwss/cli/text.lua",
    ["uvwss.cli.tls"] = "lua/uvwss/cli/tls.lua",
    ["uvwss"] = "lua/uvwss/init.lua",
    ["uvwss.retry"] = "lua/uvwss/retry.lua",
    ["uvwss.core"] = {
      sources = {
        "csrc/base/buf.c",
        "csrc/base/err.c",
        "csrc/base/mem.c",
        "csrc/engine/client.c",
        "csrc/engine/conn_open.c",
        "csrc/engine/conn_read.c",
        "csrc/engine/conn_write.c",
        "csrc/engine/connection.c",
        "csrc/engine/engine.c",
        "csrc/engine/queue.c",
        "csrc/lua/call.c",
        "csrc/lua/error.c",
        "csrc/lua/handlers.c",
        "csrc/lua/input.c",
        "csrc/lua/loop.c",
        "csrc/lua/module.c",
        "csrc/lua/options.c",
        "csrc/lua/pin.c",
        "csrc/lua/tls.c",
        "csrc/lua/websocket.c",
        "csrc/lua/writer.c",
        "csrc/net/dial.c",
        "csrc/net/input.c",
        "csrc/net/lookup.c",
        "csrc/net/loop.c",
        "csrc/net/proxy.c",
        "csrc/net/shake.c",
        "csrc/net/stream.c",
        "csrc/net/timer.c",
        "csrc/tls/bio.c",
        "csrc/tls/context.c",
        "csrc/tls/file.c",
        "csrc/tls/load.c",
        "csrc/tls/material.c",
        "csrc/tls/name.c",
        "csrc/tls/peer.c",
        "csrc/tls/pin.c",
        "csrc/tls/reason.c",
        "csrc/tls/session.c",
        "csrc/tls/text.c",
        "csrc/tls/ticket.c",
        "csrc/tls/trace.c",
        "csrc/tls/verdict.c",
        "csrc/tls/verify.c",
        "csrc/ws/date.c",
        "csrc/ws/frame.c",
        "csrc/ws/handshake.c",
        "csrc/ws/head.c",
        "csrc/ws/mask.c",
        "csrc/ws/protocol.c",
        "csrc/ws/url.c",
        "csrc/ws/utf8.c",
      },
      defines = { "_GNU_SOURCE" },
      incdirs = { "csrc", "$(OPENSSL_INCDIR)", "$(LIBUV_INCDIR)" },
      libdirs = { "$(OPENSSL_LIBDIR)", "$(LIBUV_LIBDIR)" },
      libraries = { "ssl", "crypto", "uv" },
    },
  },
  install = { bin = { uvwss = "bin/uvwss" } },
}
test = { type = "command", command = "make test" }
