-- Limits of the implementation.

describe("RFC 6455, 10, limits:", function()
  require "spec.support.conform".specify(_ENV, "10_limits")
end)
