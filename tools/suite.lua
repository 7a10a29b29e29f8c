--- Runs unit tests and specs, and ends with `N passed, N failed`.
--
--   lua5.4 tools/suite.lua [out=build] [bin=DIR] [wrap='COMMAND'] [slow=N]
--     [jobs=N] [c=no|PROGRAM] [only=NAME] [lua=no] [tag=NAME]
--     [specs='FILE …'] [-- BUSTED…]
--
-- out    where the variant under test lies
-- bin    a directory that comes first in PATH, with a lua5.4 in it
-- wrap   what runs the unit tests
-- slow   how many times longer than usual everything may take
-- jobs   how many run at once: one more than there are processors, for specs
--        mostly wait
-- c, lua which half to run; c=PROGRAM runs that one instead
-- tag    only the specs tagged #NAME
-- Each unit test, each file of specs and the folder of regressions is a process
-- of its own; what it said is shown when it has ended. Exit status 0 only if
-- something ran and nothing failed; where CI is set, something pending or
-- skipped is a failure too.

local process = dofile "spec/support/process.lua"
local quoted, read = process.quoted, process.read_file

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
local seconds = 300 * slow -- for each process

-- The longest first, so that none of them is what all wait for at the end.
local rank = {}
for i, name in ipairs { "soak_spec.lua", "tls_server_memory_test", "clients_spec.lua",
  "examples_spec.lua", "compress_peers_spec.lua", "exit_spec.lua",
  "tls_memory_test",
  "backpressure_spec.lua", "misuse_spec.lua", "cli_connect_spec.lua",
  "crowd_spec.lua", "rfc6455", "upgrade_spec.lua", "publish_spec.lua",
  "stream_spec.lua", "regress", "tls_spec.lua", "pin_spec.lua", "servers_spec.lua" } do
  rank[name] = i
end

local passed, failed, skipped = 0, 0, 0

