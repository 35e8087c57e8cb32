import { isMacadamError } from '@macadam/core';

/** The HTTP response to a rejected request. Made by {@link refusalResponse}. */
export interface RefusalResponse {
  /** 429: the caller has used up its quota. 503: the server cannot serve it now. */
  readonly status: 429 | 503;
  /** `Retry-After`, in seconds, where it is known when to retry. */
  readonly headers: Readonly<Record<string, string>>;
  /** The body as problem details (RFC 9457), of the types that draft-ietf-httpapi-ratelimit-headers registers. */
  readonly problem: {
    /** The URI of the problem type. */
    readonly type: string;
    /** The problem type in words. */
    readonly title: string;
    /** The same as the status of the response. */
    readonly status: number;
    /** With status 429: the names of the limits that were exceeded. */
    readonly 'violated-policies'?: readonly string[];
  };
}

/** Errors for which the caller is not responsible: the same request may be served elsewhere, or later. */
const UNAVAILABLE: readonly string[] = ['MAC_RATE_LIMITED', 'MAC_OVERLOADED', 'MAC_RATE_LIMIT_STORE', 'MAC_CLOSED'];
const TYPES = 'https://iana.org/assignments/http-problem-types#';

/**
 * Turns an error of this package into an HTTP response: 429 for a used up quota of the caller (`MAC_RATE_LIMITED` with
 * `refusalStatus` 429, from a rate limiter); 503 for an overload (`MAC_OVERLOADED`), an unreachable store
 * (`MAC_RATE_LIMIT_STORE`), a process that is shutting down (`MAC_CLOSED`), or a used up quota of this process at another
 * server (`MAC_RATE_LIMITED` without `refusalStatus`, from an outbound limiter). Adds `Retry-After` where the error has a
 * `retryAfterMs`. Returns undefined for any other error.
 *
 * @example
 * ```ts
 * import { createLoadShedder, refusalResponse } from '@macadam/ratelimit';
 *
 * const shedder = createLoadShedder();
 * await shedder.close();
 * const { status } = await shedder
 *   .run(() => ({ status: 200 }))
 *   .catch((error) => {
 *     const response = refusalResponse(error);
 *     if (response === undefined) throw error;
 *     return response;
 *   });
 * if (status !== 503) throw new Error('a closed shedder refuses');
 * ```
 */
export function refusalResponse(error: unknown): RefusalResponse | undefined {
  if (isMacadamError(error, 'MAC_RATE_LIMITED') && error.refusalStatus === 429) {
    const { policy } = error as { policy?: unknown };
    return response(429, 'quota-exceeded', 'Request cannot be satisfied as assigned quota has been exceeded', error, {
      ...(typeof policy === 'string' && { 'violated-policies': [policy] }),
    });
  }
  if (isMacadamError(error) && UNAVAILABLE.includes(error.code)) {
    const title = 'Request cannot be satisfied due to temporary server capacity constraints';
    return response(503, 'temporary-reduced-capacity', title, error, {});
  }
  return undefined;
}

function response(status: 429 | 503, type: string, title: string, error: object, extension: object): RefusalResponse {
  const { retryAfterMs } = error as { retryAfterMs?: unknown };
  const isKnown = typeof retryAfterMs === 'number' && retryAfterMs < Infinity;
  // Rounded up, so that no retry comes too early; at least a second, so that none comes at once.
  const headers = isKnown ? { 'Retry-After': String(Math.max(1, Math.ceil(retryAfterMs / 1_000))) } : {};
  return { status, headers, problem: { type: TYPES + type, title, status, ...extension } };
}
