/**
 * The HTTP cache of a client (RFC 9111). It stands in front of all policies: a call that is answered with a stored response
 * takes no bulkhead permit, no retry budget and no attempt.
 *
 * This file takes a call through the cache. `reuse.ts` decides whether a stored response may be used, `storability.ts`
 * whether a response may be stored, `origin.ts` sends requests to the origin, `response-store.ts` reads, updates and
 * invalidates stored responses, and `responder.ts` builds the response that a caller gets.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { runAtRoot } from '@macadam/core';
import { timeout, type ExecuteContext, type Policy } from '@macadam/resilience';
import { AttemptLog } from '../attempts.ts';
import type { AsyncScope } from '../attempt-settings.ts';
import type { AuthHeaders, HttpAuth } from '../auth.ts';
import { authorize } from '../authorize.ts';
import { mergeHeaders } from '../headers.ts';
import { traceCall } from '../instruments.ts';
import { isRedirect } from '../redirect.ts';
import type { PreparedRequest } from '../request.ts';
import type { HttpResponse } from '../response.ts';
import { errorTypeOf } from '../trace-attributes.ts';
import type { CacheCall } from './cache-call.ts';
import type { CacheContext } from './cache-context.ts';
import { CacheControl } from './cache-control.ts';
import { hasOriginOnlyPrecondition, isConditional } from './conditional.ts';
import { presentedRequest, type PresentedRequest } from './credentials.ts';
import { requestField, responseField } from './fields.ts';
import { GuardedStore } from './guarded-store.ts';
import { isUnsafe } from './invalidation.ts';
import { MemoryHttpCacheStore } from './memory-store.ts';
import type { HttpCacheSettings } from './options.ts';
import { Origin, type SendRequest } from './origin.ts';
import { lastFailure } from './origin-failure.ts';
import { remainderHeaders, requestedRange, satisfiesRange } from './ranges.ts';
import { Responder } from './responder.ts';
import { ResponseStore } from './response-store.ts';
import { decideReuse } from './reuse.ts';
import { CacheCounts, type HttpCacheStats } from './stats.ts';
import { StoreTimeout } from './store-timeout.ts';
import type { StoredResponse } from './stored-response.ts';
import { Variants } from './variants.ts';

/** Share of a call's time that it waits for a lookup: when the store hangs, the rest is left for the origin. */
const LOOKUP_TIME_SHARE = 0.25;

export class HttpCache {
  readonly #settings: HttpCacheSettings;
  readonly #context: CacheContext;
  readonly #send: SendRequest;
  readonly #store: GuardedStore | MemoryHttpCacheStore;
  readonly #responses: ResponseStore;
  readonly #responder: Responder;
  readonly #origin: Origin;
  /** Revalidations in the background, by target URL. */
  readonly #backgroundRevalidations = new Map<string, Promise<void>>();
  readonly #counts = new CacheCounts();
  /** Bounds the `auth` of a call, which is asked before the policies of the call begin. */
  readonly #authTimeout: Policy;

  constructor(settings: HttpCacheSettings, context: CacheContext, send: SendRequest) {
    const { mode, store } = settings;
    const { storage, clock, random, timeoutMs, traced } = context;
    this.#authTimeout = timeout({ timeoutMs, clock });
    this.#settings = settings;
    this.#context = context;
    this.#send = send;
    const isInMemory = store instanceof MemoryHttpCacheStore;
    this.#store = isInMemory ? store : new GuardedStore(store, { name: traced.name, clock, random });
    this.#responses = new ResponseStore(new Variants(this.#store, mode, clock), storage, this.#counts);
    this.#responder = new Responder(traced.name, clock);
    this.#origin = new Origin(clock, send, this.#responses, this.#responder, !isInMemory);
  }

