/** A service that succeeds at the third request, a client that retries until then, and nothing else that keeps the process alive. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createHttpClient } from '../../src/index.ts';

let requests = 0;
const server = createServer((_request, response) => {
  requests++;
  response.writeHead(requests < 3 ? 500 : 200, { 'content-type': 'application/json' }).end('{}');
});
server.listen(0, '127.0.0.1', () => {
  // From here on only the wait between attempts keeps the process alive.
  server.unref();
  const { port } = server.address() as AddressInfo;
  const client = createHttpClient({ baseUrl: `http://127.0.0.1:${port}`, timeoutMs: 60_000, cache: {}, dedupe: true });
  void client.get('/a').then(async ({ attempts }) => {
    await client.close();
    console.log(`succeeded at attempt ${attempts.length}`);
  });
});
