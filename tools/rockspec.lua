--- Writes what lies in csrc/, lua/ and bin/ into the rockspec's 'build'.
-- With `--check` it only says whether that is needed (exit status 1).

local name = "rockspec/uvwss-dev-1.rockspec"

local function lines_of(command)
  local list, pipe = {}, assert(io.popen("LC_ALL=C; export LC_ALL; "
    .. command))
  for line in pipe:lines() do list[#list + 1] = line end
  pipe:close()
  return list
end

local out = {}
local function put(...) out[#out + 1] = string.format(...) end

put "  modules = {"
for _, file in ipairs(lines_of "find lua -name '*.lua' | sort") do
  local module = file:gsub("^lua/", ""):gsub("%.lua$", ""):gsub("/init$", "")
    :gsub("/", ".")
  put("    [%q] = %q,", module, file)
end
put "    [\"uvwss.core\"] = {"
put "      sources = {"
for _, file in ipairs(lines_of "ls csrc/*/*.c") do put("        %q,", file) end
put "      },"
put "      defines = { \"_GNU_SOURCE\" },"
put "      incdirs = { \"csrc\", \"$(OPENSSL_INCDIR)\", \"$(LIBUV_INCDIR)\" },"
put "      libdirs = { \"$(OPENSSL_LIBDIR)\", \"$(LIBUV_LIBDIR)\" },"
put "      libraries = { \"ssl\", \"crypto\", \"uv\" },"
put "    },"
put "  },"
local command = io.open "bin/uvwss"
if command then
  command:close()
  put "  install = { bin = { uvwss = \"bin/uvwss\" } },"
end

local file = assert(io.open(name))
local old = file:read "a"
file:close()
local head, tail = old:match "^(.-`make rockspec` writes%.\n).-(}\ntest = .*)$"
assert(head, name .. " has lost its marks")
local new = head .. table.concat(out, "\n") .. "\n" .. tail

if arg[1] == "--check" then
  os.exit(new == old and 0 or 1)
elseif new ~= old then
  file = assert(io.open(name, "w"))
  assert(file:write(new))
  file:close()
end
