/**
 * The HTTP cache of a client (RFC 9111). It stands in front of all policies: a call that is answered with a stored response
 * takes no bulkhead permit, no retry budget and no attempt.
 *
 * This file takes a call through the cache. `reuse.ts` decides whether a stored response may be used, `storability.ts`
 * whether a response may be stored, `origin.ts` sends requests to the origin, `response-store.ts` reads, updates and
 * invalidates stored responses, and `responder.ts` builds the response that a caller gets.
 */
import type { AttemptLog } from '../attempts.ts';
import { isRedirect } from '../redirect.ts';
import type { PreparedRequest } from '../request.ts';
import type { HttpResponse } from '../response.ts';
import { BackgroundRevalidations } from './background-revalidations.ts';
import type { CacheCall } from './cache-call.ts';
import type { CacheContext } from './cache-context.ts';
import { CacheControl } from './cache-control.ts';
import { hasOriginOnlyPrecondition, isConditional } from './conditional.ts';
import type { PresentedRequest } from './credentials.ts';
import { requestField, responseField } from './fields.ts';
import { GuardedStore } from './guarded-store.ts';
import { isUnsafe } from './invalidation.ts';
import { MemoryHttpCacheStore } from './memory-store.ts';
import type { HttpCacheSettings } from './options.ts';
import { Origin, type SendRequest } from './origin.ts';
import { Presenter } from './presenter.ts';
import { remainderHeaders, requestedRange, satisfiesRange } from './ranges.ts';
import { Responder } from './responder.ts';
import { ResponseStore } from './response-store.ts';
import { decideReuse } from './reuse.ts';
import { CacheCounts, type HttpCacheStats } from './stats.ts';
import { StoreTimeout } from './store-timeout.ts';
import type { StoredResponse } from './stored-response.ts';
import { targetUrlOf } from './target.ts';
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
  readonly #background: BackgroundRevalidations;
  readonly #presenter: Presenter;
  readonly #counts = new CacheCounts();

  constructor(settings: HttpCacheSettings, context: CacheContext, send: SendRequest) {
    const { mode, store } = settings;
    const { storage, clock, random, traced } = context;
    this.#settings = settings;
    this.#context = context;
    this.#send = send;
    const isInMemory = store instanceof MemoryHttpCacheStore;
    this.#store = isInMemory ? store : new GuardedStore(store, { name: traced.name, clock, random });
    this.#responses = new ResponseStore(new Variants(this.#store, clock, storage), storage, this.#counts);
    this.#responder = new Responder(traced.name, clock);
    this.#origin = new Origin(clock, send, this.#responses, this.#responder, !isInMemory);
    this.#background = new BackgroundRevalidations(context, this.#origin);
    this.#presenter = new Presenter(context, mode);
  }

  /** Answers a call with a stored response if that is allowed. Otherwise forwards it, and stores the response if allowed. */
  async execute(request: PreparedRequest, log: AttemptLog): Promise<HttpResponse> {
    const { method, headers } = request;
    const { storage, timeoutMs, clock } = this.#context;
    const url = targetUrlOf(request, storage.baseUrl);
    if (url === undefined) return this.#send(request, log);
    const storeTimeout = new StoreTimeout(request, log, timeoutMs, clock);
    const counts = this.#counts;
    if (isUnsafe(method)) {
      const presented = this.#presenter.withoutAuth(request);
      return this.#origin.forwardUnsafe({ request, log, url, presented, counts, storeTimeout });
    }
    const directives = new CacheControl(requestField(headers, 'cache-control'));
    if (!isCacheable(request) || hasOriginOnlyPrecondition(headers) || directives.has('no-store')) {
      return this.#send(request, log);
    }
    const presented = this.#presenter.withoutAuth(request) ?? (await this.#presenter.withAuth(request));
    if (presented === undefined) return this.#send(storeTimeout.withRemainingTime(request), log);
    const call = { request, log, url, presented, counts, storeTimeout };
    const stored = await this.#find(call, presented);
    // The policies reject a call that is over, as they do without a cache.
    if (isOver(request)) return this.#send(storeTimeout.withRemainingTime(request), log);
    if (stored !== undefined && satisfiesRange(stored, requestedRange(request))) {
      return this.#reuse(call, stored, directives);
    }
    if (directives.has('only-if-cached')) {
      this.#counts.misses++;
      throw this.#responder.gatewayTimeout(request, 'uri-miss');
    }
    const wantsWhole = method === 'GET' && requestedRange(request) === undefined && !isConditional(headers);
    const remainder = wantsWhole && stored !== undefined ? remainderHeaders(stored, storage.maxBytes) : undefined;
    if (remainder === undefined) return this.#origin.forward(call);
    return this.#origin.complete(call, stored as StoredResponse, remainder);
  }

  async #find(
    { request, url, storeTimeout }: CacheCall,
    presented: PresentedRequest,
  ): Promise<StoredResponse | undefined> {
    const lookup = this.#responses.find(url, presented);
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
    const reuse = decideReuse(stored, request.headers, this.#responses.now(stored), this.#settings.mode);
    if (reuse.action === 'revalidate') {
      if (!onlyIfCached) return this.#origin.forward(call, stored, reuse);
      this.#counts.misses++;
      throw this.#responder.gatewayTimeout(request, 'stale');
    }
    if (reuse.action === 'serve-while-revalidate' && !onlyIfCached) this.#background.start(call, stored);
    return this.#responder.serve(call, stored, reuse);
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

  /** Waits for revalidations in the background and for writes to the store that have begun. A body still being read is written later. */
  async settled(): Promise<void> {
    await this.#background.settled();
    await this.#origin.settled();
  }
}

/** Whether the cache handles a request. A body may select the response, but is no part of the cache key. */
function isCacheable({ method, stream, body, source }: PreparedRequest): boolean {
  if ((method !== 'GET' && method !== 'HEAD') || body !== undefined || source !== undefined) return false;
  return stream === undefined || stream.captureRule !== undefined;
}

/** Whether the caller has cancelled the call, or the deadline of its work has passed. */
function isOver({ execution, work }: PreparedRequest): boolean {
  return execution.signal?.aborted === true || work?.cancellation?.aborted === true || work?.deadline?.expired === true;
}
