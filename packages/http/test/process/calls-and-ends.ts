/** A service that answers the third time, a client that waits for it, and then nothing that keeps the process alive. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createHttpClient } from '../../src/index.ts';

let asked = 0;
const server = createServer((_request, response) => {
  asked++;
  response.writeHead(asked < 3 ? 500 : 200, { 'content-type': 'application/json' }).end('{}');
});
server.listen(0, '127.0.0.1', () => {
  // What waits between tries is all that keeps the process alive from here on.
  server.unref();
  const { port } = server.address() as AddressInfo;
  const client = createHttpClient({ baseUrl: `http://127.0.0.1:${port}`, timeoutMs: 60_000, cache: {}, dedupe: true });
  void client.get('/a').then(async ({ attempts }) => {
    await client.close();
    console.log(`answered by try ${attempts.length}`);
  });
});
