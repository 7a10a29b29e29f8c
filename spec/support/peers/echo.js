'use strict';
// An independent WebSocket server: `ws` on Node. The modes echo, sha and slow
// of echo.py, with the same options; prints `ready PORT`, and its counts as
// JSON at SIGUSR2 (Node keeps SIGUSR1 for its debugger).

const crypto = require('crypto');
const fs = require('fs');
const http = require('http');
const https = require('https');
const path = require('path');
const { parseArgs } = require('util');

const { WebSocketServer } = require(path.resolve(
  __dirname, '../../../build/node/node_modules/ws'));

const { values: args } = parseArgs({
  options: {
    host: { type: 'string', default: '127.0.0.1' },
    port: { type: 'string', default: '0' },
    cert: { type: 'string' },
    key: { type: 'string' },
    'client-ca': { type: 'string' },
    mode: { type: 'string', default: 'echo' },
    rate: { type: 'string', default: String(1 << 20) },
    'close-after': { type: 'string' },
    'close-code': { type: 'string', default: '1000' },
    'close-reason': { type: 'string', default: '' },
    subprotocol: { type: 'string', multiple: true },
    ping: { type: 'string' },
    'max-size': { type: 'string', default: 'none' },
    // JSON, by the names of RFC 7692
    deflate: { type: 'string' },
  },
});
if (!['echo', 'sha', 'slow'].includes(args.mode))
  throw new Error(`no mode is called ${args.mode}`);

const counts = { open: 0, max_open: 0, connections: 0, messages: 0, bytes: 0 };

function deflate(asked) {
  return {
    threshold: 0,
    serverNoContextTakeover: asked.server_no_context_takeover,
    clientNoContextTakeover: asked.client_no_context_takeover,
    serverMaxWindowBits: asked.server_max_window_bits,
    clientMaxWindowBits: asked.client_max_window_bits,
  };
}

const server = args.cert
  ? https.createServer({
    cert: fs.readFileSync(args.cert),
    key: fs.readFileSync(args.key),
    ca: args['client-ca'] && fs.readFileSync(args['client-ca']),
    requestCert: Boolean(args['client-ca']),
    rejectUnauthorized: Boolean(args['client-ca']),
  })
  : http.createServer();

const sockets = new WebSocketServer({
  server,
  perMessageDeflate: args.deflate ? deflate(JSON.parse(args.deflate)) : false,
  // 0 is no limit.
  maxPayload: args['max-size'] === 'none' ? 0 : Number(args['max-size']),
  handleProtocols: (offered) =>
    (args.subprotocol || []).find((name) => offered.has(name)) || false,
});

function digest(data) {
  const hex = crypto.createHash('sha256').update(data).digest('hex');
  return `${hex} ${data.length}`;
}

// Takes what arrives, then nothing for as long as its bytes are worth.
function slowDown(socket) {
  const rate = Number(args.rate);
  socket.on('data', (chunk) => {
    socket.pause();
    setTimeout(() => socket.resume(), (chunk.length / rate) * 1000);
  });
}

sockets.on('connection', (ws, request) => {
  let answered = 0;
  counts.connections++;
  counts.open++;
  counts.max_open = Math.max(counts.max_open, counts.open);
  if (args.mode === 'slow') slowDown(request.socket);
  const pings = args.ping &&
    setInterval(() => ws.ping(), Number(args.ping) * 1000);
  ws.on('message', (data, binary) => {
    counts.messages++;
    counts.bytes += data.length;
    if (args.mode === 'echo') ws.send(data, { binary });
    else ws.send(digest(data));
    if (String(++answered) === args['close-after'])
      ws.close(Number(args['close-code']), args['close-reason']);
  });
  ws.on('error', (error) => console.error(error.message));
  ws.on('close', () => {
    counts.open--;
    clearInterval(pings);
  });
});

process.on('SIGUSR2', () => console.log(JSON.stringify(counts)));
server.on('tlsClientError', (error) => console.error(error.message));
server.listen(Number(args.port), args.host, () =>
  console.log(`ready ${server.address().port}`));
