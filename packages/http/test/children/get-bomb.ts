// `get-bomb.ts BASE_URL`: requests a body that is small on the wire and huge when decoded, and prints the memory it took.
import { gzipSync } from 'node:zlib';
import { createHttpClient, HttpResponseTooLargeError } from '@macadam/http';

const [baseUrl = ''] = process.argv.slice(2);
const client = createHttpClient({ baseUrl });
const peakBytes = (): number => process.resourceUsage().maxRSS * 1_024;

// Warm up, so that loading and compiling do not count.
gzipSync('x');
for (let i = 0; i < 200; i++) await client.get('/items');
const before = peakBytes();
const error: unknown = await client.get('/bomb').catch((reason: unknown) => reason);
const grewBy = peakBytes() - before;
await client.close();
const { code, limit } = error instanceof HttpResponseTooLargeError ? error : { code: String(error), limit: '' };
console.log(JSON.stringify({ code, limit, grewBy }));
