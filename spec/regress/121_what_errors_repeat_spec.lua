local wss = require "uvwss"

-- Names and values were repeated as they were: of any bytes and any length.
describe("an error that repeats what it was given", function()
  local url = "ws://127.0.0.1:1"
  local hostile = "\27[2J\n\xFF\u{202E}" .. ("é"):rep(5000)

  local function look_at(message)
    assert.is_true(#message <= 512, #message .. " bytes")
    assert.is_truthy(utf8.len(message), message)
    assert.is_nil(message:find "%c", message)
    assert.is_nil(message:find("\u{202E}", 1, true), message)
    assert.is_truthy(message:find("\\x1b[2J\\x0a\\xff", 1, true), message)
    assert.is_truthy(message:find("...", 1, true), message)
  end

  for what, options in pairs {
    ["an unknown option"] = { [hostile] = 1 },
    ["a subprotocol"] = { subprotocols = hostile },
    ["a header"] = { headers = { [hostile] = "x" } },
    ["a header's type"] = { headers = { [hostile] = 1 } },
    ["an outbox"] = { reconnect = { outbox = hostile } },
    ["an option of reconnecting"] = { reconnect = { [hostile] = 1 } },
    ["a value of reconnecting"] = { reconnect = { min = hostile } },
    ["a version"] = { tls = { min_version = hostile } },
    ["a word"] = { tls = { crl_check = hostile } },
  } do
    it("is printable and short: " .. what, function()
      local ok, message = pcall(wss.connect, url, options)
      assert.is_false(ok)
      look_at(message)
    end)
  end

  for what, options in pairs {
    ["a file"] = { ca = "/dev/null/" .. hostile },
    ["ciphers"] = { ciphers = hostile },
    ["groups"] = { groups = hostile },
  } do
    it("is printable and short: " .. what, function()
      local tls, err = wss.tls(options)
      assert.is_nil(tls)
      look_at(err.message)
    end)
  end

  it("is printable and short: origins, kinds, signals, handlers", function()
    local ws = wss.connect(url, { onclose = function() end })
    for _, fn in ipairs {
      function() wss.listen("ws://127.0.0.1:0", { origins = hostile }) end,
      function() ws:send("x", hostile) end,
      function() wss.signal(hostile, print) end,
      function() ws["on" .. hostile] = print end,
    } do
      local ok, message = pcall(fn)
      assert.is_false(ok)
      look_at(message)
    end
    ws:terminate()
    wss.run()
  end)

  it("is printable: the path of a local socket", function()
    local server, err = wss.listen "ws+unix:///dev/null/%0A%FF"
    assert.is_nil(server)
    assert.are.equal("could not listen on the local socket "
      .. "\"/dev/null/\\x0a\\xff\": not a directory", err.message)
    local ws = wss.connect "ws+unix:///dev/null/%0A%FF"
    local data
    data, err = ws:receive()
    assert.is_nil(data)
    assert.are.equal("could not connect to the local socket "
      .. "\"/dev/null/\\x0a\\xff\": not a directory", err.message)
  end)

  it("has no address in it: a key of reconnecting that is no name", function()
    assert.has_error(function()
      wss.connect(url, { reconnect = { [{}] = 1 } })
    end, "option 'reconnect': options have names; found a key that is a table")
  end)
end)
