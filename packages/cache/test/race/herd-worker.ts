// One process of the herd test: node herd-worker.ts <url of Redis> <prefix>. On a message, it reads one cold key many
// times at once.
import { createCache, redisTier } from '@macadam/cache';
import { createClient } from 'redis';

const [url, prefix] = process.argv.slice(2) as [string, string];
const READS = 250;
const client = createClient({ url, disableOfflineQueue: true });
client.on('error', () => {});
// One of the tests runs without a server.
const known = new Promise((resolve) => client.once('ready', resolve).once('error', resolve));
client.connect().catch(() => {});
await known;
const cache = createCache<string>({
  name: 'herd',
  l2: redisTier(client, { prefix, timeoutMs: 5_000, softTimeoutMs: 5_000 }),
});
let loads = 0;

process.on('message', () => {
  const read = (): Promise<string> =>
    cache.getOrLoad('cold', async () => {
      loads++;
      await new Promise((resolve) => setTimeout(resolve, 100));
      return 'value';
    });
  void Promise.all(Array.from({ length: READS }, read)).then((values) =>
    process.send?.({ values: [...new Set(values)], loads }),
  );
});
process.on('disconnect', () => process.exit());
process.send?.('ready');
