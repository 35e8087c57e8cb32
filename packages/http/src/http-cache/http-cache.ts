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
import { answerOf, fieldsOf, isUnreachable, statusError } from './answer.ts';
import { CacheControl } from './cache-control.ts';
import {
  confirms,
  describesSame,
  isConditional,
  isForTheOrigin,
  isNotModified,
  validatorHeaders,
} from './conditional.ts';
import { requestField, type StoredFields } from './fields.ts';
import { currentAgeMs } from './freshness.ts';
import { InFlight } from './in-flight.ts';
import { isUnsafe, outdatedUrls } from './invalidation.ts';
import { MemoryHttpCacheStore } from './memory-store.ts';
import type { HttpCacheSettings } from './options.ts';
import { recordOf, type Times } from './record.ts';
import { decideReuse, type Reuse } from './reuse.ts';
import { cacheStatusName, gatewayTimeout, notModified, storedAnswer, type Serving } from './served.ts';
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

/** Failures of the origin for which a stale answer may stand in. Source: RFC 5861, section 4. */
const STAND_IN_STATUSES: ReadonlySet<number> = new Set([500, 502, 503, 504]);

export class HttpCache {
  readonly #settings: HttpCacheSettings;
  readonly #owner: CacheOwner;
  readonly #forward: Forward;
  readonly #variants: Variants;
  readonly #loads = new InFlight();
  readonly #cacheName: string;
  /** What is asked for in the background, by URL. */
  readonly #refreshes = new Map<string, Promise<void>>();
  /** The context of whoever made the client: a refresh must not end with the work that happened to start it. */
  readonly #outside = new AsyncResource('MacadamHttpCache');
  readonly #counts = new CacheCounts();

  constructor(settings: HttpCacheSettings, owner: CacheOwner, forward: Forward) {
    this.#settings = settings;
    this.#owner = owner;
    this.#forward = forward;
    this.#variants = new Variants(settings.store, settings.mode, owner.clock);
    this.#cacheName = cacheStatusName(owner.name);
  }

