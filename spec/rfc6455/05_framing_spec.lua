-- Frames: opcodes, reserved bits, lengths, masks.

describe("RFC 6455, 5, framing:", function()
  require "spec.support.conform".specify(_ENV, "05_framing")
end)
