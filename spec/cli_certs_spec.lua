local command = require "spec.support.command"
local process = require "spec.support.process"

local function certs(...)
  return command.run { "certs", ... }
end

local function openssl(...)
  local output, status = process.run { "openssl", ... }
  return output, status.code, status.stderr
end

local names = { "ca.crt", "ca.key", "client.crt", "client.key", "server.crt",
  "server.key" }

local function contents(dir)
  local all = {}
  for _, name in ipairs(names) do
    all[name] = process.read_file(dir .. "/" .. name)
  end
  return all
end

local function is_verified(dir, name, purpose, ...)
  local words = { "verify", "-x509_strict", "-CAfile", dir .. "/ca.crt",
    "-no-CApath", "-no-CAstore", "-purpose", purpose, ... }
  words[#words + 1] = dir .. "/" .. name .. ".crt"
  local output, code, said = openssl(table.unpack(words))
  assert.equal(0, code, output .. said)
end

describe("uvwss certs", function()
  local dir
  before_each(function() dir = process.directory() end)
  after_each(function() dir:remove() end)

  it("makes a CA, a server's and a client's certificate", function()
    local path = dir.path .. "/new"
    local output, status = certs(path)
    assert.same({ 0, "" }, { status.code, status.stderr })
    for _, name in ipairs(names) do
      assert.is_truthy(process.read_file(path .. "/" .. name), name)
      assert.matches(path .. "/" .. name, output, 1, true)
    end
    local listed = process.run { "ls", "-A", path }
    assert.equal(table.concat(names, "\n") .. "\n", listed)
    is_verified(path, "server", "sslserver", "-verify_hostname", "localhost")
    is_verified(path, "server", "sslserver", "-verify_ip", "127.0.0.1")
    is_verified(path, "server", "sslserver", "-verify_ip", "::1")
    is_verified(path, "client", "sslclient")
  end)

  it("keeps keys to their owner", function()
    certs(dir.path)
    local modes = process.run { "stat", "-c", "%a %n", dir.path .. "/ca.key",
      dir.path .. "/server.key", dir.path .. "/client.key" }
    for mode in modes:gmatch "(%d+) " do assert.equal("600", mode) end
  end)

  it("makes the server's certificate good for the names that are given",
    function()
      certs(dir.path, "a.example", "*.b.example", "192.0.2.7", "2001:db8::1")
      for _, check in ipairs { { "-verify_hostname", "a.example" },
        { "-verify_hostname", "x.b.example" }, { "-verify_ip", "192.0.2.7" },
        { "-verify_ip", "2001:db8::1" } } do
        is_verified(dir.path, "server", "sslserver", table.unpack(check))
      end
      assert.not_equal(0, select(2, openssl("verify", "-CAfile",
        dir.path .. "/ca.crt", "-verify_hostname", "localhost",
        dir.path .. "/server.crt")))
    end)

  it("makes them good for so many days", function()
    certs("--days", "3", dir.path)
    local function ends_within(name, days)
      return select(2, openssl("x509", "-noout", "-checkend",
        days * 86400, "-in", dir.path .. "/" .. name)) ~= 0
    end
    for _, name in ipairs { "server.crt", "client.crt" } do
      assert.is_false(ends_within(name, 2))
      assert.is_true(ends_within(name, 4))
    end
    assert.is_false(ends_within("ca.crt", 3000))
  end)

  it("overwrites nothing", function()
    certs(dir.path)
    local before = contents(dir.path)
    local output, status = certs(dir.path)
    assert.same({ "", 1 }, { output, status.code })
    assert.matches("^uvwss: [^\n]*/server%.%l+\"[^\n]*%-%-force", status.stderr)
    assert.same(before, contents(dir.path))
  end)

  it("makes new ones with --force, by the CA that is there", function()
    certs(dir.path)
    local before = contents(dir.path)
    local _, status = certs("--force", dir.path)
    assert.equal(0, status.code, status.stderr)
    local after = contents(dir.path)
    for _, name in ipairs(names) do
      assert.equal(name:sub(1, 3) == "ca.", before[name] == after[name], name)
    end
    is_verified(dir.path, "server", "sslserver")
  end)

  it("makes what is missing with a CA that is there", function()
    certs(dir.path)
    local ca = process.read_file(dir.path .. "/ca.crt")
    for _, name in ipairs { "server.crt", "server.key", "client.crt",
      "client.key" } do
      os.remove(dir.path .. "/" .. name)
    end
    local _, status = certs(dir.path)
    assert.equal(0, status.code, status.stderr)
    assert.equal(ca, process.read_file(dir.path .. "/ca.crt"))
    is_verified(dir.path, "client", "sslclient")
  end)

  it("says nothing with --quiet", function()
    local output, status = certs("-q", dir.path)
    assert.same({ "", 0, "" }, { output, status.code, status.stderr })
  end)

  it("says what it could not write", function()
    local _, status = certs(process.write_file(dir.path .. "/file", "")
      .. "/below")
    assert.equal(1, status.code)
    assert.matches("^uvwss: [^\n]*/file/below", status.stderr)
  end)

  it("says how to use what it made, and that works as it stands", function()
    local path = dir.path .. "/it's here"
    local output = certs(path)
    local serve = output:match "\n  uvwss (serve [^\n]*):8443\n"
    local connect = output:match "\n  uvwss (connect .*):8443/\n"
    local server <close> = process.start { "sh", "-c", "exec bin/uvwss "
      .. serve .. ":0", ready = "^listening on wss://localhost:(%d+)$" }
    local said, status = process.run { "sh", "-c", ("echo hello | bin/uvwss "
      .. "%s:%d/"):format(connect, server.port) }
    assert.equal("hello\n", said)
    assert.equal(0, status.code, status.stderr)
    -- Without its last two options, nobody is let in.
    connect = connect:gsub("%-%-cert .* wss", "wss")
    said, status = process.run { "sh", "-c", ("echo hello | bin/uvwss "
      .. "%s:%d/"):format(connect, server.port) }
    assert.same({ "", 1 }, { said, status.code })
    assert.matches("requires a client's certificate", status.stderr)
  end)

  describe("says what is wrong with", function()
    local function is_refused(words, ...)
      local output, status = certs(table.unpack(words))
      assert.same({ "", 2 }, { output, status.code })
      local problem = status.stderr:match "^[^\n]+"
      for _, part in ipairs { ... } do
        assert.truthy(problem:find(part, 1, true), problem)
      end
    end

    it("no folder", function()
      is_refused({}, "a folder is missing")
      is_refused({ "" }, "folder")
    end)
    it("names that no certificate can have", function()
      for _, name in ipairs { "a b", "a..b", "*", "", ("a"):rep(300) } do
        is_refused({ dir.path, name }, name:sub(1, 50))
      end
      assert.equal("", (process.run { "ls", "-A", dir.path }))
    end)
    it("days that are none", function()
      for _, value in ipairs { "0", "-1", "x", "1.5", "36501", "" } do
        is_refused({ "--days=" .. value, dir.path }, "'--days'", "36500")
      end
    end)
  end)
end)
