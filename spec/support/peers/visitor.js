'use strict';
// An independent WebSocket client: `ws` on Node. Takes the words that
// visitor.py takes, and tells what that tells:
//
//   node visitor.js URL FILE COURSE

const fs = require('fs');
const path = require('path');

const WebSocket = require(path.resolve(
  __dirname, '../../../build/node/node_modules/ws'));

const [url, file, course] = process.argv.slice(2);

function payload(kind, size) {
  const data = Buffer.alloc(size);
  const text = kind === 'text';
  for (let i = 0; i < size; i++) {
    const at = i % 251;
    data[i] = text ? 97 + ((at * 7) % 26) : (at * 5) % 256;
  }
  return data;
}

function send(ws, data, binary, count) {
  const step = Math.floor(data.length / count);
  for (let i = 0; i < count; i++) {
    const last = i === count - 1;
    ws.send(data.subarray(i * step, last ? data.length : (i + 1) * step),
      { binary, fin: last });
  }
}

// What happens to a connection waits in lists until a step asks for it.
class Visit {
  constructor(ws) {
    this.ws = ws;
    this.waiting = [];
    this.happened = [];
    ws.on('message', (data, binary) => this.happen({ data, binary }));
    ws.on('pong', (data) => this.happen({ pong: data.toString() }));
    ws.on('close', (code, reason) =>
      this.happen({ end: { code, reason: reason.toString() } }));
    ws.on('error', (error) => this.happen({ error }));
  }

  happen(event) {
    if (this.waiting.length > 0) this.waiting.shift()(event);
    else this.happened.push(event);
  }

  async next(what) {
    const event = this.happened.length > 0
      ? this.happened.shift()
      : await new Promise((resolve) => this.waiting.push(resolve));
    if (event.error) throw event.error;
    if (!(what in event))
      throw new Error(`${JSON.stringify(event)} came, and no ${what}`);
    return event;
  }

  async echo(kind, size, count = 1) {
    const data = payload(kind, size);
    send(this.ws, data, kind === 'binary', count);
    const answer = await this.next('data');
    if (answer.binary !== (kind === 'binary'))
      throw new Error(`${kind} came back as another kind`);
    if (!data.equals(answer.data))
      throw new Error(`${answer.data.length} other bytes`);
    return true;
  }

  async say(text) {
    this.ws.send(text);
    return (await this.next('data')).data.toString();
  }

  async ping(text) {
    this.ws.ping(text);
    return (await this.next('pong')).pong;
  }

  async close(code, reason) {
    this.ws.close(code, reason);
    return (await this.next('end')).end;
  }

  async wait() {
    return (await this.next('end')).end;
  }

  async drop() {
    this.ws.terminate();
    await this.next('end');
    return true;
  }
}

function deflate(asked) {
  return {
    threshold: 0,
    serverNoContextTakeover: asked.server_no_context_takeover,
    clientNoContextTakeover: asked.client_no_context_takeover,
    serverMaxWindowBits: asked.server_max_window_bits,
    clientMaxWindowBits: asked.client_max_window_bits || true,
  };
}

function options(visit) {
  const all = { headers: visit.headers, maxPayload: 0 };
  if (visit.deflate) all.perMessageDeflate = deflate(visit.deflate);
  if (!url.startsWith('wss:')) return all;
  all.ca = fs.readFileSync(visit.ca);
  all.servername = visit.name || 'localhost';
  if (visit.cert) {
    all.cert = fs.readFileSync(visit.cert);
    all.key = fs.readFileSync(visit.key);
  }
  if (visit.version)
    all.minVersion = all.maxVersion = `TLSv${visit.version}`;
  if (visit.alpn) all.ALPNProtocols = visit.alpn;
  return all;
}

function opened(ws, socket) {
  return {
    subprotocol: ws.protocol || null,
    tls: socket.getProtocol
      ? {
        version: socket.getProtocol(),
        alpn: socket.alpnProtocol || null,
        subject: socket.getPeerCertificate().subject.CN,
      }
      : null,
  };
}

async function make(visit) {
  const out = { steps: [] };
  try {
    const ws = new WebSocket(url + visit.path, visit.subprotocols || [],
      options(visit));
    const here = new Visit(ws);
    const socket = await new Promise((resolve, reject) => {
      let upgraded;
      ws.on('upgrade', (response) => { upgraded = response.socket; });
      ws.on('open', () => resolve(upgraded));
      ws.on('error', reject);
    });
    out.opened = opened(ws, socket);
    for (const [word, ...rest] of visit.steps)
      out.steps.push(await here[word](...rest));
  } catch (error) {
    out.error = `${error.code || error.name}: ${error.message}`;
  }
  return out;
}

async function makeAll(visit) {
  if (!visit.times) return make(visit);
  const every = await Promise.all(
    Array.from({ length: visit.times }, () => make(visit)));
  const problems = every.filter((one) => one.error);
  return {
    served: every.length - problems.length,
    error: problems.length > 0 ? problems[0].error : undefined,
  };
}

Promise.all(JSON.parse(course).map(makeAll)).then((told) => {
  fs.writeFileSync(`${file}.part`, JSON.stringify(told));
  fs.renameSync(`${file}.part`, file);
});
