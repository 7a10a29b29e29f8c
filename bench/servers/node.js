// `ws` on Node: node.js MODE PORT EXTENSION [CERT KEY], as its README's
// examples have it. bench/README.md says what the servers do and print.
"use strict";

const fs = require("fs");
const http = require("http");
const https = require("https");
const path = require("path");
// Beside ws is bufferutil, its own compiled part: ws takes it by itself.
const { WebSocketServer } = require(
  path.join(__dirname, "../../build/bench/node/node_modules/ws"));

const [mode, port, extension, cert, key] = process.argv.slice(2);

const server = cert ?
  https.createServer({ cert: fs.readFileSync(cert),
    key: fs.readFileSync(key), minVersion: "TLSv1.3" }) :
  http.createServer();
const wss = new WebSocketServer({
  server,
  perMessageDeflate: extension === "deflate" &&
    { zlibDeflateOptions: { level: 6, memLevel: 8 }, threshold: 0 },
});

wss.on("connection", (ws) => {
  ws.on("error", () => {});
  if (mode === "fanout") {
    ws.on("message", (data, binary) => {
      for (const client of wss.clients) client.send(data, { binary });
    });
  } else {
    ws.on("message", (data, binary) => ws.send(data, { binary }));
  }
});

server.listen(Number(port), "127.0.0.1", 511, () => {
  console.log(`ready ${server.address().port}`);
});
