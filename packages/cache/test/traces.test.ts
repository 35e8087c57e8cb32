// Which trace a load belongs to, with the real OpenTelemetry SDK.
import { AsyncLocalStorage } from 'node:async_hooks';
import { context } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { currentWork, runWork } from '@macadam/core';
import { virtualClock } from '@macadam/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createCache, type Cache, type CacheOptions, type Tier } from '@macadam/cache';
import { memoryTier } from '@macadam/cache/testing';

const exporter = new InMemorySpanExporter();
const manager = new AsyncLocalStorageContextManager().enable();
const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] });
const tracer = provider.getTracer('test');

beforeAll(() => void context.setGlobalContextManager(manager));
afterAll(async () => {
  context.disable();
  await provider.shutdown();
});
afterEach(() => exporter.reset());

/** A call of the source, traced as an HTTP client would. */
function fetched(name: string): void {
  tracer.startSpan(name).end();
}

/** Runs `fn` in the span of a request. */
const request = <R>(name: string, fn: () => Promise<R>): Promise<R> =>
  tracer.startActiveSpan(name, async (span) => await fn().finally(() => span.end()));

/** The name of the parent span of each span; null for a root. */
function parents(): Record<string, string | null> {
  const spans = exporter.getFinishedSpans();
  const nameOf = (id: string | undefined): string | null =>
    spans.find((span) => span.spanContext().spanId === id)?.name ?? null;
  return Object.fromEntries(spans.map((span) => [span.name, nameOf(span.parentSpanContext?.spanId)]));
}

describe.each<[string, () => Tier | undefined]>([
  ['in memory', () => undefined],
  ['with a shared tier', () => memoryTier({ latencyMs: 1 })],
])('a load %s', (_, tier) => {
  const open: Cache<string>[] = [];
  afterEach(async () => void (await Promise.all(open.splice(0).map((cache) => cache.close()))));
  const setUp = (options: Partial<CacheOptions<string>> = {}) => {
    const clock = virtualClock();
    const l2 = tier();
    const cache = createCache<string>({
      name: 'traces', ttlMs: 1_000, ttlJitter: 0, earlyRefresh: false, clock, ...(l2 && { l2 }), ...options }); // prettier-ignore
    open.push(cache);
    return { cache, clock };
  };

  it('is in the trace of the caller that started it', async () => {
    const { cache, clock } = setUp();
    const load = (name: string) => async (): Promise<string> => {
      await clock.sleep(10);
      fetched(name);
      return 'v';
    };
    const first = request('first', () => cache.getOrLoad('k', load('load of first')));
    const second = request('second', () => cache.getOrLoad('k', load('load of second')));
    await clock.runUntil(Promise.all([first, second]));
    expect(parents()).toEqual({ first: null, second: null, 'load of first': 'first' });
  });

  it('is not in the trace of the load that freed its slot', async () => {
    const { cache, clock } = setUp({ maxConcurrentLoads: 1 });
    const load = (name: string) => async (): Promise<string> => {
      fetched(name);
      await clock.sleep(10);
      return 'v';
    };
    const calls = ['a', 'b', 'c'].map((key) => request(key, () => cache.getOrLoad(key, load(`load of ${key}`))));
    await clock.runUntil(Promise.all(calls));
    expect(parents()).toMatchObject({ 'load of a': 'a', 'load of b': 'b', 'load of c': 'c' });
  });

  it('of many keys is in the trace of its getOrLoadMany call', async () => {
    const { cache, clock } = setUp();
    const load = (name: string) => async (keys: readonly string[]) => {
      await clock.sleep(10);
      fetched(name);
      return keys.map((key) => [key, 'v'] as const);
    };
    const first = request('first', () => cache.getOrLoadMany(['a', 'b'], load('load of first')));
    const second = request('second', () => cache.getOrLoadMany(['b', 'c'], load('load of second')));
    await clock.runUntil(Promise.all([first, second]));
    expect(parents()).toMatchObject({ 'load of first': 'first', 'load of second': 'second' });
  });

  it('is not bound by the deadline or signal of that caller', async () => {
    const { cache, clock } = setUp({ ttlMs: 60_000 });
    const leaving = new AbortController();
    const seen: unknown[] = [];
    const call = request('caller', () =>
      runWork({ timeoutMs: 500, signal: leaving.signal, clock }, () =>
        cache.getOrLoad('k', async ({ signal }) => {
          await clock.sleep(10);
          seen.push(currentWork());
          fetched('load');
          await clock.sleep(1_000);
          seen.push(signal.aborted);
          return 'v';
        }),
      ),
    );
    const left = expect(call).rejects.toThrow('the client went away');
    await clock.advance(50);
    const joined = cache.getOrLoad('k', () => 'not called');
    leaving.abort(new Error('the client went away'));
    await left;
    await clock.advance(2_000);
    expect(seen).toEqual([undefined, false]);
    expect(await joined).toBe('v');
    expect(cache.peek('k')).toBe('v');
    expect(parents()).toMatchObject({ load: 'caller' });
  });

  it('nestjs/throttler #2629: a background refresh is a root span without the context of the request', async () => {
    const { cache, clock } = setUp({ staleWhileRevalidateMs: 60_000 });
    const storage = new AsyncLocalStorage<string>();
    await clock.runUntil(cache.set('k', 'v1'));
    await clock.runUntil(cache.set('k2', 'v1'));
    await clock.advance(1_500);
    const seen: unknown[] = [];
    const load = async (): Promise<string> => {
      seen.push(storage.getStore(), currentWork());
      fetched('refresh');
      return 'v2';
    };
    await storage.run('request', () =>
      request('caller', () => runWork({ tenant: 'acme' }, () => cache.getOrLoad('k', load))),
    );
    const many = async (keys: readonly string[]) => {
      seen.push(storage.getStore());
      fetched('refresh of many');
      return keys.map((key) => [key, 'v2'] as const);
    };
    await storage.run('request', () => request('caller of many', () => cache.getOrLoadMany(['k2'], many)));
    await clock.advance(100);
    expect(seen).toEqual([undefined, undefined, undefined]);
    expect(parents()).toEqual({ caller: null, refresh: null, 'caller of many': null, 'refresh of many': null });
    expect(new Set(exporter.getFinishedSpans().map((span) => span.spanContext().traceId)).size).toBe(4);
  });
});
