/**
 * The cache of a client (RFC 9111), in front of everything that sends: a call it answers costs no place in the bulkhead,
 * no budget and no attempt. The rules are in the files beside this one, which do nothing but decide; this one carries
 * out what they say, `origin.ts` what takes the origin.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { runAtRoot } from '@macadam/core';
import { timeout, type ExecuteContext, type Policy } from '@macadam/resilience';
import { AttemptLog } from '../attempts.ts';
import type { Scope } from '../attempt-settings.ts';
import type { AuthHeaders, HttpAuth } from '../auth.ts';
import { authorize } from '../authorize.ts';
import { mergeHeaders } from '../headers.ts';
import { traceCall } from '../instruments.ts';
import { isRedirect } from '../redirect.ts';
import type { PreparedRequest } from '../request.ts';
import type { HttpResponse } from '../response.ts';
import { errorTypeOf } from '../trace-attributes.ts';
import { unwrapped } from './answer.ts';
import { CacheControl } from './cache-control.ts';
import { askerOf, type Asker } from './credentials.ts';
import { isConditional, isForTheOrigin } from './conditional.ts';
import { Responder } from './responder.ts';
import type { CacheCall } from './cache-call.ts';
import { requestField, responseField } from './fields.ts';
import { GuardedStore } from './guarded-store.ts';
import { isUnsafe } from './invalidation.ts';
import { MemoryHttpCacheStore } from './memory-store.ts';
import type { HttpCacheSettings } from './options.ts';
import { Origin, type Forward } from './origin.ts';
import type { CacheContext } from './cache-context.ts';
import { StoreTimeout } from './store-timeout.ts';
import { answers, rangeOf, remainderHeaders } from './ranges.ts';
import { decideReuse } from './reuse.ts';
import { Shelf } from './shelf.ts';
import { CacheCounts, type HttpCacheStats } from './stats.ts';
import type { StoredResponse } from './stored-response.ts';
import { Variants } from './variants.ts';

/** A store that hangs must leave a call the time to be answered by the origin. */
const SHARE_OF_STORE = 0.25;

export class HttpCache {
  readonly #settings: HttpCacheSettings;
  readonly #owner: CacheContext;
  readonly #forward: Forward;
  readonly #store: GuardedStore | MemoryHttpCacheStore;
  readonly #shelf: Shelf;
  readonly #responder: Responder;
  readonly #origin: Origin;
  /** What is asked for in the background, by URL. */
  readonly #refreshes = new Map<string, Promise<void>>();
  readonly #counts = new CacheCounts();
  /** What asking for credentials may take. */
  readonly #limit: Policy;

  constructor(settings: HttpCacheSettings, owner: CacheContext, forward: Forward) {
    const { mode, store } = settings;
    const { keeping, clock, random, timeoutMs, traced } = owner;
    this.#limit = timeout({ timeoutMs, clock });
    this.#settings = settings;
    this.#owner = owner;
    this.#forward = forward;
    const inMemory = store instanceof MemoryHttpCacheStore;
    this.#store = inMemory ? store : new GuardedStore(store, { name: traced.name, clock, random });
    this.#shelf = new Shelf(new Variants(this.#store, mode, clock), keeping, this.#counts);
    this.#responder = new Responder(traced.name, clock);
    this.#origin = new Origin(clock, forward, this.#shelf, this.#responder, !inMemory);
  }

  /** Answers a call from what is stored, if it may, and keeps what comes back, if it may. */
  async execute(request: PreparedRequest, log: AttemptLog): Promise<HttpResponse> {
    const { method, headers } = request;
    if (isUnsafe(method)) return this.#origin.change(this.#call(request, log, this.#known(request)));
    const asked = new CacheControl(requestField(headers, 'cache-control'));
    if (!isKeptFor(request) || isForTheOrigin(headers) || asked.has('no-store')) return this.#forward(request, log);
    const { timeoutMs, clock } = this.#owner;
    const storeTimeout = new StoreTimeout(request, log, timeoutMs, clock);
    const asker = this.#known(request) ?? (await this.#ask(request));
    if (asker === undefined) return this.#forward(storeTimeout.shortened(request), log);
    const found = await this.#find(request, asker, storeTimeout);
    const call = this.#call(request, log, asker, storeTimeout);
    if (found !== undefined && answers(found, rangeOf(request))) return this.#reuse(call, found, asked);
    if (asked.has('only-if-cached')) {
      this.#counts.misses++;
      throw this.#responder.timeout(request, 'uri-miss');
    }
    const plain = method === 'GET' && rangeOf(request) === undefined && !isConditional(headers);
    const rest = plain && found !== undefined ? remainderHeaders(found) : undefined;
    return rest === undefined ? this.#origin.load(call) : this.#origin.complete(call, found as StoredResponse, rest);
  }

  #call(
    request: PreparedRequest,
    log: AttemptLog,
    asker: Asker | undefined,
    storeTimeout: StoreTimeout = new StoreTimeout(request, log, this.#owner.timeoutMs, this.#owner.clock),
  ): CacheCall {
    return { request, log, asker, counts: this.#counts, storeTimeout };
  }

  /** Who asks, where the request says so. What is shared is for everybody, whoever is added on the way. */
  #known({ headers }: PreparedRequest): Asker | undefined {
    return this.#owner.auth === undefined || this.#settings.mode === 'shared' ? askerOf(headers) : undefined;
  }

