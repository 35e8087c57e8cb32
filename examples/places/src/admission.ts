// Admission control: a rate limit for each API key, and load shedding that rejects unimportant requests first.
import { createLoadShedder, createRateLimiter, rateLimitHeaders, tokenBucket } from '@macadam/ratelimit';

export interface Admission {
  /**
   * Runs the work of a request. Its priority and tenant are those of the current unit of work.
   *
   * @throws RateLimitedError if the key has used up its limit, and OverloadedError if the load shedder rejects the request.
   */
  admit<T>(apiKey: string, work: () => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** The API key of a request has used up its limit. Contains the status and headers of the response. */
export class RateLimitedError extends Error {
  override name = 'RateLimitedError';
  readonly status = 429;
  readonly headers: Readonly<Record<string, string>>;

  constructor(message: string, headers: Readonly<Record<string, string>>) {
    super(message);
    this.headers = headers;
  }
}

/** Admits every request. */
export const unlimitedAdmission: Admission = { admit: (_apiKey, work) => work(), close: async () => {} };

export function protectedAdmission(): Admission {
  const perKey = createRateLimiter({
    name: 'per-key',
    limits: [tokenBucket({ limit: 50, periodMs: 1_000, burst: 100 })],
  });
  const shedder = createLoadShedder({ name: 'places' });
  return {
    async admit(apiKey, work) {
      const decision = perKey.tryTake(apiKey);
      if (!decision.allowed)
        throw new RateLimitedError('The rate limit of this API key is used up.', rateLimitHeaders(decision));
      return await shedder.run(work);
    },
    async close() {
      await shedder.close();
      await perKey.close();
    },
  };
}
