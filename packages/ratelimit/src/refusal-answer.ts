import { isMacadamError } from '@macadam/core';

/** What an HTTP server answers with when it refuses. */
export interface RefusalAnswer {
  readonly status: 429 | 503;
  readonly headers: Readonly<Record<string, string>>;
  /** Problem details (RFC 9457), of the types that draft-ietf-httpapi-ratelimit-headers registers. */
  readonly problem: {
    readonly type: string;
    readonly title: string;
    readonly status: number;
    readonly 'violated-policies'?: readonly string[];
  };
}

const TYPES = 'https://iana.org/assignments/http-problem-types#';

/**
 * The answer to an error of this package: 429 where a quota is used up (`MAC_RATE_LIMITED`), 503 where there is too much
 * work (`MAC_OVERLOADED`) or the shared store is away (`MAC_RATE_LIMIT_STORE`), with `Retry-After`; undefined for any other
 * error. Overloads spread their `retryAfterMs`, so that callers do not come back together.
 *
 * @example
 * ```ts
 * import { createLoadShedder, refusalAnswer } from '@macadam/ratelimit';
 *
 * const shedder = createLoadShedder();
 * await shedder.close();
 * const { status } = await shedder.run(() => ({ status: 200 })).catch((error) => {
 *   const answer = refusalAnswer(error);
 *   if (answer === undefined) throw error;
 *   return answer;
 * });
 * if (status !== 503) throw new Error('a closed shedder refuses');
 * ```
 */
export function refusalAnswer(error: unknown): RefusalAnswer | undefined {
  if (isMacadamError(error, 'MAC_RATE_LIMITED')) {
    const { policy } = error as { policy?: unknown };
    return answer(429, 'quota-exceeded', 'Request cannot be satisfied as assigned quota has been exceeded', error, {
      ...(typeof policy === 'string' && { 'violated-policies': [policy] }),
    });
  }
  if (isMacadamError(error, 'MAC_OVERLOADED') || isMacadamError(error, 'MAC_RATE_LIMIT_STORE')) {
    const title = 'Request cannot be satisfied due to temporary server capacity constraints';
    return answer(503, 'temporary-reduced-capacity', title, error, {});
  }
  return undefined;
}

function answer(
  status: 429 | 503,
  type: string,
  title: string,
  error: { readonly retryAfterMs?: unknown } | object,
  more: object,
): RefusalAnswer {
  const { retryAfterMs } = error as { retryAfterMs?: unknown };
  const known = typeof retryAfterMs === 'number' && retryAfterMs < Infinity;
  // Never earlier than was decided, and never at once.
  const headers = known ? { 'Retry-After': String(Math.max(1, Math.ceil(retryAfterMs / 1_000))) } : {};
  return { status, headers, problem: { type: TYPES + type, title, status, ...more } };
}