  /** Who asks, by what `auth` will add; undefined when it fails, which the call will find out by itself. */
  async #ask(request: PreparedRequest): Promise<Asker | undefined> {
    const { auth, origin } = this.#owner;
    const { headers, execution, scope = atOnce } = request;
    try {
      const ask = (context: ExecuteContext): Promise<AuthHeaders> =>
        scope(() => authorize(auth as HttpAuth, { request, context }, origin, headers));
      return askerOf(headers, await this.#limit.execute(ask, execution));
    } catch {
      return undefined;
    }
  }

  async #find(request: PreparedRequest, asker: Asker, storeTimeout: StoreTimeout): Promise<StoredResponse | undefined> {
    const finding = this.#shelf.find(request, asker);
    const isRemote = this.#store instanceof GuardedStore;
    const found = await (isRemote ? storeTimeout.wait(finding, SHARE_OF_STORE) : finding);
    // What `fetch` may be told of, another call would have followed.
    return found !== undefined && this.#leadsOn(request, found) ? undefined : found;
  }

  #leadsOn({ stream }: PreparedRequest, { status, headers }: StoredResponse): boolean {
    return (
      this.#owner.redirects && stream?.redirect !== 'manual' && isRedirect(status, responseField(headers, 'location'))
    );
  }

  #reuse(call: CacheCall, stored: StoredResponse, asked: CacheControl): HttpResponse | Promise<HttpResponse> {
    const { request } = call;
    const only = asked.has('only-if-cached');
    const reuse = decideReuse(stored, request.headers, this.#owner.clock.now(), this.#settings.mode);
    if (reuse.action === 'revalidate') {
      if (!only) return this.#origin.load(call, stored, reuse);
      this.#counts.misses++;
      throw this.#responder.timeout(request, 'stale');
    }
    if (reuse.action === 'refresh' && !only) this.#refresh(call, stored);
    return this.#responder.serve(call, stored, reuse);
  }

  /** Asks for a new answer while the old one is given: once at a time, and for nobody in particular. */
  #refresh({ request, asker }: CacheCall, stored: StoredResponse): void {
    const url = this.#shelf.url(request);
    if (this.#refreshes.has(url)) return;
    const plain = forNobody(request, stored);
    // But with the credentials it is kept for.
    const own =
      this.#owner.auth === undefined ? plain : { ...plain, scope: plain.scope ?? AsyncLocalStorage.snapshot() };
    const done = runAtRoot(() => this.#renew(own, asker, stored)).finally(() => this.#refreshes.delete(url));
    this.#refreshes.set(url, done);
  }

  async #renew(request: PreparedRequest, asker: Asker | undefined, stored: StoredResponse): Promise<void> {
    const { clock, traced } = this.#owner;
    const log = new AttemptLog(clock.monotonic());
    log.trace = traceCall(traced, request);
    let end: unknown;
    try {
      // It is no call, and not counted as one.
      end = await this.#origin.load({ ...this.#call(request, log, asker), counts: new CacheCounts() }, stored);
    } catch (error) {
      // A failure changes nothing: the next call tries again, until the answer is too old.
      end = unwrapped(error);
    }
    log.trace?.end(log, errorTypeOf(end));
  }

  describe(): string {
    const { mode, described } = this.#settings;
    return `keeps answers in a ${mode} cache (RFC 9111), in ${described}`;
  }

  stats(): HttpCacheStats {
    const store = this.#store;
    if (store instanceof GuardedStore) {
      return { ...this.#counts, storeFailures: store.failures, entries: undefined, bytes: undefined };
    }
    return { ...this.#counts, storeFailures: 0, entries: store.size, bytes: store.bytes };
  }

  /** Waits for what is asked for in the background, and for what is being put away. */
  async settled(): Promise<void> {
    await Promise.all(this.#refreshes.values());
    await this.#origin.settled();
  }
}

const atOnce: Scope = (work) => work();

/** Whether answers to it are kept: a body may say what is asked for, and is no part of the URL. */
function isKeptFor({ method, stream, body, source }: PreparedRequest): boolean {
  if ((method !== 'GET' && method !== 'HEAD') || body !== undefined || source !== undefined) return false;
  return stream === undefined || stream.captureRule !== undefined;
}

/** The request without what only its caller has: his signal, what he knows already, the part that he wants of a whole. */
function forNobody(request: PreparedRequest, { part }: StoredResponse): PreparedRequest {
  const { signal: _signal, ...execution } = request.execution;
  const others = {
    'if-none-match': undefined,
    'if-modified-since': undefined,
    ...(part === undefined && { range: undefined }),
  };
  const headers = mergeHeaders(request.headers, others);
  // There is nobody to read a stream.
  const stream = request.stream && { ...request.stream, captureRule: () => 'read' as const };
  return { ...request, method: 'GET', headers, execution, work: undefined, stream };
}
