-- Control frames.

describe("RFC 6455, 5, control:", function()
  require "spec.support.conform".specify(_ENV, "05_control")
end)
