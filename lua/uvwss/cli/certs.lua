--- `uvwss certs DIR [NAME …]`: a private CA, and certificates for development.

local core = require "uvwss.core"
local text = require "uvwss.cli.text"

local certs = {
  name = "certs",
  summary = "make a private CA, a server's and a client's certificate",
  usage = "uvwss certs [options] DIR [NAME ...]",
  wants = "a folder",
  most = math.huge,
}

local function days(value)
  local n = value:find "^%d+$" and math.tointeger(tonumber(value))
  if n and n >= 1 and n <= 36500 then return n end
  return nil, "a number of days from 1 to 36500"
end

---@type uvwss.cli.Option[]
certs.options = {
  { name = "days", value = "N", check = days, help = "how long the server's "
    .. "and the client's certificate are good for (365); the CA is for ten "
    .. "years" },
  { name = "force", help = "make new certificates in place of those that are "
    .. "there; a CA that is there is kept" },
  { name = "quiet", short = "q", help = "say only what goes wrong" },
}

certs.help = [[
Makes, for development, a private CA, a server's certificate that it signed,
which is good for the NAMEs (host names and IP addresses; without any:
localhost, 127.0.0.1 and ::1), and a client's. Keys are P-256, in files that
only their owner can read, without a password: nothing for the open internet.

A CA that lies in the folder already is used again, so that whoever trusts it
trusts the new certificates, too.

Options:
%s
Exit status: 0 when they were made, 1 when not, 2 for a mistake in the command
line.
]]

local guide = [[
%{dir}/ca.crt      the CA's certificate, for whoever is to trust it
%{dir}/ca.key      its key, which nobody needs but 'uvwss certs'
%{dir}/server.crt  the server's certificate, for %{names}
%{dir}/server.key  its key
%{dir}/client.crt  a client's certificate
%{dir}/client.key  its key

A server that demands clients' certificates, and a client that has one:
  uvwss serve --certs %{word} --client-ca %{word}/ca.crt wss://%{host}:8443
  uvwss connect --ca %{word}/ca.crt --cert %{word}/client.crt \
    --key %{word}/client.key wss://%{host}:8443/
]]

local function quoted(word)
  if word:find "^[%w%./_-]+$" then return word end
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

local function print_guide(dir, names)
  local host = names[1]:gsub("^%*", "www")
  local values = { dir = dir, word = quoted(dir),
    names = table.concat(names, ", "),
    host = host:find(":", 1, true) and "[" .. host .. "]" or host }
  for line in guide:gmatch "[^\n]*\n" do
    line = line:sub(1, -2):gsub("%%{(%l+)}", values)
    io.stdout:write(text.line(line), "\n")
  end
end

---Run the command.
---@param found table<string, any>  options, by name
---@param dir string
---@param ... string  names
---@return integer|nil status  the exit status; nil for a mistake
---@return string? problem     which
function certs.run(found, dir, ...)
  local names = { ... }
  if dir == "" then return nil, "the folder has no name" end
  if #dir > 1 then dir = dir:gsub("/+$", "") end
  local ok, err = core.certs(dir, names, found.days or 365,
    found.force or false)
  if not ok and err.code == "bad_name" then
    return nil, tostring(err)
  elseif not ok then
    io.stderr:write("uvwss: ", text.line(tostring(err)),
      err.code == "EEXIST" and "; --force makes it anew" or "", "\n")
    return 1
  end
  if not found.quiet then
    print_guide(dir, names[1] and names or { "localhost", "127.0.0.1", "::1" })
  end
  return 0
end

return certs
