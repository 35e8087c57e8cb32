/** Revalidations of stale responses that were served at once (`stale-while-revalidate`, RFC 5861). */
import { AsyncLocalStorage } from 'node:async_hooks';
import { runAtRoot } from '@macadam/core';
import { AttemptLog } from '../attempts.ts';
import { mergeHeaders } from '../headers.ts';
import { traceCall } from '../instruments.ts';
import type { PreparedRequest } from '../request.ts';
import { errorTypeOf } from '../trace-attributes.ts';
import type { CacheCall } from './cache-call.ts';
import type { CacheContext } from './cache-context.ts';
import type { Origin } from './origin.ts';
import { lastFailure } from './origin-failure.ts';
import { CacheCounts } from './stats.ts';
import { StoreTimeout } from './store-timeout.ts';
import type { StoredResponse } from './stored-response.ts';

export class BackgroundRevalidations {
  readonly #context: CacheContext;
  readonly #origin: Origin;
  /** By target URL. */
  readonly #running = new Map<string, Promise<void>>();

  constructor(context: CacheContext, origin: Origin) {
    this.#context = context;
    this.#origin = origin;
  }

  /** Revalidates outside the work, limits and signal of the call that found the response stale; once at a time per URL. */
  start({ request, presented, url }: CacheCall, stored: StoredResponse): void {
    if (this.#running.has(url)) return;
    const { auth, clock, timeoutMs } = this.#context;
    const detached = detachedFromCaller(request, stored);
    // `auth` may read the caller's AsyncLocalStorage: it must return the credentials that the response is stored for.
    const own = auth === undefined ? detached : { ...detached, scope: detached.scope ?? AsyncLocalStorage.snapshot() };
    const log = new AttemptLog(clock.monotonic());
    const storeTimeout = new StoreTimeout(own, log, timeoutMs, clock);
    // Not counted: no caller made this request.
    const call = { request: own, log, url, presented, counts: new CacheCounts(), storeTimeout };
    const done = runAtRoot(() => this.#revalidate(call, stored)).finally(() => this.#running.delete(url));
    this.#running.set(url, done);
  }

  async #revalidate(call: CacheCall, stored: StoredResponse): Promise<void> {
    const { request, log } = call;
    log.trace = traceCall(this.#context.traced, request);
    let outcome: unknown;
    try {
      const pending = this.#origin.forward(call, stored);
      log.isFresh = false;
      outcome = await pending;
    } catch (error) {
      // The stored response stays. The next call tries again while stale-while-revalidate allows it.
      outcome = lastFailure(error);
    }
    log.trace?.end(log, errorTypeOf(outcome));
  }

  /** Waits for those that are running. */
  async settled(): Promise<void> {
    await Promise.all(this.#running.values());
  }
}

/**
 * The request without what belongs to its caller: signal, time limits, work, conditions, and the range, unless a part is
 * revalidated. The priority stays, because the response may be selected by it.
 */
function detachedFromCaller(request: PreparedRequest, { part }: StoredResponse): PreparedRequest {
  const {
    signal: _signal,
    timeoutMs: _timeoutMs,
    attemptTimeoutMs: _attemptTimeoutMs,
    ...execution
  } = request.execution;
  const removed = {
    'if-none-match': undefined,
    'if-modified-since': undefined,
    ...(part === undefined && { range: undefined }),
  };
  const headers = mergeHeaders(request.headers, removed);
  // Nobody reads the body as a stream.
  const stream = request.stream && { ...request.stream, captureRule: () => 'read' as const };
  const priority = request.priority ?? request.work?.priority;
  return { ...request, method: 'GET', headers, execution, priority, work: undefined, stream };
}
