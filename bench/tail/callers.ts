export type Call = () => Promise<unknown>;

const TIMEOUT_MS = 1_000;
const PATH = '/items/1';

/** The callers that are compared, all with a timeout of one second per call. */
export const callers: Readonly<Record<string, (url: string) => Promise<Call>>> = {
  'macadam, as it comes': async (url) => {
    const { createHttpClient } = await import('@macadam/http');
    const client = createHttpClient({
      name: 'tail',
      baseUrl: url,
      timeoutMs: TIMEOUT_MS,
      attemptTimeoutMs: TIMEOUT_MS,
    });
    return () => client.get('/items/{id}', { params: { id: 1 } });
  },
  'macadam, adaptive concurrency': async (url) => {
    const { createHttpClient } = await import('@macadam/http');
    const limits = { timeoutMs: TIMEOUT_MS, attemptTimeoutMs: TIMEOUT_MS, adaptiveConcurrency: {} };
    const client = createHttpClient({ name: 'tail', baseUrl: url, ...limits });
    return () => client.get('/items/{id}', { params: { id: 1 } });
  },
  'undici request': async (url) => {
    const { Agent, request } = await import('undici');
    const dispatcher = new Agent({ connections: null });
    return async () => {
      const { body } = await request(url + PATH, { dispatcher, signal: AbortSignal.timeout(TIMEOUT_MS) });
      return await body.json();
    };
  },
  'undici + cockatiel': async (url) => {
    const [{ Agent, request }, c] = await Promise.all([import('undici'), import('cockatiel')]);
    const dispatcher = new Agent({ connections: null });
    const guarded = c.wrap(
      c.retry(c.handleAll, { maxAttempts: 2 }),
      c.circuitBreaker(c.handleAll, { halfOpenAfter: 5_000, breaker: new c.ConsecutiveBreaker(5) }),
      c.timeout(TIMEOUT_MS, c.TimeoutStrategy.Cooperative),
    );
    return () =>
      guarded.execute(async ({ signal }) => await (await request(url + PATH, { dispatcher, signal })).body.json());
  },
  got: async (url) => {
    const { Agent } = await import('node:http');
    const { default: got } = await import('got');
    const agent = { http: new Agent({ keepAlive: true }) };
    return () => got(url + PATH, { agent, timeout: { request: TIMEOUT_MS } }).json();
  },
};
