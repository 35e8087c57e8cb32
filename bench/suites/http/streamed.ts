import { cockatiel } from './buffered.ts';
import { contender, type ContenderFactory } from './contender.ts';

const PATH = '/items/1';

async function readAll(body: AsyncIterable<Uint8Array>): Promise<number> {
  let bytes = 0;
  for await (const chunk of body) bytes += chunk.length;
  return bytes;
}

/** A body that is read in chunks as it arrives. */
export const streamed: readonly ContenderFactory[] = [
  contender('macadam stream', '@macadam/http', async (url) => {
    const { createHttpClient } = await import('@macadam/http');
    const client = createHttpClient({ name: 'bench', baseUrl: url });
    return { run: async () => readAll((await client.stream('GET', PATH, {})).body), close: () => client.close() };
  }),
  contender('undici pool.request', 'undici', async (url) => {
    const { Pool } = await import('undici');
    const pool = new Pool(url);
    return {
      run: async () => readAll((await pool.request({ method: 'GET', path: PATH })).body),
      close: () => pool.close(),
    };
  }),
  contender('undici + cockatiel', ['undici', 'cockatiel'], async (url) => {
    const [{ Pool }, guarded] = await Promise.all([import('undici'), cockatiel()]);
    const pool = new Pool(url);
    // Read inside the call: its time limit cancels the body of a call that has returned.
    const run = (): unknown =>
      guarded.execute(async ({ signal }) => readAll((await pool.request({ method: 'GET', path: PATH, signal })).body));
    return { run, close: () => pool.close() };
  }),
  contender('undici fetch', 'undici', async (url) => {
    const { fetch } = await import('undici');
    return { run: async () => readAll((await fetch(url + PATH)).body as AsyncIterable<Uint8Array>) };
  }),
  contender('got stream', 'got', async (url) => {
    const [{ default: got }, { Agent }] = await Promise.all([import('got'), import('node:http')]);
    const client = got.extend({ prefixUrl: url, agent: { http: new Agent({ keepAlive: true }) } });
    return { run: () => readAll(client.stream(PATH.slice(1)) as AsyncIterable<Uint8Array>) };
  }),
  contender('axios stream', 'axios', async (url) => {
    const [{ default: axios }, { Agent }] = await Promise.all([import('axios'), import('node:http')]);
    const client = axios.create({
      baseURL: url,
      responseType: 'stream',
      httpAgent: new Agent({ keepAlive: true }),
    });
    return { run: async () => readAll((await client.get<AsyncIterable<Uint8Array>>(PATH)).data) };
  }),
];
