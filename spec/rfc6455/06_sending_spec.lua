-- What our side sends.

describe("RFC 6455, 6, sending:", function()
  require "spec.support.conform".specify(_ENV, "06_sending")
end)