local function lines_of(command)
  local list, pipe = {}, assert(io.popen(command))
  for line in pipe:lines() do list[#list + 1] = line end
  pipe:close()
  return list
end

-- ---- what runs, many at once ------------------------------------------------

local logs <close> = process.directory()
local identity = process.identity()
local certs = logs.path .. "/certs" -- one set for all
local asan = "detect_leaks=1:strict_string_checks=1:detect_stack_use_after_"
  .. "return=1:abort_on_error=0:allocator_may_return_null=1:"
  .. (os.getenv "ASAN_OPTIONS" or "")
local environment = table.concat({
  'eval "$(tools/env ' .. quoted(out) .. " " .. quoted(bin) .. ')";',
  "export ASAN_OPTIONS=" .. quoted(asan),
  "UBSAN_OPTIONS=print_stacktrace=1",
  "LSAN_OPTIONS=suppressions=tools/leaks.supp:print_suppressions=0",
  "TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1",
  ("UVWSS_SLOW=%g"):format(slow),
  "UVWSS_CERTS=" .. quoted(certs) .. ";",
}, " ")

local units = {}

-- `judge` is called when it has ended: with whether well, what is to be said
-- of it if not, and the names of its log and of a file for its counts.
local function add(name, command, judge)
  local number = #units + 1
  local base = ("%s/%d"):format(logs.path, number)
  local mark = quoted(("UVWSS_UNIT=%s-%d"):format(identity, number))
  local unit = { name = name, judge = judge, number = number,
    rank = rank[name:match "[^/]+$"] or math.huge, script = base .. ".sh",
    log = base .. ".log", counts = base .. ".counts" }
  units[number] = unit
  -- Signals are what they are on a terminal, also where this was started in the
  -- background. One that failed may have left children that nobody waits for.
  process.write_file(unit.script, ([[
began=$(date +%%s)
env --default-signal %s UVWSS_COUNTS=%s timeout --foreground -k 5 %d \
  %s >%s 2>&1 </dev/null
status=$?
[ $status = 0 ] || tools/reap %s
echo "%d $status $(($(date +%%s) - began))"
]]):format(mark, quoted(unit.counts), seconds, command, quoted(unit.log),
    mark, number))
end

local function ended(unit, status, took)
  unit.took = took
  local late = status == 124 or status == 137
  local said = late and ("was not done after %d s"):format(seconds)
    or status and ("ended with status %d"):format(status)
    or "was never heard of again"
  local good, bad, skip = unit.judge(status == 0, said, unit)
  passed, failed, skipped = passed + good, failed + bad, skipped + skip
  unit.over = true
  io.flush()
end

local function run_all()
  if #units == 0 then return end
  local said, how = process.run { "sh", "spec/certs/make.sh", certs }
  assert(how.code == 0, said .. how.stderr)
  local order = table.move(units, 1, #units, 1, {})
  table.sort(order, function(a, b)
    return a.rank < b.rank or a.rank == b.rank and a.number < b.number
  end)
  local list = {}
  for i, unit in ipairs(order) do list[i] = quoted(unit.script) end
  local jobs = options.jobs or (tonumber(lines_of "nproc"[1]) or 1) + 1
  local pipe = assert(io.popen(("%s printf '%%s\\n' %s | xargs -n 1 -P %d sh")
    :format(environment, table.concat(list, " "), jobs)))
  for line in pipe:lines() do
    local number, status, took = line:match "^(%d+) (%d+) (%d+)$"
    if number then
      ended(units[tonumber(number)], tonumber(status), took)
    else
      print(line) -- a child that was left
    end
  end
  pipe:close()
  for _, unit in ipairs(units) do
    if not unit.over then ended(unit) end
  end
end

-- ---- unit tests -------------------------------------------------------------

-- What cmocka says of itself, or nothing.
local function counts_in(log)
  local ok = tonumber(log:match "%[  PASSED  %] (%d+) test")
  if not ok then return nil end
  return ok, tonumber(log:match "%[  FAILED  %] (%d+) test") or 0,
    tonumber(log:match "%[  SKIPPED %] (%d+) test") or 0
end

-- A crash, a leak found at the end or a hang is a failure more.
local function judge_unit_test(ok, said, unit)
  local log = read(unit.log) or ""
  local good, bad, skip = counts_in(log)
  if not good then
    good, bad, skip = ok and 1 or 0, ok and 0 or 1, 0
  elseif not ok and bad == 0 then
    bad = 1
  end
  if bad > 0 or skip > 0 then io.write(log, "\n") end
  print(("%s: %d ok, %d failed%s (%s)"):format(unit.name, good, bad,
    skip > 0 and (", %d skipped"):format(skip) or "",
    ok and unit.took .. " s" or said))
  return good, bad, skip
end

local function add_unit_test(program)
  add(program, options.wrap .. " " .. quoted(program), judge_unit_test)
end

local function add_unit_tests()
  if options.c == "no" then return end
  if options.c then
    if read(options.c) then
      add_unit_test(options.c)
    else
      print(options.c .. " is not there: nothing to run")
    end
    return
  end
  for _, source in ipairs(lines_of "ls spec/c/*_test.c 2>/dev/null") do
    local name = source:match "([^/]+)%.c$"
    if not options.only or name:find(options.only, 1, true) then
      add_unit_test(out .. "/c/" .. name)
    end
  end
end

-- ---- specs ------------------------------------------------------------------

local function judge_specs(ok, said, unit)
  io.write(read(unit.log) or "")
  local good, bad, skip = (read(unit.counts) or "")
    :match "(%d+) passed, (%d+) failed, (%d+)"
  good, bad, skip = tonumber(good) or 0, tonumber(bad) or 0,
    tonumber(skip) or 0
  if not ok and bad == 0 then
    print(("  ERROR %s %s"):format(unit.name, said))
    bad = 1
  end
  return good, bad, skip
end

-- Files in folders below spec/ are small: a folder is one process.
local function spec_files()
  local list, folders = {}, {}
  for _, file in ipairs(lines_of(("find %s -name '*_spec.lua' | sort"):format(
    options.specs or "spec"))) do
    local name = not options.specs and file:match "^(spec/.+)/[^/]+$" or file
    -- Where nothing has the tag, busted would start for nothing.
    if not options.tag or read(file):find("#" .. options.tag, 1, true) then
      if not folders[name] then
        folders[name] = { name = name }
        list[#list + 1] = folders[name]
      end
      table.insert(folders[name], quoted(file))
    end
  end
  return list
end

local function add_specs()
  if options.lua == "no" or (options.only and not options.specs) then
    return
  end
  local words = {}
  for i, word in ipairs(rest) do words[i] = quoted(word) end
  if options.tag then words[#words + 1] = quoted("--tags=" .. options.tag) end
  local files = spec_files()
  if #files == 0 then
    print "there are no such specs"
    failed = failed + 1
  end
  for _, file in ipairs(files) do
    add(file.name, ("lua5.4 /usr/bin/busted --ignore-lua "
      .. "--output=tools/busted_output.lua %s %s"):format(
        table.concat(words, " "), table.concat(file, " ")), judge_specs)
  end
end

-- Without it the plain interpreter would run, and everything look fine.
assert(not options.bin or read(bin .. "/lua5.4"), bin .. " has no lua5.4")
add_unit_tests()
add_specs()
run_all()

local ci = os.getenv "CI"
if skipped > 0 then
  print(("%d pending or skipped"):format(skipped))
  if ci and ci ~= "" then failed = failed + skipped end
end
print(("%d passed, %d failed"):format(passed, failed))
local some = passed > 0 or (options.c and options.c ~= "no")
os.exit(failed == 0 and some and 0 or 1, true)
