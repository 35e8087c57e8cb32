import { fork, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { Contender, Subject, Suite } from '../src/suite.ts';

/** The server has a process of its own, on another core where the system can keep it there. */
async function serve(bodyBytes: number): Promise<{ url: string; close: () => void }> {
  const script = join(import.meta.dirname, '..', 'src', 'json-server.ts');
  const server = fork(script, [String(bodyBytes)], { execArgv: ['--no-warnings'] });
  if (server.pid !== undefined) spawnSync('taskset', ['--all-tasks', '--cpu-list', '--pid', '0', String(server.pid)]);
  const port = await new Promise<number>((resolve, reject) => {
    server.once('message', resolve);
    server.once('error', reject);
  });
  return { url: `http://127.0.0.1:${port}`, close: () => void server.kill() };
}

type Setup = (url: string) => Promise<Subject>;

const contender =
  (name: string, from: string | undefined, setup: Setup) =>
  (bodyBytes: number, inFlight: number): Contender => ({
    name,
    ...(from !== undefined && { from }),
    setup: async () => {
      const server = await serve(bodyBytes);
      const subject = await setup(server.url);
      return {
        inFlight,
        run: () => subject.run(),
        close: async () => {
          await subject.close?.();
          server.close();
        },
      };
    },
  });

const PATH = '/items/1';
const RETRIES = 2;

const contenders = [
  contender('macadam get', '@macadam/http', async (url) => {
    const { createHttpClient } = await import('@macadam/http');
    const client = createHttpClient({ name: 'bench', baseUrl: url });
    return {
      run: async () => (await client.get('/items/{id}', { params: { id: 1 } })).data,
      close: () => client.close(),
    };
  }),
  contender('undici pool.request', 'undici', async (url) => {
    const { Pool } = await import('undici');
    const pool = new Pool(url);
    return {
      run: async () => (await pool.request({ method: 'GET', path: PATH })).body.json(),
      close: () => pool.close(),
    };
  }),
  contender('undici fetch', 'undici', async (url) => {
    const { fetch } = await import('undici');
    return { run: async () => (await fetch(url + PATH)).json() };
  }),
  contender('global fetch', undefined, async (url) => ({ run: async () => (await fetch(url + PATH)).json() })),
  contender('undici + cockatiel', 'cockatiel', async (url) => {
    const [{ Pool }, c] = await Promise.all([import('undici'), import('cockatiel')]);
    const pool = new Pool(url);
    const guarded = c.wrap(
      c.retry(c.handleAll, { maxAttempts: RETRIES }),
      c.circuitBreaker(c.handleAll, { halfOpenAfter: 5_000, breaker: new c.ConsecutiveBreaker(5) }),
      c.timeout(10_000, c.TimeoutStrategy.Cooperative),
    );
    const run = (): unknown =>
      guarded.execute(async ({ signal }) => (await pool.request({ method: 'GET', path: PATH, signal })).body.json());
    return { run, close: () => pool.close() };
  }),
  contender('undici + opossum + p-retry', 'opossum', async (url) => {
    const [{ Pool }, { default: CircuitBreaker }, { default: pRetry }] = await Promise.all([
      import('undici'),
      import('opossum'),
      import('p-retry'),
    ]);
    const pool = new Pool(url);
    const breaker = new CircuitBreaker(async () => (await pool.request({ method: 'GET', path: PATH })).body.json(), {
      timeout: 10_000,
    });
    return { run: () => pRetry(() => breaker.fire(), { retries: RETRIES }), close: () => pool.close() };
  }),
  contender('got', 'got', async (url) => {
    const [{ default: got }, { Agent }] = await Promise.all([import('got'), import('node:http')]);
    const client = got.extend({
      prefixUrl: url,
      retry: { limit: RETRIES },
      timeout: { request: 10_000 },
      agent: { http: new Agent({ keepAlive: true }) },
    });
    return { run: () => client.get(PATH.slice(1)).json() };
  }),
  contender('ky', 'ky', async (url) => {
    const { default: ky } = await import('ky');
    const client = ky.create({ retry: { limit: RETRIES }, timeout: 10_000 });
    return { run: () => client.get(url + PATH).json() };
  }),
  contender('axios + axios-retry', 'axios', async (url) => {
    const [{ default: axios }, retrying, { Agent }] = await Promise.all([
      import('axios'),
      import('axios-retry'),
      import('node:http'),
    ]);
    const client = axios.create({ baseURL: url, timeout: 10_000, httpAgent: new Agent({ keepAlive: true }) });
    retrying.default(client, { retries: RETRIES });
    return { run: async () => ((await client.get(PATH)) as { data: unknown }).data };
  }),
  contender('ofetch', 'ofetch', async (url) => {
    const { ofetch } = await import('ofetch');
    const client = ofetch.create({ baseURL: url, retry: RETRIES, timeout: 10_000 });
    return { run: () => client(PATH) };
  }),
];

const claims = [
  { of: 'macadam get', to: 'undici pool.request', atMost: 0.95 },
  { of: 'macadam get', to: 'got', atMost: 0.35 },
  { of: 'macadam get', to: 'ky', atMost: 0.35 },
  { of: 'macadam get', to: 'axios + axios-retry', atMost: 0.35 },
];

export const suite: Suite = {
  name: 'http',
  what: 'A GET of JSON over a loopback socket, read whole and parsed, each client with retries and time limits where it has them. The server has a process of its own; the figures are those of the client alone.',
  cases: [
    {
      name: 'small JSON, one at a time',
      what: 'A body of 70 bytes, one request after the other.',
      contenders: contenders.map((make) => make(70, 1)),
      claims,
    },
    {
      name: 'small JSON, 32 in flight',
      what: 'A body of 70 bytes, 32 requests at a time.',
      contenders: contenders.map((make) => make(70, 32)),
      claims,
    },
    {
      name: '100 kB of JSON',
      what: 'A body of 100 kB, eight requests at a time.',
      contenders: contenders.map((make) => make(100_000, 8)),
    },
  ],
};
