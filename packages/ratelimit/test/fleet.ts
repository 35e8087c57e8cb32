// A fleet of limiters on one store in virtual time, with network latency, different clocks and crashing processes.
import type { Clock } from '@macadam/core';
import { seededRandom, virtualClock, type VirtualClock } from '@macadam/testkit';
import { createRateLimiter, memoryStore, type Limit, type LimitTable, type RateLimitStore } from '../src/index.ts';

/** A store shared by all instances, with `latencyMs` each way. Counts its commands. */
export function sharedStore(
  clock: VirtualClock,
  limits: readonly Limit[],
  latencyMs: () => number = () => 1,
): { counts: { commands: number; away: boolean }; central: LimitTable; store: RateLimitStore } {
  const central = memoryStore({ clock }).open({ name: 'central', limits, clock, random: seededRandom(1) });
  const counts = { commands: 0, away: false };
  const far =
    <A extends unknown[], R>(call: (...args: A) => R) =>
    async (...args: A): Promise<Awaited<R>> => {
      counts.commands++;
      await clock.sleep(latencyMs());
      if (counts.away) throw new Error('away');
      const result = await call(...args);
      await clock.sleep(latencyMs());
      return result;
    };
  const table: LimitTable = {
    synchronous: false,
    take: far(central.take.bind(central)),
    reserve: far(central.reserve.bind(central)),
    cancel: far(central.cancel.bind(central)),
    charge: far(central.charge.bind(central)),
    block: far(central.block.bind(central)),
    reset: far(central.reset.bind(central)),
    release: far(central.release.bind(central)),
    renew: far(central.renew.bind(central)),
    setLimits: (next) => central.setLimits(next),
    stats: () => ({}),
  };
  const store: RateLimitStore = {
    kind: 'test',
    lease: { ttlMs: 100, maxShare: 0.05 },
    open: () => table,
    describe: () => 'test',
    close: async () => {},
  };
  return { counts, central, store };
}

/** The clock of one instance: with another origin, and slightly too fast or too slow. */
function skewed(clock: VirtualClock, offsetMs: number, drift: number): Clock {
  return {
    ...clock,
    monotonic: () => offsetMs + clock.monotonic() * drift,
    setTimer: clock.setTimer.bind(clock),
    sleep: clock.sleep.bind(clock),
    now: () => clock.now(),
  };
}

export interface Fleet {
  instances: number;
  limits: readonly Limit[];
  /** Requests per second of an instance, at that time. */
  rate: (instance: number, atMs: number) => number;
  durationMs: number;
  /** Mean time between crashes of a process, which lose its leases. */
  crashEveryMs?: number;
  /** The latency each way. Default: 1. */
  latencyMs?: (random: () => number) => number;
  /** Half of the denied requests retry exactly after `retryAfterMs`. */
  obedient?: boolean;
  /** The cost of a request. Default: 1. */
  cost?: (random: () => number) => number;
  seed?: number;
}

export interface Run {
  /** When the response to each admission arrived, and what it cost. */
  readonly admitted: number[];
  readonly costs: number[];
  readonly decisions: number;
  readonly denied: number;
  readonly commands: number;
}

export async function runFleet(fleet: Fleet): Promise<Run> {
  const { instances, limits, rate, durationMs, crashEveryMs = Infinity, seed = 5, cost = () => 1 } = fleet;
  const { latencyMs = () => 1, obedient = false } = fleet;
  const clock = virtualClock();
  const random = seededRandom(seed);
  const { store, counts } = sharedStore(clock, limits, () => latencyMs(random));
  const make = (i: number) =>
    createRateLimiter({
      name: 'fleet',
      limits,
      store,
      expectedInstances: instances,
      clock: skewed(clock, i * 10_000, 1 + (random() - 0.5) * 1e-4),
      random,
    });
  const admitted: number[] = [];
  const costs: number[] = [];
  let decisions = 0;
  let denied = 0;
  for (let i = 0; i < instances; i++) {
    let limiter = make(i);
    let crashAt = crashEveryMs * (1 + random());
    const ask = (): void => {
      const one = cost(random);
      decisions++;
      const target = limiter;
      void target.take('key', { cost: one }).then((decision) => {
        // A response to a crashed process is lost.
        if (target !== limiter) return;
        if (decision.allowed) {
          admitted.push(clock.monotonic());
          costs.push(one);
        } else {
          denied++;
          // Only half, since otherwise a flood would grow without bound.
          if (obedient && random() < 0.5 && clock.monotonic() < durationMs) clock.setTimer(ask, decision.retryAfterMs);
        }
      });
    };
    const arrive = (): void => {
      const now = clock.monotonic();
      if (now >= durationMs) return;
      if (now > crashAt) {
        limiter = make(i);
        crashAt = now + crashEveryMs * (1 + random());
      }
      ask();
      schedule(now);
    };
    // The rate may change before the next arrival, so it is drawn again every 20 ms. With a constant rate that changes nothing.
    const schedule = (now: number): void => {
      const delayMs = (-Math.log(1 - random()) / rate(i, now)) * 1_000;
      if (delayMs <= 20) clock.setTimer(arrive, delayMs);
      else if (now < durationMs) clock.setTimer(() => schedule(clock.monotonic()), 20);
    };
    schedule(0);
  }
  await clock.advance(durationMs + 1_000);
  return { admitted, costs, decisions, denied, commands: counts.commands };
}

/** The most that was admitted in any window of `windowMs`, by two pointers that move over the admissions. */
export function mostInAnyWindow(admitted: readonly number[], windowMs: number, costs?: readonly number[]): number {
  const costOf = (i: number): number => costs?.[i] ?? 1;
  let most = 0;
  let sum = 0;
  let first = 0;
  admitted.forEach((at, i) => {
    sum += costOf(i);
    for (; (admitted[first] as number) <= at - windowMs; first++) sum -= costOf(first);
    most = Math.max(most, sum);
  });
  return most;
}
