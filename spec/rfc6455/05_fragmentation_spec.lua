-- Messages in fragments.

describe("RFC 6455, 5, fragmentation:", function()
  require "spec.support.conform".specify(_ENV, "05_fragmentation")
end)
