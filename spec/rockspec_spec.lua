-- LuaRocks has to be told every source; this tells when it was not.
local function read(name)
  local file = assert(io.open(name))
  local text = file:read "a"
  file:close()
  return text
end

local function rockspec()
  local env = {}
  assert(load(read "rockspec/uvwss-dev-1.rockspec", "rockspec", "t", env))()
  return env
end

local function lines_of(command)
  local list, pipe = {}, assert(io.popen("LC_ALL=C; export LC_ALL; "
    .. command))
  for line in pipe:lines() do list[#list + 1] = line end
  pipe:close()
  return list
end

describe("the rockspec", function()
  it("lists every C source, in order", function()
    assert.same(lines_of "ls csrc/*/*.c",
      rockspec().build.modules["uvwss.core"].sources)
  end)

  it("lists every Lua module under the name that requires it", function()
    local expected = {}
    for _, file in ipairs(lines_of "find lua -name '*.lua'") do
      local name = file:match "^lua/(.*)%.lua$":gsub("/init$", "")
        :gsub("/", ".")
      expected[name] = file
    end
    local modules = rockspec().build.modules
    modules["uvwss.core"] = nil
    assert.same(expected, modules)
  end)

  it("is what `make rockspec` would write", function()
    assert.is_true(os.execute "lua5.4 tools/rockspec.lua --check")
  end)

  it("asks for Lua 5.4", function()
    assert.same({ "lua >= 5.4, < 5.5" }, rockspec().dependencies)
  end)
end)
