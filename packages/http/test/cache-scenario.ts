/** Scenarios for the HTTP cache: a list of calls in virtual time, each with what the origin answers and what must happen. */
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

/** One call, and what is expected of it. */
export interface Step {
  /** Seconds since the previous step. Default: 0. */
  afterSeconds?: number;
  method?: string;
  path?: string;
  headers?: Record<string, string | string[]>;
  /** What the origin answers if the call is forwarded. Default: 200 with the body `body N`, N being the number of the step. */
  origin?: Script;
  /** Whether the call is forwarded to the origin, or how many requests the origin gets. Default: true. */
  forwarded?: boolean | number;
  /** Status of the response to the caller. Default: 200. */
  status?: number;
  body?: string;
  /** Headers of the response to the caller; null for one that must be absent. */
  responseHeaders?: Record<string, string | null>;
  /** Headers of the forwarded request; null for one that must be absent. */
  forwardedHeaders?: Record<string, string | null>;
  /** The code of the error with which the call fails. */
  errorCode?: string;
}

/** A client with a cache in front of `origin`. */
export function cachingClient(
  clock: VirtualClock,
  origin: ScriptedDispatcher,
  cache: HttpCacheOptions = {},
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

/** Runs a scenario with one client, which it closes. Returns the statistics of the client. */
export async function runScenario(
  clock: VirtualClock,
  steps: readonly Step[],
  cache: HttpCacheOptions = {},
  more: Partial<HttpClientOptions> = {},
): Promise<HttpClientStats> {
  let nextScript: Script = {};
  const origin = scriptedDispatcher(() => nextScript);
  await using client = cachingClient(clock, origin, cache, more);
  for (const [i, step] of steps.entries()) {
    const { afterSeconds = 0, method = 'GET', path = '/a', headers = {}, forwarded = true, status = 200 } = step;
    const label = `step ${i + 1}`;
    await clock.advance(afterSeconds * 1_000);
    nextScript = { status: 200, body: `body ${i + 1}`, ...step.origin };
    const sentBefore = origin.sent.length;
    const call = client.request(method, path, { headers });
    const { response, errorCode } = await clock.runUntil(
      call.then(
        (received) => ({ response: received, errorCode: undefined }),
        (error: { code: string }) => ({ response: undefined, errorCode: error.code }),
      ),
    );
    expect(origin.sent.length - sentBefore, `${label}: requests that reached the origin`).toBe(Number(forwarded));
    expect(errorCode, `${label}: error code`).toBe(step.errorCode);
    if (step.errorCode !== undefined) continue;
    expect(response?.status, `${label}: status`).toBe(status);
    if (step.body !== undefined) expect(response?.text(), `${label}: body`).toBe(step.body);
    for (const [name, value] of Object.entries(step.responseHeaders ?? {})) {
      expect(response?.headers.get(name), `${label}: ${name} of the response`).toBe(value);
    }
    for (const [name, value] of Object.entries(step.forwardedHeaders ?? {})) {
      const sent = origin.headersOf(origin.sent.length - 1)[name] ?? null;
      expect(sent, `${label}: ${name} of the forwarded request`).toBe(value);
    }
  }
  return client.stats();
}

/** A response of the origin with this `Cache-Control`. */
export const withCacheControl = (control: string, more: Record<string, string | string[]> = {}): Script => ({
  headers: { 'cache-control': control, ...more },
});
