-- Requests to our server.

describe("RFC 6455, 4.2, requests:", function()
  require "spec.support.conform".specify(_ENV, "04_request")
end)
