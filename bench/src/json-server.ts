// An HTTP server that responds with JSON, in a process of its own: `json-server.ts BYTES`. Sends its port to its parent
// and exits with it.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const place = { id: 1, name: 'Lyon', country: 'FR', lat: 45.74846, lng: 4.84671 };
const count = Math.max(1, Math.round(Number(process.argv[2]) / JSON.stringify(place).length));
const body = Buffer.from(JSON.stringify(count === 1 ? place : Array.from({ length: count }, () => place)));
const headers = { 'content-type': 'application/json', 'content-length': body.length };

const server = createServer((request, response) => {
  request.resume();
  response.writeHead(200, headers).end(body);
});
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
process.on('disconnect', () => process.exit(0));
