-- Which floor may know which, and what the outside sees (CONTRIBUTING: the
-- floors of csrc/).
local process = require "spec.support.process"

local floors = {
  base = { own = { "base" }, foreign = {} },
  ws = { own = { "base", "ws" }, foreign = { "^zlib%.h$" } },
  tls = { own = { "base", "tls" }, foreign = { "^openssl/" } },
  net = { own = { "base", "net" }, foreign = { "^uv%.h$" } },
  engine = { own = { "base", "ws", "tls", "net", "engine" }, foreign = {} },
  lua = { own = { "base", "engine", "lua" },
    foreign = { "^lua%.h$", "^lauxlib%.h$", "^lualib%.h$" } },
}

-- Headers of C11, and what POSIX, or a compiler for one processor, adds that
-- these floors need.
local standard = {}
for name in ("assert ctype errno float inttypes limits math setjmp stdarg "
  .. "stdbool stddef stdint stdio stdlib string time"):gmatch "%S+" do
  standard[name .. ".h"] = true
end
local more = {
  ws = { ["tmmintrin.h"] = true },
  net = { ["arpa/inet.h"] = true, ["netdb.h"] = true, ["netinet/in.h"] = true,
    ["netinet/tcp.h"] = true, ["sys/socket.h"] = true, ["sys/types.h"] = true,
    ["unistd.h"] = true, ["fcntl.h"] = true, ["strings.h"] = true,
    ["sys/stat.h"] = true, ["sys/un.h"] = true },
  tls = { ["arpa/inet.h"] = true, ["dirent.h"] = true, ["fcntl.h"] = true,
    ["sys/stat.h"] = true, ["sys/types.h"] = true, ["unistd.h"] = true,
    ["netinet/in.h"] = true, ["sys/socket.h"] = true,
    ["strings.h"] = true },
}

local function files(pattern)
  local list = {}
  for name in process.run { "sh", "-c", "ls " .. pattern }:gmatch "%S+" do
    list[#list + 1] = name
  end
  return list
end

local function allowed(floor, header, own)
  if own then
    local folder = header:match "^(%w+)/"
    for _, name in ipairs(floors[floor].own) do
      if folder == name then return true end
    end
    return false
  end
  if standard[header] or (more[floor] or {})[header] then return true end
  for _, pattern in ipairs(floors[floor].foreign) do
    if header:match(pattern) then return true end
  end
  return false
end

describe("the house", function()
  it("has floors that know only the floors under them", function()
    local seen = 0
    for floor in pairs(floors) do
      for _, name in ipairs(files("csrc/" .. floor .. "/*.[ch]")) do
        for line in io.lines(name) do
          local open, header = line:match '^%s*#%s*include%s+([<"])([^>"]+)'
          if header then
            seen = seen + 1
            assert.is_true(allowed(floor, header, open == '"'),
              name .. " must not include " .. header)
          end
        end
      end
    end
    assert.is_true(seen > 100)
  end)

  it("notices an include of a wrong floor", function()
    assert.is_false(allowed("ws", "tls/session.h", true))
    assert.is_false(allowed("engine", "uv.h", false))
    assert.is_false(allowed("lua", "net/loop.h", true))
    assert.is_false(allowed("engine", "zlib.h", false))
    assert.is_false(allowed("base", "openssl/ssl.h", false))
  end)

  it("meets zlib in one place", function()
    for _, name in ipairs(files "csrc/*/*.[ch]") do
      if name ~= "csrc/ws/deflate.c" then
        assert.is_nil(process.read_file(name):match "[<\"]zlib%.h[>\"]", name)
      end
    end
  end)

  it("enters Lua through one door", function()
    -- lua_pcall and lua_resume stand where the door is, and where a coroutine
    -- is woken, an error made, or onverify asked under its protection.
    local may = { ["csrc/lua/call.c"] = true, ["csrc/lua/error.c"] = true,
      ["csrc/lua/loop.c"] = true, ["csrc/lua/connect.c"] = true,
      ["csrc/lua/verify.c"] = true }
    for _, name in ipairs(files "csrc/*/*.c") do
      local text = process.read_file(name)
      if text:find("lua_pcall", 1, true) or text:find("lua_resume", 1, true) then
        assert.is_true(may[name], name)
      end
    end
  end)

  it("allocates through one door", function()
    for _, name in ipairs(files "csrc/*/*.c") do
      if name ~= "csrc/base/mem.c" then
        for line in io.lines(name) do
          assert.is_nil(line:match "%f[%w_][cm]alloc%s*%(", name .. ": " .. line)
          assert.is_nil(line:match "%f[%w_]realloc%s*%(", name .. ": " .. line)
          assert.is_nil(line:match "%f[%w_]strdup%s*%(", name .. ": " .. line)
          assert.is_nil(line:match "%f[%w_]free%s*%(", name .. ": " .. line)
        end
      end
    end
  end)

  it("exports one symbol", function()
    local path = assert(package.searchpath("uvwss.core", package.cpath))
    local names = process.run { "nm", "-D", "--defined-only", path }
    local list = {}
    for symbol in names:gmatch "%x+ %a (%S+)" do
      -- Sanitizers and profilers add their own.
      if not symbol:match "^__" and not symbol:match "^_[A-Z]"
        and symbol ~= "mangle_path" then
        list[#list + 1] = symbol
      end
    end
    assert.are.same({ "luaopen_uvwss_core" }, list)
  end)

  it("says the same version everywhere", function()
    local version = process.read_file "csrc/base/version.h"
      :match 'UVWSS_VERSION "([^"]+)"'
    assert.are.equal("uvwss " .. version, require "uvwss"._VERSION)
    assert.matches("%[" .. version:gsub("%p", "%%%0") .. "%]",
      process.read_file "CHANGELOG.md")
  end)
end)
