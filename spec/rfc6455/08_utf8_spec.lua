-- Text is UTF-8.

describe("RFC 6455, 8, UTF-8:", function()
  require "spec.support.conform".specify(_ENV, "08_utf8")
end)
