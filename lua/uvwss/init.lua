--- uvwss: an asynchronous TLS WebSocket engine.
--
--     local wss = require "uvwss"
--     local ws = wss.connect("wss://feed.example/ticker", { reconnect = true })
--     function ws:onmessage(data) print(data) end
--     wss.run()
--
--     local server = assert(wss.listen("ws://127.0.0.1:8080"))
--     function server:onmessage(ws, data, kind) ws:send(data, kind) end
--     wss.run()
--
-- Misuse raises at the caller's line. Whatever the network, the peer, a file
-- or a certificate does wrong is returned as `nil, err`, or handed to
-- `onclose`. Times are seconds, sizes are bytes. docs/reference.md says more.

local core = require "uvwss.core"
local retry = require "uvwss.retry"

---What went wrong; its `tostring` is a full sentence.
---@class uvwss.Error
---@field kind "dns"|"connect"|"proxy"|"tls"|"certificate"|"upgrade"|"protocol"|"timeout"|"limit"|"closed"|"io"
---@field code string     within the kind
---@field message string  the sentence
---@field address? string          connect: "ip:port"
---@field attempts? uvwss.Error[]  connect: one for each address tried
---@field host? string             dns
---@field proxy? string            proxy, connect: "host:port"
---@field alert? string            tls: the alert that the peer sent
---@field subject? string          certificate, with the fields below
---@field issuer? string
---@field depth? integer           0 is the leaf
---@field not_before? number       epoch seconds
---@field not_after? number        epoch seconds
---@field names? string[]          what the certificate is good for
---@field wanted? string           what was asked
---@field openssl? integer         the X509_V_ERR number
---@field status? integer          upgrade: the HTTP status
---@field headers? table<string, string>  upgrade: of the answer
---@field retry_after? number      upgrade: seconds
---@field close? integer           protocol, closed: the close code
---@field reason? string           closed: the peer's words
---@field seconds? number          timeout
---@field limit? integer           limit
---@field size? integer            limit
---@field path? string             io

---@alias uvwss.Kind "text"|"binary"
---@alias uvwss.Outcome "written"|"unsent"|"partial"
---@alias uvwss.Done fun(err: uvwss.Error?, outcome: uvwss.Outcome)

---@class uvwss.Certificate
---@field subject string
---@field issuer string
---@field serial string       lower-case hex
---@field names string[]      subject alternative names
---@field not_before? integer epoch seconds
---@field not_after? integer  epoch seconds; nil where it cannot be read
---@field days_left? number   negative once expired
---@field sha256 string       of the whole certificate, lower-case hex
---@field spki_sha256 string  "sha256/BASE64", as `pins` takes it
---@field pem string
---@field key string          "EC P-256", "RSA 2048"
---@field signature string    "ecdsa-with-SHA256"

---@class uvwss.Peer
---@field version string   "TLSv1.3"
---@field cipher string
---@field group string
---@field alpn string
---@field resumed boolean  a session was resumed
---@field verified boolean false where `insecure` was set, or `onverify` overruled
---@field ocsp? "good"        a stapled response was verified
---@field ocsp_until? integer until when, seconds since 1970
---@field chain uvwss.Certificate[]  as verified, leaf first
---@field sent? uvwss.Certificate[]   in onverify: what came
---@field stapled? string             in onverify: the OCSP answer that came (DER)

---@class uvwss.Step
---@field direction "in"|"out"
---@field name string          "ClientHello"
---@field bytes integer
---@field milliseconds number  since the first step
---@field alert? string        "unknown_ca": what an "Alert" says

