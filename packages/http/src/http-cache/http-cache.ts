/**
 * The cache of a client (RFC 9111), in front of everything that sends: a call it answers costs no place in the bulkhead,
 * no budget and no attempt. The rules are in the files beside this one, which do nothing but decide; this one carries
 * out what they say.
 */
import { AsyncResource } from 'node:async_hooks';
import type { Clock } from '@macadam/core';
import { AttemptLog } from '../attempts.ts';
import { mergeHeaders } from '../headers.ts';
import type { PreparedRequest } from '../request.ts';
import type { HttpResponse } from '../response.ts';
import { discard } from '../stream/http-stream.ts';
import { answerOf, fieldsOf, isFailed, isUnreachable, statusError, type Answer } from './answer.ts';
import { CacheControl } from './cache-control.ts';
import { confirms, isConditional, isForTheOrigin, isNotModified, validatorHeaders } from './conditional.ts';
import { requestField } from './fields.ts';
import { currentAgeMs } from './freshness.ts';
import { isUnsafe } from './invalidation.ts';
import { MemoryHttpCacheStore } from './memory-store.ts';
import type { HttpCacheSettings } from './options.ts';
import { answers, combined, rangeOf, remainderHeaders } from './ranges.ts';
import { decideReuse, mustBeAsked, type Reuse } from './reuse.ts';
import { cacheStatusName, gatewayTimeout, hitOf, notModified, storedAnswer, type Serving } from './served.ts';
import { Shelf, type Learnt } from './shelf.ts';
import { CacheCounts, type HttpCacheStats } from './stats.ts';
import { freshened, type StoredResponse } from './stored-response.ts';
import { Variants } from './variants.ts';

/** Sends a request, through everything a call without a cache goes through. */
export type Forward = (request: PreparedRequest, log: AttemptLog) => Promise<HttpResponse>;

/** Whose cache it is. */
export interface CacheOwner {
  readonly name: string;
  readonly origin: string;
  readonly clock: Clock;
  /** Whether credentials are added to requests on their way. */
  readonly authorizes: boolean;
}

export class HttpCache {
  readonly #settings: HttpCacheSettings;
  readonly #clock: Clock;
  readonly #forward: Forward;
  readonly #shelf: Shelf;
  readonly #cacheName: string;
  /** What is asked for in the background, by URL. */
  readonly #refreshes = new Map<string, Promise<void>>();
  /** The context of whoever made the client: a refresh must not end with the work that happened to start it. */
  readonly #outside = new AsyncResource('MacadamHttpCache');
  readonly #counts = new CacheCounts();

  constructor(settings: HttpCacheSettings, { name, origin, clock, authorizes }: CacheOwner, forward: Forward) {
    const { mode, store } = settings;
    this.#settings = settings;
    this.#clock = clock;
    this.#forward = forward;
    this.#shelf = new Shelf(new Variants(store, mode, clock), { mode, origin, authorizes }, this.#counts);
    this.#cacheName = cacheStatusName(name);
  }

  /** Answers a call from what is stored, if it may, and keeps what comes back, if it may. */
  async answer(request: PreparedRequest, log: AttemptLog): Promise<HttpResponse> {
    const { method, headers, stream } = request;
    if (isUnsafe(method)) return this.#change(request, log);
    const asked = new CacheControl(requestField(headers, 'cache-control'));
    const keeps = (method === 'GET' || method === 'HEAD') && (stream === undefined || stream.keeps !== undefined);
    if (!keeps || isForTheOrigin(headers) || asked.has('no-store')) return this.#forward(request, log);
    const found = await this.#shelf.find(request);
    if (found !== undefined && answers(found, rangeOf(request))) {
      return this.#reuse(request, log, found, asked.has('only-if-cached'));
    }
    this.#counts.misses++;
    if (asked.has('only-if-cached')) throw this.#timeout(request, 'uri-miss');
    const plain = method === 'GET' && rangeOf(request) === undefined && !isConditional(headers);
    const rest = plain && found !== undefined ? remainderHeaders(found) : undefined;
    return rest === undefined
      ? this.#load(request, log, undefined, undefined)
      : this.#complete(request, log, found as StoredResponse, rest);
  }

