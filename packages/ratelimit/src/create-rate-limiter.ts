import { observe } from './instruments.ts';
import type { RateLimiterOptions } from './options.ts';
import type { RateLimiter } from './rate-limiter.ts';
import { StoreRateLimiter } from './store-rate-limiter.ts';

/**
 * Creates a limiter of what each key may do: a caller, an address, a tenant.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong option.
 * @example
 * ```ts
 * import { createRateLimiter, rateLimitHeaders, tokenBucket } from '@macadam/ratelimit';
 *
 * const perKey = createRateLimiter({
 *   name: 'api',
 *   limits: [tokenBucket({ limit: 100, periodMs: 1_000, burst: 200 })],
 * });
 * const decision = await perKey.take('key-7');
 * if (!decision.allowed) console.log(429, rateLimitHeaders(decision));
 * ```
 */
export function createRateLimiter(options: RateLimiterOptions): RateLimiter {
  const limiter = new StoreRateLimiter(options);
  observe('limiter', limiter.name, limiter);
  return limiter;
}
