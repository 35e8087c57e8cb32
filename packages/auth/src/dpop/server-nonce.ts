import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Clock } from '@macadam/core';

/**
 * Stateless server nonces (RFC 9449 section 8): an HMAC of the number of the current period. A nonce is valid in the period
 * it was created in and in the next one, for all instances that share the secret.
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
    return this.#nonceFor(this.#period());
  }

  accepts(nonce: string): boolean {
    const period = this.#period();
    return [period, period - 1].some((candidate) => {
      const expected = Buffer.from(this.#nonceFor(candidate));
      const given = Buffer.from(nonce);
      return given.length === expected.length && timingSafeEqual(given, expected);
    });
  }

  #period(): number {
    return Math.floor(this.#clock.now() / this.#periodMs);
  }

  #nonceFor(period: number): string {
    return createHmac('sha256', this.#secret).update(`dpop-nonce ${period}`).digest('base64url').slice(0, 32);
  }
}
