import type { Clock } from '@macadam/core';
import { HttpStatusError, type ErrorSubject } from '../errors.ts';
import type { PreparedRequest } from '../request.ts';
import type { HttpResponse } from '../response.ts';
import type { StreamSettings } from '../stream/options.ts';
import type { CacheCall } from './cache-call.ts';
import { isConditional, isNotModified } from './conditional.ts';
import { currentAgeMs } from './freshness.ts';
import { requestedRange } from './ranges.ts';
import type { Reuse } from './reuse.ts';
import {
  cacheStatusName,
  gatewayTimeoutResponse,
  notModifiedResponse,
  servedResponse,
  ttlOf,
  type ServeOptions,
} from './served-response.ts';
import type { StoredResponse } from './stored-response.ts';

/** Answers calls with stored responses and counts them. A status outside 2xx is thrown, as when it comes from the origin. */
export class Responder {
  readonly #clock: Clock;
  readonly #cacheName: string;

  constructor(name: string, clock: Clock) {
    this.#clock = clock;
    this.#cacheName = cacheStatusName(name);
  }

  /** Serves a response that is fresh, or that may be served stale without asking the origin. */
  serve({ request, counts }: CacheCall, stored: StoredResponse, reuse: Reuse): HttpResponse {
    if (reuse.freshForMs > 0) counts.hits++;
    else counts.stale++;
    return this.#respond(request, stored, reuse.ageMs, `hit; ${ttlOf(reuse)}`);
  }

  /** Serves a stale response because the origin failed. */
  serveInsteadOfError({ request, counts }: CacheCall, stored: StoredResponse, reuse: Reuse): HttpResponse {
    counts.stale++;
    return this.#respond(request, stored, reuse.ageMs, `fwd=stale; ${ttlOf(reuse)}`);
  }

  /** Serves a response that the origin has just validated or completed. */
  serveRevalidated({ request, counts }: CacheCall, stored: StoredResponse, cacheStatus: string): HttpResponse {
    counts.revalidated++;
    return this.#respond(request, stored, currentAgeMs(stored, this.#clock.now()), cacheStatus);
  }

  /** The 504 for a call without a usable stored response whose origin must not be asked, or cannot be reached. */
  gatewayTimeout(request: PreparedRequest, reason: 'stale' | 'uri-miss'): Error {
    return statusError(request.subject, gatewayTimeoutResponse(this.#serveOptions(request), reason));
  }

  #respond(request: PreparedRequest, stored: StoredResponse, ageMs: number, cacheStatus: string): HttpResponse {
    const options = this.#serveOptions(request);
    const notModified = isConditional(request.headers) && isNotModified(request.headers, stored, this.#clock.now());
    const serve = notModified ? notModifiedResponse : servedResponse;
    const response = serve(stored, ageMs, cacheStatus, options);
    if (request.stream !== undefined) forgetOrigin(request.stream);
    if (!response.ok) throw statusError(request.subject, response);
    return response;
  }

  #serveOptions({ subject, method, headers }: PreparedRequest): ServeOptions {
    return { subject, method, cacheName: this.#cacheName, range: requestedRange({ method, headers }) };
  }
}

/** Clears what belongs to a response of the origin, such as a 304, and not to the stored response. */
function forgetOrigin(stream: StreamSettings): void {
  stream.statusText = '';
  stream.url = undefined;
  stream.redirected = false;
}

function statusError(subject: ErrorSubject, response: HttpResponse): HttpStatusError {
  return new HttpStatusError(subject, response, false, undefined);
}
