// Who is let in: so much for each API key, and never more than can be answered in time, the important first.
import { createLoadShedder, createRateLimiter, rateLimitHeaders, tokenBucket } from '@macadam/ratelimit';

export interface FrontDoor {
  /**
   * Does the work of a request. Its priority and its tenant are those of the current unit of work.
   * @throws RefusedError for a key that has spent its limit, and the OverloadedError of the shedder while there is no room.
   */
  admit<T>(apiKey: string, work: () => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** A request whose key has spent its limit, as the answer its caller gets. */
export class RefusedError extends Error {
  override name = 'RefusedError';
  readonly status = 429;
  readonly headers: Readonly<Record<string, string>>;

  constructor(message: string, headers: Readonly<Record<string, string>>) {
    super(message);
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
      if (!decision.allowed) throw new RefusedError('This key has spent its limit.', rateLimitHeaders(decision));
      return await shedder.run(work);
    },
    async close() {
      await shedder.close();
      await perKey.close();
    },
  };
}
