--- Options about TLS that commands share.

local tls = {}

local function staple(value)
  if value == "staple" or value == "require" then return value end
  return nil, "'staple' or 'require'"
end

---@type uvwss.cli.Option[]
tls.options = {
  { name = "ca", value = "FILE", many = true,
    help = "trust the authorities in this file or folder (PEM) instead of "
      .. "the system's" },
  { name = "pin", value = "PIN", many = true,
    help = "demand a key in the chain: sha256/BASE64" },
  { name = "name", value = "HOST",
    help = "verify this name, and ask the server for it (SNI), instead of "
      .. "the URL's host" },
  { name = "cert", value = "FILE",
    help = "show the server this certificate (PEM, with its chain)" },
  { name = "key", value = "FILE", needs = "cert",
    help = "the certificate's key, if it is not in the same file" },
  { name = "crl", value = "FILE", many = true,
    help = "look the server's certificate up in this revocation list (PEM)" },
  { name = "ocsp", value = "MODE", check = staple,
    help = "'staple': verify the OCSP answer that the server staples, if it "
      .. "does; 'require': refuse a server without" },
}

---The option `tls` of `wss.connect`, made of what the command line had.
---@param found table<string, any>
---@return uvwss.TlsOptions|nil
function tls.table(found)
  local t = { ca = found.ca, pins = found.pin, server_name = found.name,
    cert = found.cert, key = found.key, crl = found.crl, ocsp = found.ocsp,
    insecure = found.insecure }
  return next(t) and t or nil
end

-- Options of the module that have another name here.
local names = { headers = "header", subprotocols = "subprotocol",
  open_timeout = "timeout", server_name = "name", pins = "pin",
  origins = "origin", client_ca = "client-ca", max_message = "max-message" }

---What `wss.connect` or `wss.listen` raised, in words of the command line.
---@param message any
---@return string
function tls.misuse(message)
  message = tostring(message)
  local url = message:match "^bad argument #1 to '.-' %((.*)%)$"
  if url then return url end
  return (message:gsub("^option '([%a_]+)'", function(name)
    return ("option '--%s'"):format(names[name] or name)
  end))
end

return tls
