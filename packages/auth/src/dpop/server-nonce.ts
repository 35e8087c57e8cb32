import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Clock } from '@macadam/core';

/**
 * Nonces that need no store: the hour, so to speak, under a secret. Good for the period they were made in and the next.
 * Whoever shares the secret accepts them.
 */
export class ServerNonce {
  readonly #secret: Uint8Array;
  readonly #periodMs: number;
  readonly #clock: Clock;

  constructor(secret: Uint8Array, periodMs: number, clock: Clock) {
    this.#secret = secret;
    this.#periodMs = periodMs;
    this.#clock = clock;
  }

  current(): string {
    return this.#of(this.#period());
  }

  accepts(nonce: string): boolean {
    const period = this.#period();
    return [period, period - 1].some((one) => {
      const expected = Buffer.from(this.#of(one));
      const given = Buffer.from(nonce);
      return given.length === expected.length && timingSafeEqual(given, expected);
    });
  }

  #period(): number {
    return Math.floor(this.#clock.now() / this.#periodMs);
  }

  #of(period: number): string {
    return createHmac('sha256', this.#secret).update(`dpop-nonce ${period}`).digest('base64url').slice(0, 32);
  }
}