  /** Answers a call with a stored response if that is allowed. Otherwise forwards it, and stores the response if allowed. */
  async execute(request: PreparedRequest, log: AttemptLog): Promise<HttpResponse> {
    const { method, headers } = request;
    if (isUnsafe(method)) {
      return this.#origin.forwardUnsafe(this.#call(request, log, this.#presentedWithoutAuth(request)));
    }
    const directives = new CacheControl(requestField(headers, 'cache-control'));
    if (!isCacheable(request) || hasOriginOnlyPrecondition(headers) || directives.has('no-store')) {
      return this.#send(request, log);
    }
    const { timeoutMs, clock } = this.#context;
    const storeTimeout = new StoreTimeout(request, log, timeoutMs, clock);
    const presented = this.#presentedWithoutAuth(request) ?? (await this.#presentedWithAuth(request));
    if (presented === undefined) return this.#send(storeTimeout.withRemainingTime(request), log);
    const stored = await this.#find(request, presented, storeTimeout);
    const call = this.#call(request, log, presented, storeTimeout);
    if (stored !== undefined && satisfiesRange(stored, requestedRange(request))) {
      return this.#reuse(call, stored, directives);
    }
    if (directives.has('only-if-cached')) {
      this.#counts.misses++;
      throw this.#responder.gatewayTimeout(request, 'uri-miss');
    }
    const wantsWhole = method === 'GET' && requestedRange(request) === undefined && !isConditional(headers);
    const remainder = wantsWhole && stored !== undefined ? remainderHeaders(stored) : undefined;
    if (remainder === undefined) return this.#origin.forward(call);
    return this.#origin.complete(call, stored as StoredResponse, remainder);
  }

  #call(
    request: PreparedRequest,
    log: AttemptLog,
    presented: PresentedRequest | undefined,
    storeTimeout: StoreTimeout = new StoreTimeout(request, log, this.#context.timeoutMs, this.#context.clock),
  ): CacheCall {
    return { request, log, presented, counts: this.#counts, storeTimeout };
  }

  /**
   * The request to match with stored responses, if that needs no `auth`: a shared cache stores only what everybody may get,
   * whatever credentials are added. Otherwise undefined.
   */
  #presentedWithoutAuth({ headers }: PreparedRequest): PresentedRequest | undefined {
    const needsAuth = this.#context.auth !== undefined && this.#settings.mode === 'private';
    return needsAuth ? undefined : presentedRequest(headers);
  }

  /** The same with the headers that `auth` adds; undefined when `auth` fails, which the forwarded request then reports. */
  async #presentedWithAuth(request: PreparedRequest): Promise<PresentedRequest | undefined> {
    const { auth, origin } = this.#context;
    const { headers, execution, scope = runDirectly } = request;
    try {
      const askAuth = (context: ExecuteContext): Promise<AuthHeaders> =>
        scope(() => authorize(auth as HttpAuth, { request, context }, origin, headers));
      return presentedRequest(headers, await this.#authTimeout.execute(askAuth, execution));
    } catch {
      return undefined;
    }
  }

