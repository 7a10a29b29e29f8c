--- The command `uvwss`: finds the command that is meant, and turns what it
-- returns into an exit status.

local args = require "uvwss.cli.args"
local suggest = require "uvwss.suggest"

local cli = {}

local commands = { "connect", "check", "serve", "certs" }

local top_options = {
  { name = "help", short = "h", help = "print this, or a command's own help" },
  { name = "version", short = "V",
    help = "print versions of this and of the libraries in use" },
}

local own_help = { name = "help", short = "h", help = "print this" }

local function load(name)
  return require("uvwss.cli." .. name)
end

local function print_help()
  local list = {}
  for _, name in ipairs(commands) do
    list[#list + 1] = ("  %-8s  %s\n"):format(name, load(name).summary)
  end
  io.stdout:write("usage: uvwss COMMAND [options] ...\n\n",
    "A WebSocket client and server over verified TLS.\n\nCommands:\n",
    table.concat(list), "\nOptions:\n", args.help(top_options),
    "\n'uvwss COMMAND --help' tells more about each.\n")
  return 0
end

local function print_version()
  local wss = require "uvwss"
  local versions, names = wss.versions(), {}
  local labels = { openssl = "OpenSSL", zlib = "zlib" }
  for name in pairs(versions) do
    if name ~= "uvwss" then names[#names + 1] = name end
  end
  table.sort(names)
  io.stdout:write("uvwss ", versions.uvwss, "\n")
  for _, name in ipairs(names) do
    io.stdout:write(labels[name] or name, " ", versions[name], "\n")
  end
  io.stdout:write(_VERSION, "\n")
  return 0
end

-- A mistake in the command line: what, how it should be, where to read on.
local function mistake(who, usage, problem)
  io.stderr:write(who, ": ", require "uvwss.cli.text".line(problem),
    "\nusage: ", usage, "\n'", who, " --help' tells more.\n")
  return 2
end

local function run(command, words)
  local who = "uvwss " .. command.name
  local options = table.move(command.options, 1, #command.options, 1, {})
  options[#options + 1] = own_help
  local found, others = args.parse(options, words)
  if not found then
    return mistake(who, command.usage, others)
  elseif found.help then
    io.stdout:write("usage: ", command.usage, "\n\n",
      (command.help:gsub("%%s", function() return args.help(options) end)))
    return 0
  end
  local wants, most = command.wants or "a URL", command.most or 1
  if #others < (command.least or 1) then
    return mistake(who, command.usage, wants .. " is missing")
  elseif #others > most then
    return mistake(who, command.usage, ("%s is enough, but there is '%s' too")
      :format(wants:gsub("^a ", "one "), others[most + 1]))
  end
  local status, problem = command.run(found, table.unpack(others))
  if not status then return mistake(who, command.usage, problem) end
  return status
end

---Run the command line.
---@param words string[]   without the name of the program
---@return integer status  the exit status: 2 for a mistake in the words
function cli.main(words)
  local usage = "uvwss COMMAND [options] ..."
  for i, name in ipairs(commands) do
    if words[1] == name then
      return run(load(commands[i]), table.move(words, 2, #words, 1, {}))
    end
  end
  local found, others = args.parse(top_options, words)
  if not found then return mistake("uvwss", usage, others) end
  if found.help then return print_help() end
  if found.version then return print_version() end
  if not others[1] then
    return mistake("uvwss", usage, "a command is missing: "
      .. table.concat(commands, ", ", 1, #commands - 1) .. " or "
      .. commands[#commands])
  end
  return mistake("uvwss", usage, ("unknown command '%s'%s"):format(others[1],
    suggest(others[1], commands)))
end

return cli
