-- What our client asks, and which answers it takes.

describe("RFC 6455, 4.1, responses:", function()
  require "spec.support.conform".specify(_ENV, "04_response")
end)
