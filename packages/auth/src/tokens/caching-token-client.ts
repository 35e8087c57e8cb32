import { ClosedError, type Clock, type Random } from '@macadam/core';
import type { Obtained } from '../refresh/refreshed-value.ts';
import { RefreshedValue } from '../refresh/refreshed-value.ts';
import { TokenRequestError } from './errors.ts';
import type { GetTokenOptions, TokenClient, TokenClientStats } from './token-client.ts';
import { lifespanOf } from './token-lifetime.ts';

/** A token that was granted. */
export interface GrantedToken {
  readonly token: string;
  readonly lifetimeMs: number;
  /** Whether `expires_in` was missing, not a number, or out of range. */
  readonly isOddLifetime: boolean;
  /** How long ago it was granted, if another process requested it earlier. */
  readonly ageMs?: number;
}

/** Counts of several clients together, including clients that no longer exist. */
export interface RequestCounts {
  requests: number;
  failures: number;
}

/** Settings of a {@link CachingTokenClient}, validated. */
export interface CachingTokenClientSettings {
  readonly clock: Clock;
  readonly random: Random;
  readonly minRemainingMs: number;
  /** The URL of the endpoint, for errors. */
  readonly endpoint: string;
  /** The result of `describe()`. */
  readonly description: string;
  /** Counts that are shared with other clients. */
  readonly counts?: RequestCounts | undefined;
  readonly grant: (signal: AbortSignal, rejectedToken: string | undefined) => Promise<GrantedToken>;
  /** Resolves when nothing is in flight any more that `close` does not cancel. Never rejects. Default: nothing is. */
  readonly finished?: () => Promise<void>;
}

const MAX_BACKOFF_MS = 30_000;
const MAX_RETRY_AFTER_MS = 300_000;
/**
 * Token bucket for invalidations: a resource server that rejects every token gets 5 new ones at once, then one per 10
 * seconds.
 */
const INVALIDATION_BURST = 5;
const INVALIDATION_INTERVAL_MS = 10_000;

interface CachedToken {
  readonly token: string;
  readonly expiresAt: number;
}

/** A token client that caches one token and refreshes it before it expires. Created by `clientCredentials` and the like. */
export class CachingTokenClient implements TokenClient {
  readonly #settings: CachingTokenClientSettings;
  readonly #token: RefreshedValue<CachedToken>;
  #rejectedToken: string | undefined;
  #invalidations = 0;
  #invalidationsRefused = 0;
  /** When the bucket of invalidations is full again. */
  #allowanceFullAt = -Infinity;
  #oddLifetimes = 0;

  constructor(settings: CachingTokenClientSettings) {
    this.#settings = settings;
    this.#token = new RefreshedValue<CachedToken>({
      clock: settings.clock,
      random: settings.random,
      obtain: (signal, _before, startedAt) => this.#requestToken(signal, startedAt),
      backoff: (failure) => ({ maxMs: MAX_BACKOFF_MS, minMs: retryAfterOf(failure) }),
      closed: () => new ClosedError(`Token client of ${settings.endpoint}`),
    });
  }

  peekToken(): string | undefined {
    return this.#token.peek()?.token;
  }

  async getToken({ signal }: GetTokenOptions = {}): Promise<string> {
    return (await this.#token.get(signal)).token;
  }

  invalidate(token: string): void {
    if (this.#token.current?.token !== token) return;
    const now = this.#settings.clock.monotonic();
    const allowanceFullAt = Math.max(this.#allowanceFullAt, now) + INVALIDATION_INTERVAL_MS;
    if (allowanceFullAt - now > INVALIDATION_BURST * INVALIDATION_INTERVAL_MS) {
      this.#invalidationsRefused++;
      return;
    }
    this.#allowanceFullAt = allowanceFullAt;
    this.#invalidations++;
    this.#rejectedToken = token;
    this.#token.discard();
  }

  describe(): string {
    return this.#settings.description;
  }

  stats(): TokenClientStats {
    const { ageMs, attempts, failures, failuresInARow } = this.#token.stats();
    const { current } = this.#token;
    return {
      requests: attempts,
      failures,
      failuresInARow,
      ageMs,
      expiresInMs:
        current === undefined ? undefined : Math.max(0, current.expiresAt - this.#settings.clock.monotonic()),
      invalidations: this.#invalidations,
      invalidationsRefused: this.#invalidationsRefused,
      oddLifetimes: this.#oddLifetimes,
    };
  }

  close(): Promise<void> {
    this.#token.close();
    return this.#settings.finished?.() ?? Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #requestToken(signal: AbortSignal, startedAt: number): Promise<Obtained<CachedToken>> {
    const { grant, minRemainingMs, random, counts } = this.#settings;
    if (counts !== undefined) counts.requests++;
    const {
      token,
      lifetimeMs,
      isOddLifetime,
      ageMs = 0,
    } = await grant(signal, this.#rejectedToken).catch((error: unknown) => {
      if (counts !== undefined) counts.failures++;
      throw error;
    });
    if (isOddLifetime) this.#oddLifetimes++;
    const grantedAt = startedAt - ageMs;
    return {
      value: { token, expiresAt: grantedAt + lifetimeMs },
      lifespan: lifespanOf(grantedAt, lifetimeMs, minRemainingMs, random),
    };
  }
}

function retryAfterOf(failure: unknown): number {
  if (!(failure instanceof TokenRequestError)) return 0;
  return Math.min(failure.retryAfterMs ?? 0, MAX_RETRY_AFTER_MS);
}