---@class uvwss.TlsOptions
---@field ca? string|string[]  files, folders or PEM text; replaces the system's store
---@field system_ca? boolean   add the system's store to `ca`
---@field cert? string         the client's chain: a file or PEM text
---@field key? string          its key: a file or PEM text (`cert`'s file)
---@field password? string     of an encrypted key
---@field server_name? string  SNI and the name verified (the URL's host)
---@field pins? string|string[]  "sha256/BASE64" of a key; one must be in the verified chain
---@field min_version? "1.0"|"1.1"|"1.2"|"1.3"  ("1.2")
---@field max_version? "1.0"|"1.1"|"1.2"|"1.3"
---@field ciphers? string      of TLS 1.2, as OpenSSL writes them
---@field ciphersuites? string of TLS 1.3
---@field groups? string       "X25519:P-256:P-384"
---@field alpn? string|string[]  ("http/1.1")
---@field session? boolean     resume sessions on a redial (true)
---@field keylog? string       a file for secrets (SSLKEYLOGFILE)
---@field max_depth? integer   intermediates (10)
---@field strict? boolean      X.509 strict checks (true)
---@field crl? string|string[]  revocation lists: files or PEM text
---@field crl_check? "leaf"|"chain"  ("leaf")
---@field ocsp? "staple"|"require"   verify what is stapled; refuse who staples nothing
---@field onverify? fun(ok: boolean, cert: uvwss.Certificate, err: uvwss.Error?, tls: uvwss.Peer): boolean  the last word
---@field insecure? boolean    verify nothing (false)
---@field trace? fun(step: uvwss.Step)  each message of the handshake

---@class uvwss.Identity
---@field cert string       a chain, leaf first: a file or PEM text
---@field key? string       (`cert`'s file)
---@field password? string

---@class uvwss.ServerTlsOptions
---@field cert string          the chain, leaf first: a file or PEM text
---@field key? string          its key: a file or PEM text (`cert`'s file)
---@field password? string     of an encrypted key
---@field sni? table<string, uvwss.Identity>  others, by "a.example" or "*.b.example"
---@field client_ca? string|string[]  who signs clients: files, folders or PEM text
---@field verify_client? "none"|"request"|"require"  ("none")
---@field crl? string|string[]  revocation lists for clients: files or PEM text
---@field crl_check? "leaf"|"chain"  ("leaf")
---@field ocsp? string         a file with the answer to staple
---@field min_version? "1.0"|"1.1"|"1.2"|"1.3"  ("1.2")
---@field max_version? "1.0"|"1.1"|"1.2"|"1.3"
---@field ciphers? string      of TLS 1.2, as OpenSSL writes them
---@field ciphersuites? string of TLS 1.3
---@field groups? string       "X25519:P-256:P-384"
---@field alpn? string|string[]  that may be chosen, the preferred one first ("http/1.1")
---@field tickets? boolean     resumption (true)
---@field keylog? string       a file for secrets (SSLKEYLOGFILE)
---@field max_depth? integer   intermediates of a client's chain (10)
---@field strict? boolean      X.509 strict checks of it (true)
---@field trace? fun(step: uvwss.Step)  each message of each handshake

---@class uvwss.VerifyOptions
---@field time? number          seconds since 1970 (now)
---@field intermediates? string|string[]  PEM: what else came
---@field crl? string|string[]  (the configuration's)
---@field max_depth? integer    (the configuration's)
---@field ocsp? string          the stapled response, DER

---A TLS configuration, loaded once and shared by connections and servers.
---@class uvwss.Tls
---@field verify fun(self: uvwss.Tls, chain: string, name?: string, options?: uvwss.VerifyOptions): uvwss.Certificate[]?, uvwss.Error?  the verdict without a connection
---@field reload fun(self: uvwss.Tls): true?, uvwss.Error?  read the files again; on failure the old ones stay

---Compression of messages (RFC 7692). Who can mix bytes of their own with a
---secret, and see lengths, can guess it.
---@class uvwss.CompressOptions
---@field level? integer      0 (stored), 1 (fast) to 9 (small) (6)
---@field mem_level? integer  1 to 9 (8)
---@field min_size? integer   bytes: shorter messages go as they are (256)
---@field server_no_context_takeover? boolean  each message of the server's stands for itself (false)
---@field client_no_context_takeover? boolean  each message of the client's stands for itself (false)
---@field server_max_window_bits? integer  8 to 15, of what the server sends
---@field client_max_window_bits? integer  8 to 15, of what the client sends

---@class uvwss.Options
---@field subprotocols? string|string[]  offered, in order of preference
---@field headers? table<string, string|string[]>  added to the request
---@field origin? string
---@field tls? uvwss.TlsOptions|uvwss.Tls
---@field reconnect? boolean|uvwss.retry.Options
---@field open_timeout? number    address, TCP, TLS and upgrade together (10)
---@field close_timeout? number   for the peer's answer to a close (5)
---@field ping_interval? number|false  (20)
---@field ping_timeout? number|false   (20)
---@field max_message? integer    (16 MiB)
---@field max_buffered? integer   waiting to be sent (64 MiB)
---@field high_water? integer     (1 MiB)
---@field low_water? integer      (256 KiB)
---@field max_header? integer     of the answer to the upgrade (16 KiB)
---@field compress? boolean|uvwss.CompressOptions  permessage-deflate (false)
---@field proxy? string           "http://[user:password@]host:port" or "socks5://…"
---@field redirects? integer      followed at most (0)
---@field onopen? fun(ws: uvwss.WebSocket, info: uvwss.OpenInfo)
---@field onmessage? fun(ws: uvwss.WebSocket, data: string, kind: uvwss.Kind)
---@field onfragment? fun(ws: uvwss.WebSocket, data: string, kind: uvwss.Kind, last: boolean)  a message as it arrives
---@field onreconnect? fun(ws: uvwss.WebSocket, attempt: integer, delay: number, err: uvwss.Error): boolean?
---@field ondrain? fun(ws: uvwss.WebSocket)
---@field onping? fun(ws: uvwss.WebSocket, payload: string)
---@field onpong? fun(ws: uvwss.WebSocket, payload: string, seconds: number?)
---@field onclose? fun(ws: uvwss.WebSocket, code: integer, reason: string, err: uvwss.Error?)

---@class uvwss.ServerOptions
---@field tls? uvwss.ServerTlsOptions|uvwss.Tls  a wss URL needs it
---@field subprotocols? string|string[]  the client's first that is listed is chosen
---@field origins? string|string[]  that browsers may come from ("https://example.com")
---@field handshake_timeout? number  TLS and a whole request together (10)
---@field upgrade_timeout? number  for onupgrade or onrequest to decide (10)
---@field close_timeout? number    for the peer's answer to a close (5)
---@field ping_interval? number|false  (20)
---@field ping_timeout? number|false   (20)
---@field max_message? integer    (16 MiB)
---@field max_buffered? integer   waiting to be sent to one connection (64 MiB)
---@field high_water? integer     (1 MiB)
---@field low_water? integer      (256 KiB)
---@field max_header? integer     of a request (16 KiB)
---@field max_connections? integer  callers beyond so many get 503 (no bound)
---@field max_topics? integer     of one connection (1024)
---@field slow_consumer? "close"|"drop"|"wait"  for publish and broadcast ("close")
---@field backlog? integer        of listen(2) (511)
---@field reuse_port? boolean     several processes share the port (false)
---@field compress? boolean|uvwss.CompressOptions  permessage-deflate (false)
---@field onupgrade? uvwss.OnUpgrade
---@field onrequest? uvwss.OnRequest
---@field onrefused? fun(server: uvwss.Server, err: uvwss.Error, peer: uvwss.Address)
---@field onopen? fun(server: uvwss.Server, ws: uvwss.WebSocket, info: uvwss.OpenInfo)
---@field onmessage? fun(server: uvwss.Server, ws: uvwss.WebSocket, data: string, kind: uvwss.Kind)
---@field onfragment? fun(server: uvwss.Server, ws: uvwss.WebSocket, data: string, kind: uvwss.Kind, last: boolean)  a message as it arrives
---@field ondrain? fun(server: uvwss.Server, ws: uvwss.WebSocket)
---@field onping? fun(server: uvwss.Server, ws: uvwss.WebSocket, payload: string)
---@field onpong? fun(server: uvwss.Server, ws: uvwss.WebSocket, payload: string, seconds: number?)
---@field onclose? fun(server: uvwss.Server, ws: uvwss.WebSocket, code: integer, reason: string, err: uvwss.Error?)

---@alias uvwss.Headers table<string, string|string[]>

---What `onupgrade` may wish for when it accepts.
---@class uvwss.Accept
---@field subprotocol? string  left out unless the client offered it
---@field headers? uvwss.Headers

---Runs as a coroutine. Nothing, true or a table: accepted. False: refused,
---with a status (403), headers and a body.
---@alias uvwss.OnUpgrade fun(server: uvwss.Server, request: uvwss.Request): (boolean|uvwss.Accept)?, integer?, uvwss.Headers?, string?

---Runs as a coroutine; returns a status (404), headers and a body.
---@alias uvwss.OnRequest fun(server: uvwss.Server, request: uvwss.Request): integer?, uvwss.Headers?, string?

---@class uvwss.Address
---@field ip string     "" over a local socket
---@field port integer

---What a client asked for; a table that is the user's to keep things in.
---@class uvwss.Request
---@field method "GET"|"HEAD"
---@field path string     as sent: not decoded
---@field query? string   what follows "?"
---@field headers table<string, string>  in lower case; repeated ones joined
---@field subprotocols string[]  offered, in the client's order
---@field peer uvwss.Address
---@field tls? uvwss.Peer  the client's verified chain, where it has shown one

---@class uvwss.OpenInfo
---@field attempt integer   dials so far, this one included: 1 on the first
---@field resumed boolean   a TLS session was resumed
---@field subprotocol? string

---One message, written in pieces (RFC 6455, 5.4).
---@class uvwss.Writer
---@field write fun(self: uvwss.Writer, chunk: string, done?: uvwss.Done): true?, uvwss.Error?
---@field finish fun(self: uvwss.Writer, chunk?: string, done?: uvwss.Done): true?, uvwss.Error?

---A client connection, for as long as it is wanted: over reconnects it stays
---the same object. Or one that a server accepted. Handlers are fields; other
---fields are the user's own.
---@class uvwss.WebSocket
---@field state "connecting"|"open"|"waiting"|"closing"|"closed"
---@field url string
---@field subprotocol? string
---@field buffered integer         bytes of messages not yet with the kernel
---@field peer? uvwss.Address      nil over a local socket
---@field request? uvwss.Request   of a server's connection
---@field error? uvwss.Error       why it ended, nil if clean
---@field tls? uvwss.Peer
---@field onopen? fun(ws: uvwss.WebSocket, info: uvwss.OpenInfo)
---@field onmessage? fun(ws: uvwss.WebSocket, data: string, kind: uvwss.Kind)
---@field onfragment? fun(ws: uvwss.WebSocket, data: string, kind: uvwss.Kind, last: boolean)  a message as it arrives
---@field onreconnect? fun(ws: uvwss.WebSocket, attempt: integer, delay: number, err: uvwss.Error): boolean?
---@field ondrain? fun(ws: uvwss.WebSocket)
---@field onping? fun(ws: uvwss.WebSocket, payload: string)
---@field onpong? fun(ws: uvwss.WebSocket, payload: string, seconds: number?)
---@field onclose? fun(ws: uvwss.WebSocket, code: integer, reason: string, err: uvwss.Error?)
---@field send fun(self: uvwss.WebSocket, data: string, kind?: uvwss.Kind, done?: uvwss.Done): true?, uvwss.Error?
---@field stream fun(self: uvwss.WebSocket, kind?: uvwss.Kind): uvwss.Writer?, uvwss.Error?
---@field receive fun(self: uvwss.WebSocket, timeout?: number): string?, uvwss.Kind|uvwss.Error
---@field messages fun(self: uvwss.WebSocket): fun(): string?, uvwss.Kind?
---@field ping fun(self: uvwss.WebSocket, payload?: string): true?, uvwss.Error?
---@field pause fun(self: uvwss.WebSocket)
---@field resume fun(self: uvwss.WebSocket)
---@field reconnect fun(self: uvwss.WebSocket): true?, uvwss.Error?
---@field close fun(self: uvwss.WebSocket, code?: integer, reason?: string)
---@field terminate fun(self: uvwss.WebSocket)
---@field stats fun(self: uvwss.WebSocket): table
---@field subscribe fun(self: uvwss.WebSocket, topic: string): true?, uvwss.Error?  on a server's connection
---@field unsubscribe fun(self: uvwss.WebSocket, topic: string): boolean  false if it had not

---What listens. Handlers are fields and serve all connections, unless one has
---its own; other fields are the user's own.
---@class uvwss.Server
---@field state "listening"|"closing"|"closed"
---@field url string      as it was given, with the port that it has
---@field port? integer   nil for a local socket
---@field count integer   open connections
---@field onupgrade? uvwss.OnUpgrade
---@field onrequest? uvwss.OnRequest
---@field onrefused? fun(server: uvwss.Server, err: uvwss.Error, peer: uvwss.Address)
---@field onopen? fun(server: uvwss.Server, ws: uvwss.WebSocket, info: uvwss.OpenInfo)
---@field onmessage? fun(server: uvwss.Server, ws: uvwss.WebSocket, data: string, kind: uvwss.Kind)
---@field onfragment? fun(server: uvwss.Server, ws: uvwss.WebSocket, data: string, kind: uvwss.Kind, last: boolean)  a message as it arrives
---@field ondrain? fun(server: uvwss.Server, ws: uvwss.WebSocket)
---@field onping? fun(server: uvwss.Server, ws: uvwss.WebSocket, payload: string)
---@field onpong? fun(server: uvwss.Server, ws: uvwss.WebSocket, payload: string, seconds: number?)
---@field onclose? fun(server: uvwss.Server, ws: uvwss.WebSocket, code: integer, reason: string, err: uvwss.Error?)
---@field publish fun(self: uvwss.Server, topic: string, data: string, kind?: uvwss.Kind): integer?, uvwss.Error?  to how many
---@field broadcast fun(self: uvwss.Server, data: string, kind?: uvwss.Kind): integer?, uvwss.Error?
---@field connections fun(self: uvwss.Server): fun(): uvwss.WebSocket?
---@field reload fun(self: uvwss.Server, tls?: uvwss.ServerTlsOptions|uvwss.Tls): true?, uvwss.Error?  for handshakes from now on
---@field close fun(self: uvwss.Server, grace?: number)  1001 to all; what is left after `grace` (5) is terminated
---@field stats fun(self: uvwss.Server): table<string, integer>

---@class uvwss.Signal
---@field close fun(self: uvwss.Signal)  not any more; a second call does no harm

---@class uvwss.Timer
---@field cancel fun(self: uvwss.Timer)

---@class uvwss
---@field onerror? fun(err: any, ws: uvwss.WebSocket?)  hears Lua errors of handlers and coroutines; without one, `run` raises them
local wss = {
  _VERSION = core._VERSION,

  ---Returns at once; the loop dials.
  ---@type fun(url: string, options?: uvwss.Options): uvwss.WebSocket
  connect = core.connect,

  ---Binds at once; the loop accepts.
  ---@type fun(url: string, options?: uvwss.ServerOptions): uvwss.Server?, uvwss.Error?
  listen = core.listen,

  ---Load a TLS configuration. One with `sni`, `client_ca`, `verify_client` or
  ---`tickets` is a server's; any other will do for both.
  ---@type fun(options: uvwss.TlsOptions|uvwss.ServerTlsOptions): uvwss.Tls?, uvwss.Error?
  tls = core.tls,

  ---Run the loop until nothing is left to do, or `stop`. With a function:
  ---run it as a coroutine, return what it returned, raise what it raised.
  ---@type fun(fn?: function, ...: any): any
  run = core.run,

  ---Make `run` return after the current handler.
  ---@type fun()
  stop = core.stop,

  ---Start a coroutine in the loop.
  ---@type fun(fn: function, ...: any): thread
  spawn = core.spawn,

  ---In a coroutine: yield for so long. In the main chunk: run the loop.
  ---@type fun(seconds: number)
  sleep = core.sleep,

  ---Call `fn` after so many seconds, and then again and again if `every` is
  ---given.
  ---@type fun(seconds: number, fn: function, every?: number): uvwss.Timer
  timer = core.timer,

  ---Call `fn` when the process gets the signal, which then does nothing else,
  ---until `close` is called on what is returned. `run` does not wait for it.
  ---@type fun(name: "HUP"|"INT"|"PIPE"|"TERM", fn: fun()): uvwss.Signal
  signal = core.signal,

  ---A descriptor for another loop to poll for reading.
  ---@type fun(): integer
  pollfd = core.pollfd,

  ---Seconds until `step` must be called even if the descriptor is silent.
  ---@type fun(): number?
  timeout = core.timeout,

  ---One pass of the loop, without waiting.
  ---@type fun()
  step = core.step,

  ---The live ledger of this Lua state; zeros once everything is closed.
  ---@type fun(): table<string, integer>
  stats = core.stats,

  ---Versions of this module and of the libraries in use.
  ---@type fun(): table<string, string>
  versions = core.versions,
}

core.attach(wss, retry.new)

return wss
