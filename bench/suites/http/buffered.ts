import type { IPolicy } from 'cockatiel';
import { contender, type ContenderFactory } from './contender.ts';

const PATH = '/items/1';
const RETRIES = 2;
const TIMEOUT_MS = 10_000;

export const macadam: ContenderFactory = contender('macadam get', '@macadam/http', async (url) => {
  const { createHttpClient } = await import('@macadam/http');
  const client = createHttpClient({ name: 'bench', baseUrl: url });
  return {
    run: async () => (await client.get('/items/{id}', { params: { id: 1 } })).data,
    close: () => client.close(),
  };
});

export const macadamFetch: ContenderFactory = contender('macadam fetch', '@macadam/http', async (url) => {
  const { createHttpClient } = await import('@macadam/http');
  const client = createHttpClient({ name: 'bench', baseUrl: url });
  return { run: async () => (await client.fetch(url + PATH)).json(), close: () => client.close() };
});

export const undiciFetch: ContenderFactory = contender('undici fetch', 'undici', async (url) => {
  const { fetch } = await import('undici');
  return { run: async () => (await fetch(url + PATH)).json() };
});

export const globalFetch: ContenderFactory = contender('global fetch', undefined, async (url) => ({
  run: async () => (await fetch(url + PATH)).json(),
}));

/** undici alone, without any policy. */
export const bareTransport: ContenderFactory = contender('undici pool.request', 'undici', async (url) => {
  const { Pool } = await import('undici');
  const pool = new Pool(url);
  return {
    run: async () => (await pool.request({ method: 'GET', path: PATH })).body.json(),
    close: () => pool.close(),
  };
});

/** The minimal request: one promise, no stream, no body object. */
export const bareDispatch: ContenderFactory = contender('undici dispatch', 'undici', async (url) => {
  const { Pool } = await import('undici');
  const pool = new Pool(url);
  const run = (): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      pool.dispatch(
        { method: 'GET', path: PATH },
        {
          onRequestStart() {},
          onResponseStart() {},
          onResponseData(_, chunk) {
            chunks.push(chunk);
          },
          onResponseEnd: () => resolve(JSON.parse(Buffer.concat(chunks).toString())),
          onResponseError: (_, error) => reject(error),
        },
      );
    });
  return { run, close: () => pool.close() };
});

/** A retry, a circuit breaker and a timeout of cockatiel. */
export async function cockatiel(): Promise<IPolicy> {
  const c = await import('cockatiel');
  return c.wrap(
    c.retry(c.handleAll, { maxAttempts: RETRIES }),
    c.circuitBreaker(c.handleAll, { halfOpenAfter: 5_000, breaker: new c.ConsecutiveBreaker(5) }),
    c.timeout(TIMEOUT_MS, c.TimeoutStrategy.Cooperative),
  );
}

/** A typical hand-written combination of libraries. */
export const handWritten: readonly ContenderFactory[] = [
  contender('undici + cockatiel', ['undici', 'cockatiel'], async (url) => {
    const [{ Pool }, guarded] = await Promise.all([import('undici'), cockatiel()]);
    const pool = new Pool(url);
    const run = (): unknown =>
      guarded.execute(async ({ signal }) => (await pool.request({ method: 'GET', path: PATH, signal })).body.json());
    return { run, close: () => pool.close() };
  }),
  contender('undici + opossum + p-retry', ['undici', 'opossum', 'p-retry'], async (url) => {
    const [{ Pool }, { default: CircuitBreaker }, { default: pRetry }] = await Promise.all([
      import('undici'),
      import('opossum'),
      import('p-retry'),
    ]);
    const pool = new Pool(url);
    const get = async (): Promise<unknown> => (await pool.request({ method: 'GET', path: PATH })).body.json();
    const breaker = new CircuitBreaker(get, { timeout: TIMEOUT_MS });
    return { run: () => pRetry(() => breaker.fire(), { retries: RETRIES }), close: () => pool.close() };
  }),
];

/** Clients with built-in retry and timeout. */
const clients: readonly ContenderFactory[] = [
  contender('got', 'got', async (url) => {
    const [{ default: got }, { Agent }] = await Promise.all([import('got'), import('node:http')]);
    const client = got.extend({
      prefixUrl: url,
      retry: { limit: RETRIES },
      timeout: { request: TIMEOUT_MS },
      agent: { http: new Agent({ keepAlive: true }) },
    });
    return { run: () => client.get(PATH.slice(1)).json() };
  }),
  contender('ky', 'ky', async (url) => {
    const { default: ky } = await import('ky');
    const client = ky.create({ retry: { limit: RETRIES }, timeout: TIMEOUT_MS });
    return { run: () => client.get(url + PATH).json() };
  }),
  contender('axios + axios-retry', ['axios', 'axios-retry'], async (url) => {
    const [{ default: axios }, retrying, { Agent }] = await Promise.all([
      import('axios'),
      import('axios-retry'),
      import('node:http'),
    ]);
    const client = axios.create({ baseURL: url, timeout: TIMEOUT_MS, httpAgent: new Agent({ keepAlive: true }) });
    retrying.default(client, { retries: RETRIES });
    return { run: async () => ((await client.get(PATH)) as { data: unknown }).data };
  }),
  contender('ofetch', 'ofetch', async (url) => {
    const { ofetch } = await import('ofetch');
    const client = ofetch.create({ baseURL: url, retry: RETRIES, timeout: TIMEOUT_MS });
    return { run: () => client(PATH) };
  }),
];

/** A GET whose JSON body is read completely and parsed. */
export const buffered: readonly ContenderFactory[] = [
  macadam,
  bareTransport,
  undiciFetch,
  globalFetch,
  ...handWritten,
  ...clients,
];
