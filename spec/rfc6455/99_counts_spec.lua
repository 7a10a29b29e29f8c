-- How many cases there are for each section, and that the document says so.

local conform = require "spec.support.conform"
local process = require "spec.support.process"

-- The rows of the table in docs/conformance.md.
local function table_of(counts, order)
  local lines, sum = {}, { cases = 0, client = 0, server = 0, runs = 0 }
  local function add(name, one)
    lines[#lines + 1] = ("| %s | %d | %d | %d | %d |"):format(name, one.cases,
      one.client, one.server, one.runs)
  end
  for _, section in ipairs(order) do
    add(section, counts[section])
    for key in pairs(sum) do sum[key] = sum[key] + counts[section][key] end
  end
  add("all", sum)
  return table.concat(lines, "\n"), sum
end

describe("the conformance suite", function()
  it("has the cases that docs/conformance.md counts", function()
    local text = table_of(conform.counts())
    local said = process.read_file "docs/conformance.md":match
      "%-:|\n(|.-|)\n\n"
    assert.are.equal(text, said)
  end)

  it("has hundreds of cases for each role", function()
    local _, sum = table_of(conform.counts())
    assert.is_true(sum.client >= 500 and sum.server >= 500)
    assert.is_true(sum.runs >= 8000)
  end)

  it("has a name for each case, and no name twice", function()
    for _, name in ipairs(conform.sections) do
      local seen = {}
      for _, row in ipairs(conform.rows(name)) do
        local id = row[1] .. (row.role or "") .. (row.over or "")
        assert.is_falsy(seen[id], "twice: " .. id)
        assert.matches("^%d[%d.]*%d$", row[2])
        seen[id] = true
      end
    end
  end)

  it("has a spec for each file of cases, and the other way round", function()
    local names = { table.unpack(conform.sections) }
    table.sort(names)
    local function list(command)
      return (process.run { "sh", "-c", command .. " | LC_ALL=C sort" })
    end
    assert.are.equal(table.concat(names, "\n") .. "\n",
      list "cd spec/rfc6455/cases && ls | sed 's/\\.lua$//'")
    assert.are.equal(table.concat(names, "\n") .. "\n",
      list "cd spec/rfc6455 && ls [01]* | sed 's/_spec\\.lua$//'")
  end)
end)
