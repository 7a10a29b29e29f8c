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
  ZLIB = { header = "zlib.h", library = "z" },
}
-- The Makefile knows the sources and the flags (hidden symbols among them,
-- which a "builtin" build cannot have).
build = {
  type = "make",
  build_target = "files",
  install_target = "put",
  build_variables = {
    CFLAGS = "$(CFLAGS)",
    CPPFLAGS = "-I$(OPENSSL_INCDIR) -I$(LIBUV_INCDIR) -I$(ZLIB_INCDIR)",
    LDFLAGS = "-L$(OPENSSL_LIBDIR) -L$(LIBUV_LIBDIR) -L$(ZLIB_LIBDIR)",
    LUA = "$(LUA)",
    LUA_INCDIR = "$(LUA_INCDIR)",
    WERROR = "", -- for whoever builds with a compiler newer than ours
  },
  install_variables = {
    BINDIR = "$(BINDIR)",
    LIBDIR = "$(LIBDIR)",
    LUADIR = "$(LUADIR)",
    LUA_INCDIR = "$(LUA_INCDIR)",
    WERROR = "",
  },
}
test = { type = "command", command = "make test" }