  #reuse(request: PreparedRequest, log: AttemptLog, stored: StoredResponse, only: boolean): Promise<HttpResponse> {
    const reuse = decideReuse(stored, request.headers, this.#clock.now(), this.#settings.mode);
    if (reuse.action === 'revalidate') {
      if (only) throw this.#timeout(request, 'stale');
      return this.#load(request, log, stored, reuse);
    }
    if (reuse.action === 'refresh') this.#refresh(request, stored);
    if (reuse.freshForMs > 0) this.#counts.hits++;
    else this.#counts.stale++;
    return this.#serve(request, stored, reuse.ageMs, hitOf(reuse));
  }

  /** Asks the origin: whether what is stored is still good, or for a new answer. */
  async #load(
    request: PreparedRequest,
    log: AttemptLog,
    stored: StoredResponse | undefined,
    reuse: Reuse | undefined,
  ): Promise<HttpResponse> {
    const { method, headers } = request;
    const asksItself = isConditional(headers) || method === 'HEAD';
    const validators = stored === undefined || asksItself ? undefined : validatorHeaders(stored);
    const sent = validators === undefined ? request : { ...request, headers: mergeHeaders(headers, validators) };
    const load = this.#shelf.begin(request);
    try {
      const { learnt, error } = await this.#ask(sent, log);
      const { response, fields, times } = learnt;
      if (stored !== undefined && reuse?.onError === true && isFailed(response.status)) {
        return this.#standIn(request, stored, reuse);
      }
      if (stored !== undefined && response.status === 304) {
        if (confirms(fields, stored)) {
          const fresh = freshened(stored, fields, times, this.#settings.mode);
          if (!load.isOutdated()) await this.#shelf.keep(request, fresh);
          if (validators === undefined && error !== undefined) throw error;
          this.#counts.revalidated++;
          return await this.#serve(request, fresh, this.#ageMs(fresh), 'fwd=stale; fwd-status=304');
        }
        // It speaks of a version that is not here: only the whole answer helps.
        if (validators !== undefined) return await this.#load(request, log, undefined, undefined);
      }
      if (!load.isOutdated()) await this.#shelf.learn(request, log, stored, learnt);
      if (error !== undefined) throw error;
      return response;
    } catch (error) {
      if (stored === undefined || !isUnreachable(error)) throw error;
      if (reuse?.onUnreachable === true) return await this.#standIn(request, stored, reuse);
      // `fetch` has no better way to say it; whoever made a call of this client's own is told what went wrong.
      throw request.stream !== undefined && mustBeAsked(stored) ? this.#timeout(request, 'stale') : error;
    } finally {
      load.end();
    }
  }

  /** Asks the origin for what is missing of a part. */
  async #complete(
    request: PreparedRequest,
    log: AttemptLog,
    part: StoredResponse,
    rest: Record<string, string>,
  ): Promise<HttpResponse> {
    const sent = { ...request, headers: mergeHeaders(request.headers, rest) };
    const load = this.#shelf.begin(request);
    try {
      const { learnt, error } = await this.#ask(sent, log);
      const { status } = learnt.response;
      if (status === 206) {
        const record = this.#shelf.recordOf(sent, log, learnt);
        const whole = record && combined(part, record);
        if (whole?.status === 200) {
          if (!load.isOutdated()) await this.#shelf.keep(request, whole);
          this.#counts.revalidated++;
          return await this.#serve(request, whole, this.#ageMs(whole), 'fwd=partial; fwd-status=206');
        }
      }
      // Not what was asked for: nothing can be made of it, so all of it is asked for.
      if (status === 206 || status === 416) {
        discard(learnt.response);
        return await this.#load(request, log, undefined, undefined);
      }
      if (!load.isOutdated()) await this.#shelf.learn(request, log, undefined, learnt);
      if (error !== undefined) throw error;
      return learnt.response;
    } finally {
      load.end();
    }
  }

  /** Sends a request that may change something, and outdates what it may have changed. */
  async #change(request: PreparedRequest, log: AttemptLog): Promise<HttpResponse> {
    const load = this.#shelf.begin(request);
    try {
      const { learnt, error } = await this.#ask(request, log);
      await this.#shelf.change(request, log, load, learnt);
      if (error !== undefined) throw error;
      return learnt.response;
    } finally {
      load.end();
    }
  }

  async #ask(request: PreparedRequest, log: AttemptLog): Promise<{ learnt: Learnt; error: Answer['error'] }> {
    const requestedAt = this.#clock.now();
    const { response, error } = await answerOf(this.#forward(request, log));
    const times = { requestedAt, receivedAt: this.#clock.now() };
    return { learnt: { response, fields: fieldsOf(response), times }, error };
  }

  /** Asks for a new answer while the old one is given: once at a time, and for nobody in particular. */
  #refresh(request: PreparedRequest, stored: StoredResponse): void {
    const url = this.#shelf.url(request);
    if (this.#refreshes.has(url)) return;
    const { signal: _signal, ...execution } = request.execution;
    // There is nobody to read a stream.
    const stream = request.stream && { ...request.stream, keeps: () => true };
    const own = { ...request, method: 'GET', execution, work: undefined, stream };
    const log = new AttemptLog(this.#clock.monotonic());
    const done = this.#outside.runInAsyncScope(async () => {
      // A failure changes nothing: the next call tries again, until the answer is too old.
      await this.#load(own, log, stored, undefined).catch(() => undefined);
      this.#refreshes.delete(url);
    });
    this.#refreshes.set(url, done);
  }

  #standIn(request: PreparedRequest, stored: StoredResponse, reuse: Reuse): Promise<HttpResponse> {
    this.#counts.stale++;
    return this.#serve(request, stored, reuse.ageMs, `${hitOf(reuse)}; fwd=stale`);
  }

  async #serve(request: PreparedRequest, stored: StoredResponse, ageMs: number, how: string): Promise<HttpResponse> {
    const serving = this.#serving(request);
    const knows = isConditional(request.headers) && isNotModified(request.headers, stored, this.#clock.now());
    const response = knows ? notModified(stored, ageMs, serving) : storedAnswer(stored, ageMs, how, serving);
    // What came over the wire meanwhile had another status, and its text.
    if (request.stream !== undefined) request.stream.statusText = '';
    if (!response.ok) throw statusError(request.subject, response);
    return response;
  }

  #timeout(request: PreparedRequest, why: 'stale' | 'uri-miss'): Error {
    return statusError(request.subject, gatewayTimeout(this.#serving(request), why));
  }

  #serving(request: PreparedRequest): Serving {
    return { subject: request.subject, method: request.method, cacheName: this.#cacheName, range: rangeOf(request) };
  }

  #ageMs(stored: StoredResponse): number {
    return currentAgeMs(stored, this.#clock.now());
  }

  describe(): string {
    const { mode, described } = this.#settings;
    return `keeps answers in a ${mode} cache (RFC 9111), in ${described}`;
  }

  stats(): HttpCacheStats {
    const { store } = this.#settings;
    const memory = store instanceof MemoryHttpCacheStore ? store : undefined;
    const storeFailures = this.#shelf.failures;
    return { ...this.#counts, storeFailures, entries: memory?.size, bytes: memory?.bytes };
  }

  /** Waits for what is asked for in the background. */
  async settled(): Promise<void> {
    await Promise.all(this.#refreshes.values());
  }
}
