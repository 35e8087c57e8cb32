// An endpoint that is left alone while it is down. By a breaker, and not after each failure, as those are that are asked
// for one thing: a request here is about one token, and a token that the server stumbles over is no reason to ask about
// no other.
import type { Random } from '@macadam/core';
import { circuitBreaker, type CircuitBreaker, type Outcome } from '@macadam/resilience';
import type { JsonObject } from '../jwt/strict-json.ts';
import { TokenRequestError } from '../tokens/errors.ts';
import { type OAuthEndpoint, requestIntrospection } from '../tokens/oauth.ts';

/** Whoever brings a token that was not seen lately is refused so long, so not as long as a value in hand would allow. */
const OPEN_MS = 1_000;
const LONGEST_OPEN_MS = 30_000;
const LONGEST_RETRY_AFTER_MS = 60_000;
/** Of the statuses below 500 those that are about us; the others are about the one token. */
const ABOUT_US: readonly (number | undefined)[] = [401, 403, 408, 429];

/** Asks about tokens, as long as the endpoint can be hoped to answer. */
export class GuardedEndpoint {
  readonly #endpoint: OAuthEndpoint;
  readonly #breaker: CircuitBreaker;
  /** The endpoint asked to be left alone. */
  #alone: { readonly until: number; readonly error: TokenRequestError } | undefined;
  requests = 0;

  constructor(endpoint: OAuthEndpoint, name: string, random: Random) {
    const { clock, timeoutMs } = endpoint;
    this.#endpoint = endpoint;
    this.#breaker = circuitBreaker({
      name: `introspection of ${name}`,
      openMs: OPEN_MS,
      maxOpenMs: LONGEST_OPEN_MS,
      probeLeaseMs: timeoutMs + 1_000,
      classify,
      clock,
      random,
    });
  }

  /** @throws TokenRequestError, CircuitOpenError (`MAC_CIRCUIT_OPEN`), or the reason of `signal`. */
  async ask(token: string, signal: AbortSignal): Promise<JsonObject> {
    const { clock } = this.#endpoint;
    if (this.#alone !== undefined && clock.monotonic() < this.#alone.until) throw this.#alone.error;
    try {
      return await this.#breaker.execute(() => {
        this.requests++;
        return requestIntrospection(this.#endpoint, token, signal);
      });
    } catch (error) {
      const waitMs = retryAfterOf(error);
      if (waitMs > 0) this.#alone = { until: clock.monotonic() + waitMs, error: error as TokenRequestError };
      throw error;
    }
  }
}

function classify(outcome: Outcome): 'success' | 'failure' | 'neutral' {
  if (outcome.ok) return 'success';
  const { error } = outcome;
  if (!(error instanceof TokenRequestError)) return 'neutral';
  const { status = 500 } = error;
  return status >= 400 && status < 500 && !ABOUT_US.includes(status) ? 'neutral' : 'failure';
}

function retryAfterOf(error: unknown): number {
  if (!(error instanceof TokenRequestError) || (error.status !== 429 && error.status !== 503)) return 0;
  return Math.min(error.retryAfterMs ?? 0, LONGEST_RETRY_AFTER_MS);
}