  /** Answers a call from what is stored, if it may, and keeps what comes back, if it may. */
  async answer(request: PreparedRequest, log: AttemptLog): Promise<HttpResponse> {
    const { method, headers } = request;
    if (isUnsafe(method)) return this.#change(request, log);
    const asked = new CacheControl(requestField(headers, 'cache-control'));
    const keeps = (method === 'GET' || method === 'HEAD') && request.stream?.whole !== false;
    if (!keeps || isForTheOrigin(headers) || asked.has('no-store')) {
      return this.#forward(request, log);
    }
    const stored = await this.#variants.find(this.#url(request), headers);
    if (stored === undefined) {
      this.#counts.misses++;
      if (asked.has('only-if-cached')) throw statusError(request.subject, gatewayTimeout(this.#serving(request)));
      return this.#load(request, log, undefined, undefined);
    }
    return this.#reuse(request, log, stored, asked.has('only-if-cached'));
  }

  #reuse(request: PreparedRequest, log: AttemptLog, stored: StoredResponse, only: boolean): Promise<HttpResponse> {
    const reuse = decideReuse(stored, request.headers, this.#owner.clock.now(), this.#settings.mode);
    if (reuse.action === 'revalidate') {
      if (only) throw statusError(request.subject, gatewayTimeout(this.#serving(request)));
      return this.#load(request, log, stored, reuse);
    }
    // A part of what is kept would have to be cut out of it: the origin does that.
    if (requestField(request.headers, 'range') !== undefined) return this.#forward(request, log);
    if (reuse.action === 'refresh') this.#refresh(request, stored);
    if (reuse.freshForMs > 0) this.#counts.hits++;
    else this.#counts.stale++;
    return this.#serve(request, stored, reuse.ageMs, `hit; ttl=${Math.floor(reuse.freshForMs / 1_000)}`);
  }

  /** Asks the origin: whether what is stored is still good, or for a new answer. */
  async #load(
    request: PreparedRequest,
    log: AttemptLog,
    stored: StoredResponse | undefined,
    reuse: Reuse | undefined,
  ): Promise<HttpResponse> {
    const { method, headers } = request;
    const asksItself = isConditional(headers) || method === 'HEAD' || requestField(headers, 'range') !== undefined;
    const validators = stored === undefined || asksItself ? undefined : validatorHeaders(stored);
    const sent = validators === undefined ? request : { ...request, headers: mergeHeaders(headers, validators) };
    const url = this.#url(request);
    const load = this.#loads.begin(url);
    const requestedAt = this.#owner.clock.now();
    try {
      const { response, error } = await answerOf(this.#forward(sent, log));
      const times = { requestedAt, receivedAt: this.#owner.clock.now() };
      if (stored !== undefined && reuse?.onError === true && STAND_IN_STATUSES.has(response.status)) {
        return this.#standIn(request, stored, reuse);
      }
      const fields = fieldsOf(response);
      if (stored !== undefined && response.status === 304) {
        if (confirms(fields, stored)) {
          const fresh = freshened(stored, fields, times, this.#settings.mode);
          if (!load.isOutdated()) await this.#keep(url, fresh);
          if (validators === undefined && error !== undefined) throw error;
          this.#counts.revalidated++;
          const ageMs = currentAgeMs(fresh, this.#owner.clock.now());
          return await this.#serve(request, fresh, ageMs, 'fwd=stale; fwd-status=304');
        }
        // It speaks of a version that is not here: only the whole answer helps.
        if (validators !== undefined) return await this.#load(request, log, undefined, undefined);
      }
      if (!load.isOutdated()) await this.#learn(request, log, stored, response, fields, times);
      if (error !== undefined) throw error;
      return response;
    } catch (error) {
      if (stored !== undefined && reuse?.onError === true && isUnreachable(error)) {
        return await this.#standIn(request, stored, reuse);
      }
      throw error;
    } finally {
      load.end();
    }
  }

  /** Keeps an answer, or what it says about the one that is kept. */
  async #learn(
    request: PreparedRequest,
    log: AttemptLog,
    stored: StoredResponse | undefined,
    response: HttpResponse,
    fields: StoredFields,
    times: Times,
  ): Promise<void> {
    const { method } = request;
    const { mode } = this.#settings;
    const url = this.#url(request);
    if (method === 'HEAD' && stored !== undefined && response.status === 200) {
      const same = describesSame(fields, stored);
      await this.#keep(url, same ? freshened(stored, fields, times, mode) : { ...stored, outdated: true });
      return;
    }
    // What a redirect led to is an answer to another URL.
    if (log.redirects > 0) return;
    const record = recordOf(request, response, fields, times, { mode, authorizes: this.#owner.authorizes });
    if (record !== undefined) await this.#keep(url, record);
  }

  async #keep(url: string, response: StoredResponse): Promise<void> {
    this.#counts.stored++;
    await this.#variants.put(url, response);
  }

  /** Sends a request that may change something, and outdates what it may have changed. */
  async #change(request: PreparedRequest, log: AttemptLog): Promise<HttpResponse> {
    const { response, error } = await answerOf(this.#forward(request, log));
    const { origin } = this.#owner;
    for (const url of outdatedUrls(origin, request.path, response.status, fieldsOf(response))) {
      this.#counts.invalidated++;
      this.#loads.outdate(url);
      await this.#variants.delete(url);
    }
    if (error !== undefined) throw error;
    return response;
  }

  /** Asks for a new answer while the old one is given: once at a time, and for nobody in particular. */
  #refresh(request: PreparedRequest, stored: StoredResponse): void {
    const url = this.#url(request);
    if (this.#refreshes.has(url)) return;
    const { signal: _signal, ...execution } = request.execution;
    const own = { ...request, method: 'GET', execution, work: undefined };
    const log = new AttemptLog(this.#owner.clock.monotonic());
    const done = this.#outside.runInAsyncScope(async () => {
      // A failure changes nothing: the next call tries again, until the answer is too old.
      await this.#load(own, log, stored, undefined).catch(() => undefined);
      this.#refreshes.delete(url);
    });
    this.#refreshes.set(url, done);
  }

  #standIn(request: PreparedRequest, stored: StoredResponse, { ageMs, freshForMs }: Reuse): Promise<HttpResponse> {
    this.#counts.stale++;
    return this.#serve(request, stored, ageMs, `hit; ttl=${Math.floor(freshForMs / 1_000)}; fwd=stale`);
  }

  async #serve(request: PreparedRequest, stored: StoredResponse, ageMs: number, how: string): Promise<HttpResponse> {
    const serving = this.#serving(request);
    if (isConditional(request.headers) && isNotModified(request.headers, stored, this.#owner.clock.now())) {
      throw statusError(request.subject, notModified(stored, ageMs, serving));
    }
    const response = storedAnswer(stored, ageMs, how, serving);
    if (!response.ok) throw statusError(request.subject, response);
    return response;
  }

  #serving({ subject, method }: PreparedRequest): Serving {
    return { subject, method, cacheName: this.#cacheName };
  }

  #url({ path }: PreparedRequest): string {
    return this.#owner.origin + path;
  }

  describe(): string {
    const { mode, described } = this.#settings;
    return `keeps answers in a ${mode} cache (RFC 9111), in ${described}`;
  }

  stats(): HttpCacheStats {
    const { store } = this.#settings;
    const memory = store instanceof MemoryHttpCacheStore ? store : undefined;
    const storeFailures = this.#variants.failures;
    return { ...this.#counts, storeFailures, entries: memory?.size, bytes: memory?.bytes };
  }

  /** Waits for what is asked for in the background. */
  async settled(): Promise<void> {
    await Promise.all(this.#refreshes.values());
  }
}
