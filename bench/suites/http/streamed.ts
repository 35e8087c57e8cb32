import { cockatiel } from './read-whole.ts';
import { way, type Way } from './served.ts';

const PATH = '/items/1';

async function drained(body: AsyncIterable<Uint8Array>): Promise<number> {
  let bytes = 0;
  for await (const piece of body) bytes += piece.length;
  return bytes;
}

/** A body that is read in chunks as it arrives. */
export const streamed: readonly Way[] = [
  way('macadam stream', '@macadam/http', async (url) => {
    const { createHttpClient } = await import('@macadam/http');
    const client = createHttpClient({ name: 'bench', baseUrl: url });
    return { run: async () => drained((await client.stream('GET', PATH, {})).body), close: () => client.close() };
  }),
  way('undici pool.request', 'undici', async (url) => {
    const { Pool } = await import('undici');
    const pool = new Pool(url);
    return {
      run: async () => drained((await pool.request({ method: 'GET', path: PATH })).body),
      close: () => pool.close(),
    };
  }),
  way('undici + cockatiel', ['undici', 'cockatiel'], async (url) => {
    const [{ Pool }, guarded] = await Promise.all([import('undici'), cockatiel()]);
    const pool = new Pool(url);
    // Read inside the call: its time limit cancels the body of a call that has returned.
    const run = (): unknown =>
      guarded.execute(async ({ signal }) => drained((await pool.request({ method: 'GET', path: PATH, signal })).body));
    return { run, close: () => pool.close() };
  }),
  way('undici fetch', 'undici', async (url) => {
    const { fetch } = await import('undici');
    return { run: async () => drained((await fetch(url + PATH)).body as AsyncIterable<Uint8Array>) };
  }),
  way('got stream', 'got', async (url) => {
    const [{ default: got }, { Agent }] = await Promise.all([import('got'), import('node:http')]);
    const client = got.extend({ prefixUrl: url, agent: { http: new Agent({ keepAlive: true }) } });
    return { run: () => drained(client.stream(PATH.slice(1)) as AsyncIterable<Uint8Array>) };
  }),
  way('axios stream', 'axios', async (url) => {
    const [{ default: axios }, { Agent }] = await Promise.all([import('axios'), import('node:http')]);
    const client = axios.create({
      baseURL: url,
      responseType: 'stream',
      httpAgent: new Agent({ keepAlive: true }),
    });
    return { run: async () => drained((await client.get<AsyncIterable<Uint8Array>>(PATH)).data) };
  }),
];
