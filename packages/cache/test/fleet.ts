import { seededRandom, virtualClock, type VirtualClock } from '@macadam/testkit';
import { createCache, type Cache, type CacheOptions, type Tier, type TierChange, type TierSpace } from '@macadam/cache';
import { memoryTier } from '@macadam/cache/testing';

/** Several instances in one process and virtual time, which share a tier. */
export interface Fleet<T> {
  readonly clock: VirtualClock;
  readonly caches: readonly Cache<T>[];
  readonly links: readonly Link[];
}

/** The connection between one instance and the tier. */
export class Link {
  /** `hang`: operations never settle. `down`: operations reject. */
  state: 'down' | 'hang' | 'up' = 'up';
  /** The operations that the instance called, in order. */
  readonly operations: string[] = [];
  /** Whether the instance receives changes; undefined: as the tier reports. */
  connected: boolean | undefined;
  /** Delivers a change to the instance, as the tier would. */
  tell: (change: TierChange) => void = () => {};

  tier(tier: Tier): Tier {
    return {
      ...tier,
      open: (options) => {
        this.tell = options.onChange;
        const onChange = (change: TierChange): void => {
          if (this.connected !== false) options.onChange(change);
        };
        return this.#space(tier.open({ ...options, onChange }));
      },
    };
  }

  #space(space: TierSpace): TierSpace {
    return new Proxy(space, {
      get: (target, name: keyof TierSpace) => {
        if (name === 'connected' && this.connected !== undefined) return this.connected;
        const member: unknown = target[name];
        if (typeof member !== 'function') return member;
        return (...args: unknown[]): unknown => {
          if (name === 'close') return target.close();
          this.operations.push(name);
          if (this.state === 'hang') return new Promise(() => {});
          if (this.state === 'down') return Promise.reject(new Error('ECONNREFUSED'));
          return (member as (...all: unknown[]) => unknown).apply(target, args);
        };
      },
    });
  }
}

export function fleet<T>(
  instances: number,
  options: Partial<CacheOptions<T>> = {},
  timing: { latencyMs?: number; lagMs?: number; connected?: boolean } = { latencyMs: 1, lagMs: 2 },
): Fleet<T> {
  const clock = virtualClock();
  const shared = memoryTier(timing);
  const links = Array.from({ length: instances }, () => new Link());
  for (const link of links) link.connected = timing.connected;
  const caches = links.map((link, i) =>
    createCache<T>({
      name: 'fleet',
      ttlJitter: 0,
      earlyRefresh: false,
      random: seededRandom(i + 1),
      clock,
      l2: link.tier(shared),
      ...options,
    }),
  );
  return { clock, caches, links };
}
