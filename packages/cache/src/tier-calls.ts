import { Expiring, ExpiryQueue, isMacadamError, TimeoutError } from '@macadam/core';
import { circuitBreaker, consecutiveFailures, failureRate, type CircuitBreaker } from '@macadam/resilience';
import { recordCall, type Ended } from './instruments.ts';
import type { CacheSettings } from './options.ts';
import type { Tier } from './tier.ts';

/** What a breaker of a tier is when nothing else is said. Source: the defaults of the resilience package, faster to notice. */
const BREAKER = {
  trip: [consecutiveFailures({ count: 5 }), failureRate({ ratio: 0.5, windowMs: 10_000, minimumCalls: 20 })],
  openMs: 1_000,
  maxOpenMs: 30_000,
  halfOpenProbes: 1,
  captureStack: false,
};

/**
 * Calls to a tier, each within a time limit of our own: what drivers call a timeout is often none, or covers only commands that
 * were not sent yet. While calls fail, a breaker answers in their place.
 */
export class TierCalls {
  readonly #tier: Tier;
  readonly #settings: CacheSettings;
  readonly #limits: ExpiryQueue;
  readonly #breaker: CircuitBreaker | undefined;
  calls = 0;
  errors = 0;
  timeouts = 0;
  /** Not made, because the breaker was open. */
  refused = 0;

  constructor(tier: Tier, settings: CacheSettings) {
    const { clock, random, name } = settings;
    this.#tier = tier;
    this.#settings = settings;
    this.#limits = new ExpiryQueue(clock);
    if (tier.circuitBreaker !== false) {
      this.#breaker = circuitBreaker({ ...BREAKER, name: `cache ${name}`, clock, random, ...tier.circuitBreaker });
    }
  }

  get admits(): boolean {
    return this.#breaker?.admits !== false;
  }

  /** Rejects when the tier fails, is out of time, or is not asked. `onLate` is given an answer that nobody waits for any more. */
  async run<R>(
    call: () => Promise<R>,
    timeoutMs: number = this.#tier.timeoutMs,
    onLate?: (answer: R) => void,
  ): Promise<R> {
    const bounded = (): Promise<R> => {
      this.calls++;
      return this.#bounded(call, timeoutMs, onLate);
    };
    const { clock, name } = this.#settings;
    const begunAt = clock.monotonic();
    let outcome: Ended = 'ok';
    try {
      return await (this.#breaker === undefined ? bounded() : this.#breaker.execute(bounded));
    } catch (error) {
      outcome = this.#count(error);
      throw error;
    } finally {
      recordCall(name, clock.monotonic() - begunAt, outcome);
    }
  }

  #count(error: unknown): Ended {
    if (isMacadamError(error, 'MAC_CIRCUIT_OPEN')) {
      this.refused++;
      return 'refused';
    }
    if (isMacadamError(error, 'MAC_TIMEOUT')) {
      this.timeouts++;
      return 'timeout';
    }
    this.errors++;
    return 'failed';
  }

  #bounded<R>(call: () => Promise<R>, timeoutMs: number, onLate: ((answer: R) => void) | undefined): Promise<R> {
    return new Promise((resolve, reject) => {
      const now = this.#settings.clock.monotonic();
      const limit = new Limit(now + timeoutMs, () => {
        reject(new TimeoutError(`The shared tier did not answer within ${timeoutMs} ms`, timeoutMs));
      });
      this.#limits.add(limit, now);
      call().then(
        (answer) => {
          if (limit.expired) onLate?.(answer);
          this.#limits.remove(limit);
          resolve(answer);
        },
        (error: Error) => {
          this.#limits.remove(limit);
          reject(error);
        },
      );
    });
  }
}

class Limit extends Expiring {
  readonly #onExpired: () => void;
  expired = false;

  constructor(expiresAt: number, onExpired: () => void) {
    super();
    this.expiresAt = expiresAt;
    this.#onExpired = onExpired;
  }

  override expire(): void {
    this.expired = true;
    this.#onExpired();
  }
}
