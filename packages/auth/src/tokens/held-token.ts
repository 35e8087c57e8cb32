import { ClosedError, type Clock, type Random } from '@macadam/core';
import type { Obtained } from '../refresh/refreshed-value.ts';
import { RefreshedValue } from '../refresh/refreshed-value.ts';
import { TokenRequestError } from './errors.ts';
import type { GetTokenOptions, TokenClient, TokenClientStats } from './token-client.ts';
import { lifespanOf } from './token-lifetime.ts';

/** A token as it was granted. */
export interface Grant {
  readonly token: string;
  readonly lifetimeMs: number;
  /** Its `expires_in` was none. */
  readonly odd: boolean;
  /** When it was granted, if that was earlier than it was asked for: another process did. */
  readonly agedMs?: number;
}

/** Requests of several clients together, some of which may be gone. */
export interface GrantTally {
  requests: number;
  failures: number;
}

/** What a {@link HeldToken} works with; all checked. */
export interface HeldTokenSettings {
  readonly clock: Clock;
  readonly random: Random;
  readonly minRemainingMs: number;
  /** The endpoint, for errors. */
  readonly endpoint: string;
  /** In words. */
  readonly description: string;
  /** Counts with it. */
  readonly tally?: GrantTally | undefined;
  /** Asks for a token. `refused` is the last one that a server did not accept. */
  readonly grant: (signal: AbortSignal, refused: string | undefined) => Promise<Grant>;
}

const LONGEST_BACKOFF_MS = 30_000;
const LONGEST_RETRY_AFTER_MS = 300_000;
/** A server that refuses every token gets this many fresh ones in a row, and then one in 10 seconds. */
const INVALIDATIONS_IN_A_ROW = 5;
const INVALIDATION_MS = 10_000;

interface Held {
  readonly token: string;
  readonly expiresAt: number;
}

/** A token that is got anew before it ends. The public way to one is `clientCredentials` and its like. */
export class HeldToken implements TokenClient {
  readonly #settings: HeldTokenSettings;
  readonly #value: RefreshedValue<Held>;
  #refused: string | undefined;
  #invalidations = 0;
  #invalidationsRefused = 0;
  /** When the allowance for invalidations is whole again. */
  #wholeAt = -Infinity;
  #oddLifetimes = 0;

  constructor(settings: HeldTokenSettings) {
    this.#settings = settings;
    this.#value = new RefreshedValue<Held>({
      clock: settings.clock,
      random: settings.random,
      obtain: (signal, _before, startedAt) => this.#obtain(signal, startedAt),
      backoff: (failure) => ({ longestMs: LONGEST_BACKOFF_MS, leastMs: retryAfterOf(failure) }),
      closed: () => new ClosedError(`Token client of ${settings.endpoint}`),
    });
  }

  peekToken(): string | undefined {
    return this.#value.peek()?.token;
  }

  async getToken({ signal }: GetTokenOptions = {}): Promise<string> {
    return (await this.#value.get(signal)).token;
  }

  invalidate(token: string): void {
    if (this.#value.current?.token !== token) return;
    const now = this.#settings.clock.monotonic();
    const wholeAt = Math.max(this.#wholeAt, now) + INVALIDATION_MS;
    if (wholeAt - now > INVALIDATIONS_IN_A_ROW * INVALIDATION_MS) {
      this.#invalidationsRefused++;
      return;
    }
    this.#wholeAt = wholeAt;
    this.#invalidations++;
    this.#refused = token;
    this.#value.drop();
  }

  describe(): string {
    return this.#settings.description;
  }

  stats(): TokenClientStats {
    const { ageMs, attempts, failures, failuresInARow } = this.#value.stats();
    const { current } = this.#value;
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
    this.#value.close();
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #obtain(signal: AbortSignal, startedAt: number): Promise<Obtained<Held>> {
    const { grant, minRemainingMs, random, tally } = this.#settings;
    if (tally !== undefined) tally.requests++;
    const {
      token,
      lifetimeMs,
      odd,
      agedMs = 0,
    } = await grant(signal, this.#refused).catch((error: unknown) => {
      if (tally !== undefined) tally.failures++;
      throw error;
    });
    if (odd) this.#oddLifetimes++;
    const since = startedAt - agedMs;
    return {
      value: { token, expiresAt: since + lifetimeMs },
      lifespan: lifespanOf(since, lifetimeMs, minRemainingMs, random),
    };
  }
}

function retryAfterOf(failure: unknown): number {
  if (!(failure instanceof TokenRequestError)) return 0;
  return Math.min(failure.retryAfterMs ?? 0, LONGEST_RETRY_AFTER_MS);
}
