import { seededRandom, virtualClock, type VirtualClock } from '@macadam/testkit';
import { createCache, type Cache, type CacheOptions, type LoadContext } from '@macadam/cache';

/** A cache in virtual time, without randomness unless a test asks for it. */
export function cacheInVirtualTime<T>(options: Partial<CacheOptions<T>> = {}): {
  cache: Cache<T>;
  clock: VirtualClock;
} {
  const clock = virtualClock();
  const exact = { ttlJitter: 0, earlyRefresh: false, random: seededRandom(1), clock };
  return { cache: createCache<T>({ name: 'test', ...exact, ...options }), clock };
}

/** A source of values. A load returns, after `delayMs`, the value at the time of its start. */
export class Source<T> {
  readonly #clock: VirtualClock;
  value: T;
  delayMs: number;
  error: Error | undefined;
  loads = 0;
  /** The highest number of concurrent loads. */
  mostAtOnce = 0;
  contexts: LoadContext<T>[] = [];
  #inFlight = 0;

  constructor(clock: VirtualClock, value: T, delayMs = 10) {
    this.#clock = clock;
    this.value = value;
    this.delayMs = delayMs;
  }

  readonly load = async (context: LoadContext<T>): Promise<T> => {
    this.loads++;
    this.contexts.push(context);
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.#inFlight);
    const { value, error } = this;
    await this.#clock.sleep(this.delayMs);
    this.#inFlight--;
    if (error !== undefined) throw error;
    return value;
  };
}
