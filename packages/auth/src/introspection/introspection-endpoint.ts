// Calls the introspection endpoint (RFC 7662) through a circuit breaker, and follows its `Retry-After`.
//
// A breaker instead of the backoff that key sets and tokens use: each request is about another token, so one token that the
// server fails on must not stop the requests about all others.
import type { Random } from '@macadam/core';
import { circuitBreaker, type CircuitBreaker, type Outcome } from '@macadam/resilience';
import type { JsonObject } from '../jwt/strict-json.ts';
import { TokenRequestError } from '../tokens/errors.ts';
import { type OAuthEndpoint, requestIntrospection } from '../tokens/oauth.ts';

/** Short, since meanwhile every token that is not cached is rejected. */
const FIRST_OPEN_MS = 1_000;
const MAX_OPEN_MS = 30_000;
const MAX_RETRY_AFTER_MS = 60_000;
/** Statuses below 500 that are about this client or the load; all other 4xx are about the one token. */
const ENDPOINT_FAILURES: readonly (number | undefined)[] = [401, 403, 408, 429];

/** The endpoint, which is not called while the circuit is open or a `Retry-After` is in effect. */
export class IntrospectionEndpoint {
  readonly #endpoint: OAuthEndpoint;
  readonly #breaker: CircuitBreaker;
  /** The endpoint sent a `Retry-After`; until then each call rejects with the same error. */
  #suspended: { readonly until: number; readonly error: TokenRequestError } | undefined;
  requests = 0;

  constructor(endpoint: OAuthEndpoint, name: string, random: Random) {
    const { clock, timeoutMs } = endpoint;
    this.#endpoint = endpoint;
    this.#breaker = circuitBreaker({
      name: `introspection of ${name}`,
      openMs: FIRST_OPEN_MS,
      maxOpenMs: MAX_OPEN_MS,
      probeLeaseMs: timeoutMs + 1_000,
      classify,
      clock,
      random,
    });
  }

  /** @throws TokenRequestError, CircuitOpenError (`MAC_CIRCUIT_OPEN`), or the reason of `signal`. */
  async introspect(token: string, signal: AbortSignal): Promise<JsonObject> {
    const { clock } = this.#endpoint;
    if (this.#suspended !== undefined && clock.monotonic() < this.#suspended.until) throw this.#suspended.error;
    try {
      return await this.#breaker.execute(() => {
        this.requests++;
        return requestIntrospection(this.#endpoint, token, signal);
      });
    } catch (error) {
      const retryAfterMs = retryAfterOf(error);
      if (retryAfterMs > 0)
        this.#suspended = { until: clock.monotonic() + retryAfterMs, error: error as TokenRequestError };
      throw error;
    }
  }
}

function classify(outcome: Outcome): 'success' | 'failure' | 'neutral' {
  if (outcome.ok) return 'success';
  const { error } = outcome;
  if (!(error instanceof TokenRequestError)) return 'neutral';
  const { status = 500 } = error;
  return status >= 400 && status < 500 && !ENDPOINT_FAILURES.includes(status) ? 'neutral' : 'failure';
}

function retryAfterOf(error: unknown): number {
  if (!(error instanceof TokenRequestError) || (error.status !== 429 && error.status !== 503)) return 0;
  return Math.min(error.retryAfterMs ?? 0, MAX_RETRY_AFTER_MS);
}