  async #find(
    request: PreparedRequest,
    presented: PresentedRequest,
    storeTimeout: StoreTimeout,
  ): Promise<StoredResponse | undefined> {
    const lookup = this.#responses.find(request, presented);
    const isRemote = this.#store instanceof GuardedStore;
    const stored = await (isRemote ? storeTimeout.wait(lookup, LOOKUP_TIME_SHARE) : lookup);
    return stored !== undefined && this.#isRedirectToFollow(request, stored) ? undefined : stored;
  }

  /**
   * Whether a stored redirect is one that this call follows. `fetch` with `redirect: 'manual'` stores the redirect itself;
   * other calls go to the origin, whose redirect the client follows.
   */
  #isRedirectToFollow({ stream }: PreparedRequest, { status, headers }: StoredResponse): boolean {
    if (!this.#context.followsRedirects || stream?.redirect === 'manual') return false;
    return isRedirect(status, responseField(headers, 'location'));
  }

  #reuse(
    call: CacheCall,
    stored: StoredResponse,
    requestDirectives: CacheControl,
  ): HttpResponse | Promise<HttpResponse> {
    const { request } = call;
    const onlyIfCached = requestDirectives.has('only-if-cached');
    const reuse = decideReuse(stored, request.headers, this.#context.clock.now(), this.#settings.mode);
    if (reuse.action === 'revalidate') {
      if (!onlyIfCached) return this.#origin.forward(call, stored, reuse);
      this.#counts.misses++;
      throw this.#responder.gatewayTimeout(request, 'stale');
    }
    if (reuse.action === 'serve-while-revalidate' && !onlyIfCached) this.#revalidateInBackground(call, stored);
    return this.#responder.serve(call, stored, reuse);
  }

  /** Revalidates outside the work, deadline and signal of the call that found the response stale; once at a time per URL. */
  #revalidateInBackground({ request, presented }: CacheCall, stored: StoredResponse): void {
    const url = this.#responses.targetUrl(request);
    if (this.#backgroundRevalidations.has(url)) return;
    const detached = detachedFromCaller(request, stored);
    // `auth` may read the caller's AsyncLocalStorage: it must return the credentials that the response is stored for.
    const { auth } = this.#context;
    const scoped = auth && { ...detached, scope: detached.scope ?? AsyncLocalStorage.snapshot() };
    const done = runAtRoot(() => this.#revalidate(scoped ?? detached, presented, stored)).finally(() =>
      this.#backgroundRevalidations.delete(url),
    );
    this.#backgroundRevalidations.set(url, done);
  }

  async #revalidate(
    request: PreparedRequest,
    presented: PresentedRequest | undefined,
    stored: StoredResponse,
  ): Promise<void> {
    const { clock, traced } = this.#context;
    const log = new AttemptLog(clock.monotonic());
    log.trace = traceCall(traced, request);
    let outcome: unknown;
    try {
      // Not counted: no caller made this request.
      const call = { ...this.#call(request, log, presented), counts: new CacheCounts() };
      outcome = await this.#origin.forward(call, stored);
    } catch (error) {
      // The stored response stays. The next call tries again while stale-while-revalidate allows it.
      outcome = lastFailure(error);
    }
    log.trace?.end(log, errorTypeOf(outcome));
  }

  describe(): string {
    const { mode, storeDescription } = this.#settings;
    return `stores responses in a ${mode} cache (RFC 9111), in ${storeDescription}`;
  }

  stats(): HttpCacheStats {
    const store = this.#store;
    if (store instanceof GuardedStore) {
      return { ...this.#counts, storeFailures: store.failures, entries: undefined, bytes: undefined };
    }
    return { ...this.#counts, storeFailures: 0, entries: store.size, bytes: store.bytes };
  }

  /** Waits for revalidations in the background and for pending writes to the store. */
  async settled(): Promise<void> {
    await Promise.all(this.#backgroundRevalidations.values());
    await this.#origin.settled();
  }
}

const runDirectly: AsyncScope = (work) => work();

/** Whether the cache handles a request. A body may select the response, but is no part of the cache key. */
function isCacheable({ method, stream, body, source }: PreparedRequest): boolean {
  if ((method !== 'GET' && method !== 'HEAD') || body !== undefined || source !== undefined) return false;
  return stream === undefined || stream.captureRule !== undefined;
}

/** The request without what belongs to its caller: signal, work, conditions, and the range, unless a part is revalidated. */
function detachedFromCaller(request: PreparedRequest, { part }: StoredResponse): PreparedRequest {
  const { signal: _signal, ...execution } = request.execution;
  const removed = {
    'if-none-match': undefined,
    'if-modified-since': undefined,
    ...(part === undefined && { range: undefined }),
  };
  const headers = mergeHeaders(request.headers, removed);
  // Nobody reads the body as a stream.
  const stream = request.stream && { ...request.stream, captureRule: () => 'read' as const };
  return { ...request, method: 'GET', headers, execution, work: undefined, stream };
}
