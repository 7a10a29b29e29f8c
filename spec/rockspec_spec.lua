-- LuaRocks builds and installs by the Makefile: this tells whether what it
-- installs is all there is.
local process = require "spec.support.process"

local function rockspec()
  local env = {}
  assert(load(process.read_file "rockspec/uvwss-dev-1.rockspec", "rockspec",
    "t", env))()
  return env
end

local function lines_of(command)
  local list = {}
  for line in process.run { "sh", "-c", command }:gmatch "[^\n]+" do
    list[#list + 1] = line
  end
  table.sort(list)
  return list
end

describe("the rockspec", function()
  it("names targets and variables that the Makefile has", function()
    local build, makefile = rockspec().build, process.read_file "Makefile"
    assert.are.equal("make", build.type)
    for _, target in ipairs { build.build_target, build.install_target } do
      assert.matches("\n" .. target .. ":", makefile)
    end
    for _, set in ipairs { build.build_variables, build.install_variables } do
      for name in pairs(set) do
        assert.matches("%$%(" .. name .. "%)", makefile)
      end
    end
  end)

  it("installs every module, the core and the command", function()
    local dir <close> = process.directory()
    local _, status = process.run { "make", "-s", "put", "DESTDIR=" .. dir.path,
      "LUADIR=/lua", "LIBDIR=/lib", "BINDIR=/bin", env = { MAKELEVEL = "1" } }
    assert.are.equal(0, status.code, status.stderr)
    local expected = lines_of("find lua -name '*.lua'")
    expected[#expected + 1] = "lib/uvwss/core.so"
    expected[#expected + 1] = "bin/uvwss"
    table.sort(expected)
    assert.same(expected, lines_of("cd " .. process.quoted(dir.path)
      .. " && find * -type f"))
  end)

  it("compiles every C source into the core", function()
    local objects = lines_of("make -s -n -B put MAKELEVEL=1 V=1 | "
      .. "grep -o 'csrc/[a-z]*/[a-z_0-9]*[.]c' | sort -u")
    assert.same(lines_of "ls csrc/*/*.c", objects)
  end)

  it("asks for every library that the core is linked with", function()
    local names = {}
    for name in pairs(rockspec().external_dependencies) do
      names[#names + 1] = name
    end
    table.sort(names)
    assert.same({ "LIBUV", "OPENSSL", "ZLIB" }, names)
  end)

  it("asks for Lua 5.4", function()
    assert.same({ "lua >= 5.4, < 5.5" }, rockspec().dependencies)
  end)
end)
