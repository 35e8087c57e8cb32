/**
 * The cache of a client (RFC 9111), in front of everything that sends: a call it answers costs no place in the bulkhead,
 * no budget and no attempt. The rules are in the files beside this one, which do nothing but decide; this one carries
 * out what they say, `origin.ts` what takes the origin.
 */
import { runAtRoot } from '@macadam/core';
import { AttemptLog } from '../attempts.ts';
import { mergeHeaders } from '../headers.ts';
import { traceCall } from '../instruments.ts';
import { isRedirect } from '../redirect.ts';
import type { PreparedRequest } from '../request.ts';
import type { HttpResponse } from '../response.ts';
import { errorTypeOf } from '../trace-attributes.ts';
import { unwrapped } from './answer.ts';
import { CacheControl } from './cache-control.ts';
import { isConditional, isForTheOrigin } from './conditional.ts';
import { Desk } from './desk.ts';
import type { Errand } from './errand.ts';
import { requestField, responseField } from './fields.ts';
import { isUnsafe } from './invalidation.ts';
import { MemoryHttpCacheStore } from './memory-store.ts';
import type { HttpCacheSettings } from './options.ts';
import { Origin, type Forward } from './origin.ts';
import type { CacheOwner } from './owner.ts';
import { Patience } from './patience.ts';
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
  readonly #owner: CacheOwner;
  readonly #forward: Forward;
  readonly #memory: MemoryHttpCacheStore | undefined;
  readonly #shelf: Shelf;
  readonly #desk: Desk;
  readonly #origin: Origin;
  /** What is asked for in the background, by URL. */
  readonly #refreshes = new Map<string, Promise<void>>();
  readonly #counts = new CacheCounts();

  constructor(settings: HttpCacheSettings, owner: CacheOwner, forward: Forward) {
    const { mode, store } = settings;
    const { keeping, clock, traced } = owner;
    this.#settings = settings;
    this.#owner = owner;
    this.#forward = forward;
    this.#memory = store instanceof MemoryHttpCacheStore ? store : undefined;
    this.#shelf = new Shelf(new Variants(store, mode, clock), keeping, this.#counts);
    this.#desk = new Desk(traced.name, clock);
    this.#origin = new Origin(clock, forward, this.#shelf, this.#desk);
  }

  /** Answers a call from what is stored, if it may, and keeps what comes back, if it may. */
  async answer(request: PreparedRequest, log: AttemptLog): Promise<HttpResponse> {
    const { method, headers } = request;
    if (isUnsafe(method)) return this.#origin.change(this.#errand(request, log, this.#counts));
    const asked = new CacheControl(requestField(headers, 'cache-control'));
    if (!isKeptFor(request) || isForTheOrigin(headers) || asked.has('no-store')) return this.#forward(request, log);
    const { found, errand } = await this.#find(this.#errand(request, log, this.#counts));
    const only = asked.has('only-if-cached');
    if (found !== undefined && answers(found, rangeOf(request))) return this.#reuse(errand, found, only);
    if (only) {
      this.#counts.misses++;
      throw this.#desk.timeout(request, 'uri-miss');
    }
    const plain = method === 'GET' && rangeOf(request) === undefined && !isConditional(headers);
    const rest = plain && found !== undefined ? remainderHeaders(found) : undefined;
    return rest === undefined
      ? this.#origin.load(errand)
      : this.#origin.complete(errand, found as StoredResponse, rest);
  }

  #errand(request: PreparedRequest, log: AttemptLog, counts: CacheCounts): Errand {
    const { timeoutMs, clock } = this.#owner;
    const patience = this.#memory === undefined ? new Patience(request, log, timeoutMs, clock) : undefined;
    return { request, log, counts, patience };
  }

  /** What is stored for a call, and the call with the time that is left. */
  async #find(errand: Errand): Promise<{ found: StoredResponse | undefined; errand: Errand }> {
    const { request, patience } = errand;
    const finding = this.#shelf.find(request);
    const found = await (patience === undefined ? finding : patience.wait(finding, SHARE_OF_STORE));
    const own = patience === undefined ? errand : { ...errand, request: patience.shortened(request) };
    // What `fetch` may be told of, another call would have followed.
    return { found: found !== undefined && this.#leadsOn(request, found) ? undefined : found, errand: own };
  }

  #leadsOn({ stream }: PreparedRequest, { status, headers }: StoredResponse): boolean {
    return (
      this.#owner.redirects && stream?.redirect !== 'manual' && isRedirect(status, responseField(headers, 'location'))
    );
  }

  #reuse(errand: Errand, stored: StoredResponse, only: boolean): HttpResponse | Promise<HttpResponse> {
    const { request } = errand;
    const reuse = decideReuse(stored, request.headers, this.#owner.clock.now(), this.#settings.mode);
    if (reuse.action === 'revalidate') {
      if (!only) return this.#origin.load(errand, stored, reuse);
      this.#counts.misses++;
      throw this.#desk.timeout(request, 'stale');
    }
    if (reuse.action === 'refresh' && !only) this.#refresh(request, stored);
    return this.#desk.serve(errand, stored, reuse);
  }

  /** Asks for a new answer while the old one is given: once at a time, and for nobody in particular. */
  #refresh(request: PreparedRequest, stored: StoredResponse): void {
    const url = this.#shelf.url(request);
    if (!this.#refreshes.has(url))
      this.#refreshes.set(
        url,
        runAtRoot(() => this.#renew(url, request, stored)),
      );
  }

  async #renew(url: string, request: PreparedRequest, stored: StoredResponse): Promise<void> {
    const { clock, traced } = this.#owner;
    const own = forNobody(request, stored);
    const log = new AttemptLog(clock.monotonic());
    log.trace = traceCall(traced, own);
    let end: unknown;
    try {
      // It is no call, and not counted as one.
      end = await this.#origin.load(this.#errand(own, log, new CacheCounts()), stored);
    } catch (error) {
      // A failure changes nothing: the next call tries again, until the answer is too old.
      end = unwrapped(error);
    }
    log.trace?.end(log, errorTypeOf(end));
    this.#refreshes.delete(url);
  }

  describe(): string {
    const { mode, described } = this.#settings;
    return `keeps answers in a ${mode} cache (RFC 9111), in ${described}`;
  }

  stats(): HttpCacheStats {
    const storeFailures = this.#shelf.failures;
    return { ...this.#counts, storeFailures, entries: this.#memory?.size, bytes: this.#memory?.bytes };
  }

  /** Waits for what is asked for in the background, and for what is being put away. */
  async settled(): Promise<void> {
    await Promise.all(this.#refreshes.values());
    await this.#origin.settled();
  }
}

/** Whether answers to it are kept: a body may say what is asked for, and is no part of the URL. */
function isKeptFor({ method, stream, body, source }: PreparedRequest): boolean {
  if ((method !== 'GET' && method !== 'HEAD') || body !== undefined || source !== undefined) return false;
  return stream === undefined || stream.keeps !== undefined;
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
  const stream = request.stream && { ...request.stream, keeps: () => true };
  return { ...request, method: 'GET', headers, execution, work: undefined, stream };
}
