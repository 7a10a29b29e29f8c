local json = require "uvwss.cli.json"
local other_json = require "dkjson"
local command = require "spec.support.command"
local process = require "spec.support.process"
local text = require "uvwss.cli.text"

describe("uvwss", function()
  it("prints its help, with every command", function()
    local output, status = command.run { "--help" }
    assert.equal(0, status.code)
    assert.matches("^usage: uvwss ", output)
    for _, name in ipairs { "connect", "check", "serve", "certs" } do
      assert.matches("\n  " .. name .. " +%w", output)
    end
    for line in output:gmatch "[^\n]+" do assert.is_true(#line < 80, line) end
    assert.equal("", status.stderr)
    assert.equal(output, (command.run { "-h" }))
  end)

  it("prints the versions of itself and of its libraries", function()
    local output, status = command.run { "--version" }
    assert.equal(0, status.code)
    assert.matches("^uvwss %d+%.%d+%.%d+\n", output)
    assert.matches("\nOpenSSL 3%.%d+%.%d+\n", output)
    assert.matches("\nlibuv 1%.%d+%.%d+\n", output)
    assert.matches("\nLua 5%.4\n$", output)
    assert.equal(output, (command.run { "-V" }))
  end)

  for _, name in ipairs { "connect", "check", "serve", "certs" } do
    it("has a help for " .. name .. " that lists its options", function()
      local output, status = command.run { name, "--help" }
      assert.equal(0, status.code)
      assert.matches("^usage: uvwss " .. name .. " ", output)
      for _, option in ipairs(require("uvwss.cli." .. name).options) do
        assert.equal(not option.hidden,
          output:find("%-%-" .. option.name:gsub("-", "%%-") .. "%f[^%w-]") ~= nil, option.name)
      end
      for line in output:gmatch "[^\n]+" do assert.is_true(#line < 80, line) end
      assert.equal(output, (command.run { name, "-h" }))
    end)
  end

  it("runs from any directory", function()
    local output, status = process.run { "sh", "-c",
      'cd / && exec "$OLDPWD/bin/uvwss" --version' }
    assert.equal(0, status.code, status.stderr)
    assert.matches("^uvwss ", output)
  end)

  describe("says what is wrong with", function()
    local function is_refused(words, ...)
      local output, status = command.run(words)
      assert.equal(2, status.code, status.stderr)
      assert.equal("", output)
      local problem, usage = status.stderr:match "^([^\n]+)\n(usage: [^\n]+)\n"
      assert.truthy(problem, status.stderr)
      assert.matches("^usage: uvwss ", usage)
      for _, part in ipairs { ... } do
        assert.truthy(problem:find(part, 1, true), problem)
      end
    end
    local url = "ws://127.0.0.1:1/"

    it("no command", function()
      is_refused({}, "connect, check, serve or certs")
    end)
    it("an unknown command", function()
      is_refused({ "conect", url }, "'conect'", "did you mean 'connect'?")
      is_refused({ "entirely-different" }, "unknown command")
    end)
    it("an unknown option before a command", function()
      is_refused({ "--versoin" }, "'--versoin'", "'--version'")
    end)
    it("an unknown option", function()
      is_refused({ "connect", "--binray", url }, "unknown option '--binray'",
        "did you mean '--binary'?")
      is_refused({ "connect", "-x", url }, "unknown option '-x'")
      is_refused({ "check", "--insecure", url }, "unknown option")
      -- One that is not for people is not thought of.
      is_refused({ "serve", "--worke" }, "did you mean '--workers'?")
    end)
    it("a missing URL", function() is_refused({ "connect" }, "URL") end)
    it("a second URL", function()
      is_refused({ "check", url, "ws://b/" }, "'ws://b/'")
    end)
    it("what is no WebSocket URL", function()
      is_refused({ "connect", "http://127.0.0.1/" }, "scheme")
      is_refused({ "check", "wss://host:99999/" }, "port")
      is_refused({ "connect", "" }, "scheme")
    end)
    it("a missing value", function()
      is_refused({ "connect", url, "--ca" }, "'--ca'", "FILE")
      is_refused({ "connect", "--cert", "--key", "k", url }, "'--cert'")
    end)
    it("a value where none belongs", function()
      is_refused({ "connect", "--binary=yes", url }, "'--binary'", "no value")
    end)
    it("an option given twice", function()
      is_refused({ "connect", "--origin", "a", "--origin=b", url },
        "'--origin'", "twice")
    end)
    it("a number that is none, or too small, or too large", function()
      for _, value in ipairs { "soon", "0", "-1", "nan", "1e99", "9999999",
        "0x10", "" } do
        is_refused({ "check", "--timeout=" .. value, "wss://a/" },
          "'--timeout'", "seconds", "'" .. value .. "'")
      end
      is_refused({ "connect", "--wait", "never", url }, "'--wait'", "forever")
    end)
    it("a key without its certificate", function()
      is_refused({ "check", "--key", "k", "wss://a/" }, "'--key'", "'--cert'")
    end)
    it("a header without a colon, or one that is not the user's", function()
      is_refused({ "connect", "--header", "Name", url }, "'--header'",
        "'NAME: VALUE'")
      is_refused({ "connect", "-H", "Host: x", url }, "'--header'", "Host")
      is_refused({ "connect", "-H", "a b: x", url }, "'--header'", "a b")
    end)
    it("a subprotocol that is no token", function()
      is_refused({ "connect", "--subprotocol", "a b", url },
        "'--subprotocol'", "a b")
    end)
    it("a proxy that is none", function()
      is_refused({ "connect", "--proxy", "ftp://x", url }, "'--proxy'")
    end)
    it("its words without what they would do to a terminal", function()
      is_refused({ "connect", "--\27[2J", url }, "'--\\x1B[2J'")
    end)
  end)

  it("takes words behind -- as they are", function()
    local _, status = command.run { "connect", "--", "--json" }
    assert.equal(2, status.code)
    assert.matches("scheme", status.stderr)
  end)
end)

describe("uvwss.cli.text", function()
  it("replaces what is not UTF-8, and nothing else", function()
    for given, wanted in pairs {
      [""] = "", ["häß €😀"] = "häß €😀", ["a\xFFb"] = "a\u{FFFD}b",
      ["\xC3"] = "\u{FFFD}", ["\xED\xA0\x80"] = ("\u{FFFD}"):rep(3),
      ["x\x80"] = "x\u{FFFD}", ["\xC0\xAF"] = ("\u{FFFD}"):rep(2),
    } do
      assert.equal(wanted, text.valid(given))
    end
  end)

  it("shows control characters instead of obeying them", function()
    for given, wanted in pairs {
      ["\27[31m"] = "\\x1B[31m", ["a\0b\127"] = "a\\x00b\\x7F",
      ["\r\n\t"] = "\\x0D\\n\\t", ["\u{9B}2J"] = "\\u{9B}2J",
      ["\u{202E}abc"] = "\\u{202E}abc", ["\u{2066}"] = "\\u{2066}",
      ["“ä”"] = "“ä”",
    } do
      assert.equal(wanted, text.line(given))
    end
  end)

  it("keeps lines apart from what they could pretend to be", function()
    assert.equal("a\n  b\n  \\x0Dc", text.lines("a\r\nb\n\rc", "  "))
  end)

  it("writes base64", function()
    for given, wanted in pairs { [""] = "", f = "Zg==", fo = "Zm8=",
      foo = "Zm9v", ["\0\xFF\xFB\xFE"] = "AP/7/g==" } do
      assert.equal(wanted, text.base64(given))
    end
  end)

  it("writes binary data in a line", function()
    assert.equal("[0 bytes]", text.hex "")
    assert.equal("[1 byte] 0a |.|", text.hex "\n")
    local long = text.hex(("x"):rep(100))
    assert.matches("^%[100 bytes%] 78 .* 78 %.%.%. |x+|$", long)
    assert.is_true(#long < 120)
  end)
end)

describe("uvwss.cli.json", function()
  it("writes what others read, in one line", function()
    local all = {}
    for i = 0, 255 do all[#all + 1] = utf8.char(i) end
    local value = { text = table.concat(all) .. "€😀", list = { 1, 2.5, -3 },
      yes = true, no = false, deep = { { a = "\"\\" } } }
    local written = json.encode(value)
    assert.is_nil(written:find "[%c]")
    assert.same(value, (other_json.decode(written)))
  end)

  it("keeps empty arrays and objects apart", function()
    assert.equal("[{},[]]", json.encode { {}, json.array {} })
  end)

  it("has no numbers that JSON does not have", function()
    assert.equal("[null,null,null,1]",
      json.encode { 1 / 0, -1 / 0, 0 / 0, 1 })
  end)

  it("writes strings that are not UTF-8 all the same", function()
    assert.equal('"a\u{FFFD}b"', json.encode "a\xFFb")
  end)
end)
