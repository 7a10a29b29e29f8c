-- The closing handshake, its codes, and ends without one.

describe("RFC 6455, 7, closing:", function()
  require "spec.support.conform".specify(_ENV, "07_closing")
end)
