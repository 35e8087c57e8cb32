import type { Clock } from '@macadam/core';
import type { PreparedRequest } from '../request.ts';
import type { HttpResponse } from '../response.ts';
import { statusError } from './answer.ts';
import { isConditional, isNotModified } from './conditional.ts';
import { currentAgeMs } from './freshness.ts';
import { rangeOf } from './ranges.ts';
import type { CacheCall } from './cache-call.ts';
import type { Reuse } from './reuse.ts';
import { cacheStatusName, gatewayTimeout, hitOf, notModified, storedAnswer, type Serving } from './served.ts';
import type { StoredResponse } from './stored-response.ts';

/** Where what is stored is handed out, as the call asks for it. An answer outside 2xx is thrown, as from the wire. */
export class Responder {
  readonly #clock: Clock;
  readonly #cacheName: string;

  constructor(name: string, clock: Clock) {
    this.#clock = clock;
    this.#cacheName = cacheStatusName(name);
  }

  /** What is good as it is, or good enough. */
  serve({ request, counts }: CacheCall, stored: StoredResponse, reuse: Reuse): HttpResponse {
    if (reuse.freshForMs > 0) counts.hits++;
    else counts.stale++;
    return this.#hand(request, stored, reuse.ageMs, hitOf(reuse));
  }

  /** What is stale, because there is nothing better. */
  standIn({ request, counts }: CacheCall, stored: StoredResponse, reuse: Reuse): HttpResponse {
    counts.stale++;
    return this.#hand(request, stored, reuse.ageMs, `${hitOf(reuse)}; fwd=stale`);
  }

  /** What the origin has just been asked about, or for the rest of. */
  renewed({ request, counts }: CacheCall, stored: StoredResponse, how: string): HttpResponse {
    counts.revalidated++;
    return this.#hand(request, stored, currentAgeMs(stored, this.#clock.now()), how);
  }

  /** What a call gets that must not have what is stored, and for which nobody can be asked. */
  timeout(request: PreparedRequest, why: 'stale' | 'uri-miss'): Error {
    return statusError(request.subject, gatewayTimeout(this.#serving(request), why));
  }

  #hand(request: PreparedRequest, stored: StoredResponse, ageMs: number, how: string): HttpResponse {
    const serving = this.#serving(request);
    const knows = isConditional(request.headers) && isNotModified(request.headers, stored, this.#clock.now());
    const response = knows ? notModified(stored, ageMs, serving) : storedAnswer(stored, ageMs, how, serving);
    // What came over the wire meanwhile had another status, and its text.
    if (request.stream !== undefined) request.stream.statusText = '';
    if (!response.ok) throw statusError(request.subject, response);
    return response;
  }

  #serving(request: PreparedRequest): Serving {
    return { subject: request.subject, method: request.method, cacheName: this.#cacheName, range: rangeOf(request) };
  }
}
