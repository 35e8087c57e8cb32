// A service with limited capacity, in a process of its own: `server.ts WORKERS MILLISECONDS`. It works on WORKERS
// requests at a time, each for MILLISECONDS; the others queue without limit. Sends its port to its parent and exits
// with it.
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

const [workers, serviceMs] = process.argv.slice(2).map(Number) as [number, number];
const body = JSON.stringify({ id: 1, name: 'Lyon', country: 'FR' });
const head = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
const queue: ServerResponse[] = [];
let free = workers;

function serve(response: ServerResponse): void {
  setTimeout(() => {
    if (!response.destroyed) response.writeHead(200, head).end(body);
    // Requests whose client has disconnected meanwhile are skipped.
    let next = queue.shift();
    while (next?.destroyed === true) next = queue.shift();
    if (next === undefined) free += 1;
    else serve(next);
  }, serviceMs);
}

const server = createServer((request, response) => {
  request.resume();
  if (free === 0) queue.push(response);
  else {
    free -= 1;
    serve(response);
  }
});
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
process.on('disconnect', () => process.exit(0));
