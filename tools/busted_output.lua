--- How busted reports here: a line for each file with its time, failures in
-- full as they happen, and the counts into the file named by UVWSS_COUNTS.

local busted = require "busted"
local base = require "busted.outputHandlers.base"

local function indent(text)
  return "    " .. tostring(text):gsub("\n", "\n    ")
end

local function message_of(info)
  local text = info.message
  if type(text) ~= "string" then
    text = text == nil and "(no message)" or require("pl.pretty").write(text)
  end
  if info.trace and info.trace.traceback
    and (info.isError or info.element.descriptor ~= "it") then
    text = text .. "\n" .. info.trace.traceback
  end
  return text
end

return function(options)
  local handler = base()
  local shown_failures, shown_errors, shown_pendings = 0, 0, 0
  local before

  local function show(list, shown, word)
    for i = shown + 1, #list do
      local info = list[i]
      local at = info.trace and info.trace.short_src
      io.write(("  %s %s%s\n%s\n"):format(word, info.name,
        at and (" (%s:%d)"):format(at, info.trace.currentline or 0) or "",
        indent(message_of(info))))
    end
    return #list
  end

  local function show_new()
    shown_failures = show(handler.failures, shown_failures, "FAILED")
    shown_errors = show(handler.errors, shown_errors, "ERROR")
    shown_pendings = show(handler.pendings, shown_pendings, "PENDING")
    io.flush()
    return nil, true
  end

  function handler.fileStart(file)
    before = { handler.successesCount, #handler.failures + #handler.errors,
      #handler.pendings, require("system").monotime() }
    io.write(file.name, "\n")
    io.flush()
    return nil, true
  end

  function handler.fileEnd()
    show_new()
    local pending = #handler.pendings - before[3]
    io.write(("  %d ok, %d failed%s (%.1f s)\n"):format(
      handler.successesCount - before[1],
      #handler.failures + #handler.errors - before[2],
      pending > 0 and (", %d pending"):format(pending) or "",
      require("system").monotime() - before[4]))
    io.flush()
    return nil, true
  end

  function handler.testStart(element)
    if options.verbose then
      io.write("  ", handler.getFullName(element), "\n")
      io.flush()
    end
    return nil, true
  end

  function handler.suiteEnd()
    show_new()
    local name = os.getenv "UVWSS_COUNTS"
    local file = name and assert(io.open(name, "w")) or io.stdout
    file:write(("%d passed, %d failed, %d pending\n"):format(
      handler.successesCount, #handler.failures + #handler.errors,
      #handler.pendings))
    if name then file:close() end
    return nil, true
  end

  busted.subscribe({ "file", "start" }, handler.fileStart)
  busted.subscribe({ "file", "end" }, handler.fileEnd)
  busted.subscribe({ "test", "start" }, handler.testStart)
  busted.subscribe({ "test", "end" }, show_new)
  busted.subscribe({ "suite", "end" }, handler.suiteEnd)
  busted.subscribe({ "error" }, show_new)
  busted.subscribe({ "failure" }, show_new)
  return handler
end
