import type { VirtualClock } from '@macadam/testkit';
import { seededRandom } from '@macadam/testkit';
import { expect } from 'vitest';
import {
  createHttpClient,
  type HttpCacheOptions,
  type HttpClient,
  type HttpClientOptions,
  type HttpClientStats,
} from '../src/index.ts';
import { scriptedDispatcher, type Script, type ScriptedDispatcher } from './scripted-dispatcher.ts';

/** One call of a story, and what is to be seen of it. */
export interface Step {
  /** Seconds since the step before. */
  after?: number;
  method?: string;
  path?: string;
  headers?: Record<string, string | string[]>;
  /** What the origin answers, should it be asked. Default: 200 with a body of its own. */
  origin?: Script;
  /** Whether the origin was asked, or how often; it answers the same each time. Default: true. */
  asked?: boolean | number;
  status?: number;
  body?: string;
  /** Headers of the answer; null for one that must not be there. */
  has?: Record<string, string | null>;
  /** Headers the origin got; null for one that must not be there. */
  got?: Record<string, string | null>;
  /** The call ends in an error with this code. */
  fails?: string;
}

/** A client with a cache, that talks to `origin`. */
export function cachingClient(
  clock: VirtualClock,
  cache: HttpCacheOptions,
  origin: ScriptedDispatcher,
  more: Partial<HttpClientOptions> = {},
): HttpClient {
  return createHttpClient({
    name: 'prices',
    baseUrl: 'https://prices.example.com',
    dispatcher: origin,
    cache,
    retry: false,
    circuitBreaker: false,
    throwOnStatus: false,
    clock,
    random: seededRandom(1),
    ...more,
  });
}

/** Plays a story with one client, in virtual time, and closes it. Tells what the client counted. */
export async function playStory(
  clock: VirtualClock,
  cache: HttpCacheOptions,
  steps: readonly Step[],
  more: Partial<HttpClientOptions> = {},
): Promise<HttpClientStats> {
  // Each answer is put in place right before its step, so that a call that should not be sent takes nothing away.
  let next: Script = {};
  const origin = scriptedDispatcher(() => next);
  await using client = cachingClient(clock, cache, origin, more);
  for (const [i, step] of steps.entries()) {
    const { after = 0, method = 'GET', path = '/a', headers = {}, asked = true, status = 200 } = step;
    const at = `step ${i + 1}`;
    await clock.advance(after * 1_000);
    next = { status: 200, body: `body ${i + 1}`, ...step.origin };
    const before = origin.sent.length;
    const call = client.request(method, path, { headers });
    const ended = await clock.runUntil(
      call.then(
        (response) => ({ response, code: undefined }),
        (error: { code: string }) => ({ response: undefined, code: error.code }),
      ),
    );
    expect(origin.sent.length - before, `${at}: requests that reached the origin`).toBe(Number(asked));
    expect(ended.code, at).toBe(step.fails);
    if (step.fails !== undefined) continue;
    expect(ended.response?.status, at).toBe(status);
    if (step.body !== undefined) expect(ended.response?.text(), at).toBe(step.body);
    for (const [name, value] of Object.entries(step.has ?? {})) {
      expect(ended.response?.headers.get(name), `${at}: ${name} of the answer`).toBe(value);
    }
    for (const [name, value] of Object.entries(step.got ?? {})) {
      expect(origin.headersOf(origin.sent.length - 1)[name] ?? null, `${at}: ${name} at the origin`).toBe(value);
    }
  }
  return client.stats();
}

/** An answer with this `Cache-Control`. */
export const cached = (control: string, more: Record<string, string | string[]> = {}): Script => ({
  headers: { 'cache-control': control, ...more },
});
