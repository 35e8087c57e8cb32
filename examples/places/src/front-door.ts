// Who is let in: so much for each API key, and never more than can be answered in time, the important first.
import {
  createLoadShedder,
  createRateLimiter,
  OverloadedError,
  rateLimitHeaders,
  tokenBucket,
} from '@macadam/ratelimit';

export interface FrontDoor {
  /**
   * Does the work of a request. Its priority and its tenant are those of the current unit of work.
   * @throws RefusedError with 429 for a key that has spent its limit, and with 503 while there is no room.
   */
  admit<T>(apiKey: string, work: () => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** A request that was not let in, as the answer its caller gets. */
export class RefusedError extends Error {
  override name = 'RefusedError';
  readonly status: 429 | 503;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: 429 | 503, message: string, headers: Readonly<Record<string, string>>) {
    super(message);
    this.status = status;
    this.headers = headers;
  }
}

/** Lets everybody in, as a service without a door does. */
export const openDoor: FrontDoor = { admit: (_apiKey, work) => work(), close: async () => {} };

export function guardedDoor(): FrontDoor {
  const perKey = createRateLimiter({
    name: 'per-key',
    limits: [tokenBucket({ limit: 50, periodMs: 1_000, burst: 100 })],
  });
  const shedder = createLoadShedder({ name: 'places' });
  return {
    async admit(apiKey, work) {
      const decision = perKey.tryTake(apiKey);
      if (!decision.allowed) throw new RefusedError(429, 'This key has spent its limit.', rateLimitHeaders(decision));
      try {
        return await shedder.run(work);
      } catch (error) {
        if (!(error instanceof OverloadedError)) throw error;
        const seconds = Math.ceil(error.retryAfterMs / 1_000);
        throw new RefusedError(503, 'There is no room for this request now.', { 'retry-after': `${seconds}` });
      }
    },
    async close() {
      await shedder.close();
      await perKey.close();
    },
  };
}
