local wss = require "uvwss"

-- "tls\0x" was taken for "tls", and then not looked at.
describe("a name with a NUL byte in it", function()
  it("is that of no option", function()
    assert.has_error(function()
      wss.connect("ws://127.0.0.1:1", { ["tls\0x"] = { insecure = true } })
    end, "unknown option 'tls\\x00x' (did you mean 'tls'?)")
  end)

  it("is that of no option of a nested table", function()
    assert.has_error(function()
      wss.connect("ws://127.0.0.1:1", { compress = { ["level\0"] = 9 } })
    end, "unknown option 'level\\x00' (did you mean 'level'?)")
  end)

  -- It was cut there, and the certificate shown to another host.
  it("is that of no host of sni", function()
    assert.has_error(function()
      wss.tls { sni = { ["a.example\0.b.example"] = { cert = "x" } } }
    end, "option 'sni': the name 'a.example\\x00.b.example' contains a NUL "
      .. "byte")
  end)

  it("is that of no handler", function()
    local ws = wss.connect("ws://127.0.0.1:1", { onclose = function() end })
    assert.has_error(function() ws["onopen\0x"] = print end,
      "unknown handler 'onopen\\x00x'")
    assert.is_nil(ws["onclose\0x"])
    ws:terminate()
    wss.run()
  end)
end)
