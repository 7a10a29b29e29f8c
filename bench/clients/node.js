// Node's `ws`: node.js URL CA SIZE WINDOW SECONDS. bench/README.md says what
// the clients do and print.
"use strict";

const fs = require("fs");
const path = require("path");
const WebSocket = require(
  path.join(__dirname, "../../build/bench/node/node_modules/ws"));

const [url, ca] = process.argv.slice(2);
const [size, window, seconds] = process.argv.slice(4).map(Number);
const WARM = 0.3, KINDS = 16, EVERY = 17;

const payloads = [];
for (let i = 0; i < KINDS; i++) {
  payloads[i] = Buffer.alloc(size, 65 + i);
  payloads[i][size - 1] = 10;
}

let sent = 0, received = 0, ending = false;
const ws = new WebSocket(url, {
  ca: fs.readFileSync(ca),
  perMessageDeflate: false,
});

function send() {
  ws.send(payloads[sent % KINDS]);
  sent++;
}

function fail(why) {
  console.error(why);
  process.exit(1);
}

function used() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

ws.on("message", (data) => {
  if (data.length !== size) fail("another length");
  if (received % EVERY === 0 && !data.equals(payloads[received % KINDS])) {
    fail("another payload");
  }
  received++;
  if (!ending) send();
  else if (received === sent) ws.close();
});

ws.on("open", () => {
  for (let i = 0; i < window; i++) send();
  setTimeout(() => {
    process.stdout.write("begin\n");
    const messages = received, wall = process.hrtime.bigint(), cpu = used();
    setTimeout(() => {
      console.log(JSON.stringify({
        messages: received - messages,
        seconds: Number(process.hrtime.bigint() - wall) / 1e9,
        cpu: used() - cpu,
      }));
      ending = true;
    }, seconds * 1000);
  }, WARM * 1000);
});

ws.on("error", (error) => fail(error.stack));
ws.on("close", () => {
  if (received !== sent) fail("messages are missing");
});
