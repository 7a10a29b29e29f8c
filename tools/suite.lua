--- Runs unit tests and specs, and ends with `N passed, N failed`.
--
--   lua5.4 tools/suite.lua [out=build] [bin=DIR] [wrap='COMMAND'] [slow=N]
--     [c=no|PROGRAM] [only=NAME] [lua=no] [specs='FILE …'] [-- BUSTED…]
--
-- out    where the variant under test lies
-- bin    a directory that comes first in PATH, with a lua5.4 in it
-- wrap   what runs the unit tests
-- slow   how many times longer than usual everything may take
-- c, lua which half to run; c=PROGRAM runs that one instead
-- Exit status 0 only if something ran and nothing failed; where CI is set,
-- something pending or skipped is a failure too.

local options, rest = { out = "build", slow = "1", wrap = "" }, {}
for i = 1, #arg do
  if arg[i] == "--" then
    rest = table.move(arg, i + 1, #arg, 1, {})
    break
  end
  local name, value = arg[i]:match "^(%l+)=(.*)$"
  assert(name, "not an option: " .. arg[i])
  options[name] = value
end
local out = options.out
local bin = options.bin or ""
local slow = tonumber(options.slow) * (tonumber(os.getenv "UVWSS_SLOW") or 1)
local unit_seconds, spec_seconds = 120 * slow, 900 * slow

local passed, failed, skipped = 0, 0, 0

local function quoted(s)
  return "'" .. s:gsub("'", "'\\''") .. "'"
end

local function read(name)
  local file = io.open(name)
  if not file then return nil end
  local text = file:read "a"
  file:close()
  return text
end

local function lines_of(command)
  local list, pipe = {}, assert(io.popen(command))
  for line in pipe:lines() do list[#list + 1] = line end
  pipe:close()
  return list
end

local asan = "detect_leaks=1:strict_string_checks=1:detect_stack_use_after_"
  .. "return=1:abort_on_error=0:allocator_may_return_null=1:"
  .. (os.getenv "ASAN_OPTIONS" or "")
local environment = table.concat({
  'eval "$(tools/env ' .. quoted(out) .. " " .. quoted(bin) .. ')";',
  "export ASAN_OPTIONS=" .. quoted(asan),
  "UBSAN_OPTIONS=print_stacktrace=1",
  "LSAN_OPTIONS=suppressions=tools/leaks.supp:print_suppressions=0",
  "TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1;",
}, " ")

-- The status of 'command', and whether the time was too short.
local function run(command, seconds)
  local _, how, code = os.execute(("%s exec timeout --foreground -k 5 %d %s")
    :format(environment, seconds, command))
  local late = code == 124 or code == 137
  return how == "exit" and code == 0,
    late and ("not done after %d s"):format(seconds)
      or ("%s %d"):format(how, code)
end

-- What cmocka says of itself, or nothing.
local function counts_in(log)
  local ok = tonumber(log:match "%[  PASSED  %] (%d+) test")
  if not ok then return nil end
  return ok, tonumber(log:match "%[  FAILED  %] (%d+) test") or 0,
    tonumber(log:match "%[  SKIPPED %] (%d+) test") or 0
end

-- A crash, a leak found at the end or a hang is a failure more.
local function unit_test(program)
  local log_name = out .. "/c.log"
  local ok, status = run(("%s %s >%s 2>&1 </dev/null"):format(options.wrap,
    quoted(program), quoted(log_name)), unit_seconds)
  local log = read(log_name) or ""
  local good, bad, skip = counts_in(log)
  if not good then
    good, bad, skip = ok and 1 or 0, ok and 0 or 1, 0
  elseif not ok and bad == 0 then
    bad = 1
  end
  passed, failed, skipped = passed + good, failed + bad, skipped + skip
  if bad > 0 or skip > 0 then io.write(log, "\n") end
  print(("%s: %d ok, %d failed%s%s"):format(program, good, bad,
    skip > 0 and (", %d skipped"):format(skip) or "",
    ok and "" or " (" .. status .. ")"))
end

local function unit_tests()
  if options.c == "no" then return end
  if options.c then
    if read(options.c) then
      unit_test(options.c)
    else
      print(options.c .. " is not there: nothing to run")
    end
    return
  end
  for _, source in ipairs(lines_of "ls spec/c/*_test.c 2>/dev/null") do
    local name = source:match "([^/]+)%.c$"
    if not options.only or name:find(options.only, 1, true) then
      unit_test(out .. "/c/" .. name)
    end
  end
end

local function specs()
  if options.lua == "no" or (options.only and not options.specs) then
    return
  end
  local counts_name = out .. "/specs.counts"
  os.remove(counts_name)
  local arguments = {}
  for i, word in ipairs(rest) do arguments[i] = quoted(word) end
  local ok, status = run(("env UVWSS_COUNTS=%s UVWSS_SLOW=%g lua5.4 "
    .. "/usr/bin/busted --ignore-lua --output=tools/busted_output.lua %s %s "
    .. "</dev/null"):format(quoted(counts_name), slow,
      table.concat(arguments, " "), options.specs or ""), spec_seconds)
  local counts = read(counts_name) or ""
  local good, bad, skip = counts:match "(%d+) passed, (%d+) failed, (%d+)"
  good, bad, skip = tonumber(good) or 0, tonumber(bad) or 0,
    tonumber(skip) or 0
  if not ok and bad == 0 then
    print("the specs ended with " .. status)
    bad = 1
  end
  passed, failed, skipped = passed + good, failed + bad, skipped + skip
end

-- Without it the plain interpreter would run, and everything look fine.
assert(not options.bin or read(bin .. "/lua5.4"), bin .. " has no lua5.4")
os.execute("mkdir -p " .. quoted(out))
unit_tests()
specs()

local ci = os.getenv "CI"
if skipped > 0 then
  print(("%d pending or skipped"):format(skipped))
  if ci and ci ~= "" then failed = failed + skipped end
end
print(("%d passed, %d failed"):format(passed, failed))
local asked_for_one = options.c and options.c ~= "no"
os.exit(failed == 0 and (passed > 0 or asked_for_one) and 0 or 1)
