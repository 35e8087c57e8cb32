/** A property of the HTTP cache: what was invalidated is never served, in whatever order a remote store does its work. */
import { seededRandom, virtualClock } from '@macadam/testkit';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { HttpCacheOptions } from '../src/index.ts';
import { cachingClient, withCacheControl } from './cache-scenario.ts';
import { scriptedDispatcher, type Script } from './scripted-dispatcher.ts';

type Store = NonNullable<HttpCacheOptions['store']>;
type StoredResponses = Awaited<ReturnType<Store['get']>>;

const CALLS = 60;

/** @param failureRatio - the share of operations that fail, and of those that take longer than the time limit of the store */
async function race(seed: number, failureRatio: number): Promise<void> {
  const random = seededRandom(seed);
  const upTo = (limit: number): number => Math.floor(random() * limit);
  const clock = virtualClock();
  const entries = new Map<string, StoredResponses>();
  const delayMs = (): number => (random() < failureRatio ? 100 + upTo(600) : upTo(20));
  /** Does its work at some moment between the request and the answer. */
  const operation = async <T>(work: () => T): Promise<T> => {
    await clock.sleep(delayMs());
    if (random() < failureRatio) throw new Error('down');
    const result = work();
    await clock.sleep(delayMs());
    return result;
  };
  const store: Store = {
    get: (key) => operation(() => entries.get(key)),
    set: (key, responses) => operation(() => void entries.set(key, responses)),
    delete: (key) => operation(() => void entries.delete(key)),
  };
  let version = 1;
  const origin = scriptedDispatcher((): Script => {
    const { method } = origin.sent.at(-1) as { method: string };
    const sent = origin.headersOf(origin.sent.length - 1);
    const later = { clock, delayMs: upTo(45) };
    if (method === 'PUT') return { status: 204, headers: { 'x-version': `${++version}` }, ...later };
    // Its response is stored for GET.
    if (method === 'POST') version++;
    const etag = `"${version}${sent['x-plan']}"`;
    const control = upTo(6) === 0 ? 'no-store' : 'max-age=600';
    const fields = withCacheControl(control, {
      ...(upTo(3) > 0 && { etag }),
      vary: 'x-plan',
      'content-type': 'text/plain',
      'x-version': `${version}`,
      ...(method === 'POST' && { 'content-location': '/a' }),
    });
    if (sent['if-none-match'] === etag) return { status: 304, ...fields, ...later };
    return { status: 200, ...fields, body: method === 'HEAD' ? [] : `${version} ${sent['x-plan']}`, ...later };
  });
  const client = cachingClient(clock, origin, { store });
  let lastChange = 1;
  const call = async (method: string, plan: string, reloads: boolean): Promise<void> => {
    const validFrom = lastChange;
    const headers = { 'x-plan': plan, ...(reloads && { 'cache-control': 'no-cache' }) };
    const response = await client.request(method, '/a', { headers });
    const isChange = method === 'PUT' || method === 'POST';
    if (isChange) lastChange = Math.max(lastChange, Number(response.headers.get('x-version')));
    if (method !== 'GET') return;
    const [received, receivedPlan] = response.text().split(' ');
    expect(receivedPlan).toBe(plan);
    expect(Number(received)).toBeGreaterThanOrEqual(validFrom);
  };
  const calls: Promise<void>[] = [];
  for (let i = 0; i < CALLS; i++) {
    await clock.advance(upTo(25));
    const change = upTo(2) === 0 ? 'PUT' : 'POST';
    const method = upTo(6) === 0 ? change : upTo(12) === 0 ? 'HEAD' : 'GET';
    calls.push(call(method, upTo(2) === 0 ? 'a' : 'b', upTo(4) === 0));
  }
  await clock.runUntil(Promise.all(calls));
  await clock.runUntil(client.close());
}

test.each([0, 0.1])(
  'a response from before the end of an unsafe call is not served after it; share of failures: %d',
  async (failureRatio) => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), (seed) => race(seed, failureRatio)),
      { numRuns: Number(process.env['MODEL_RUNS'] ?? 60) },
    );
  },
);
