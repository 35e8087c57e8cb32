import { getEventListeners } from 'node:events';
import { runWork, type Random } from '@macadam/core';
import {
  adaptiveConcurrency,
  bulkhead,
  circuitBreaker,
  concurrentRetryBudget,
  consecutiveFailures,
  constant,
  fallback,
  hedge,
  paced,
  pipeline,
  retry,
  timeout,
  type ExecuteContext,
  type PacedTurn,
  type Policy,
} from '@macadam/resilience';
import { seededRandom, virtualClock, type VirtualClock } from '@macadam/testkit';
import { expect, it } from 'vitest';

const RUNS = 300;
const CALLS = 12;

/** Choices of one run, all from one seed. */
class Choices {
  readonly random: Random;

  constructor(seed: number) {
    this.random = seededRandom(seed);
  }

  chance(share: number): boolean {
    return this.random() < share;
  }

  upTo(limit: number): number {
    return Math.floor(this.random() * limit);
  }

  one<T>(values: readonly T[]): T {
    return values[this.upTo(values.length)] as T;
  }
}

/** A pipeline of random policies, with a function that tells what they have not given back. */
function randomPipeline(choices: Choices, clock: VirtualClock): { guarded: Policy; open: () => object } {
  const { random } = choices;
  const budget = concurrentRetryBudget(choices.one([{ minConcurrent: 2 }, { ratio: 1, minConcurrent: 5 }]));
  let openTurns = 0;
  const turn = (): PacedTurn => {
    openTurns++;
    return { settle: () => void openTurns-- };
  };
  const pacer = {
    acquire: ({ signal }: { signal: AbortSignal }) => {
      const kind = random();
      if (kind < 0.4) return turn();
      if (kind < 0.5) throw new Error('no turn');
      return clock.sleep(choices.upTo(20), choices.chance(0.5) ? signal : undefined).then(turn);
    },
  };
  const gate = bulkhead({
    maxConcurrent: 1 + choices.upTo(3),
    maxQueued: choices.upTo(4),
    queueTimeoutMs: choices.one([5, 30, Infinity]),
    order: choices.one(['fifo', 'lifo', 'adaptive']),
    clock,
  });
  const limiter = adaptiveConcurrency({ initial: 4, clock });
  const trip = [consecutiveFailures({ count: 3 })];
  const backoff = constant({ delayMs: choices.upTo(5) });
  const hasRetry = choices.chance(0.7);
  const layers: readonly (readonly [number, () => Policy])[] = [
    [0.2, () => fallback({ value: () => clock.sleep(3), clock })],
    [0.7, () => gate],
    [0.7, () => timeout({ timeoutMs: choices.one([10, 40, 100]), clock })],
    [
      hasRetry ? 1 : 0,
      () =>
        retry({
          budget,
          backoff,
          maxAttempts: 1 + choices.upTo(4),
          throttledBaseMs: 2,
          transparentIf: () => choices.chance(0.1),
          clock,
          random,
        }),
    ],
    [
      0.5,
      () => hedge({ budget, delayMs: choices.one([1, 5, 10]), maxExtraLoad: 1, maxHedges: 1 + choices.upTo(3), clock }),
    ],
    [0.4, () => paced({ pacer, clock })],
    [
      0.6,
      () => circuitBreaker({ trip, openMs: 20, halfOpenProbes: 2, probeLeaseMs: choices.one([5, 100]), clock, random }),
    ],
    [0.6, () => limiter],
    [hasRetry ? 0.7 : 0, () => timeout({ timeoutMs: choices.one([5, 20]), clock })],
  ];
  const chosen = layers.filter(([share]) => choices.chance(share)).map(([, make]) => make());
  const guarded = pipeline(...(chosen.length === 0 ? [gate] : chosen));
  const open = (): object => {
    const stats = guarded.stats() as Record<string, Record<string, number> | undefined>;
    const { calls, retries } = budget.stats();
    const { inFlight, queued } = gate.stats();
    const waiting = stats['paced']?.['waiting'] ?? 0;
    const timed = (stats['timeout']?.['inFlight'] ?? 0) + (stats['attemptTimeout']?.['inFlight'] ?? 0);
    return { calls, retries, inFlight, queued, limited: limiter.stats()['inFlight'], openTurns, waiting, timed };
  };
  return { guarded, open };
}

/** Ends in a random way, and may cancel its own call while it starts, or while it is cancelled. */
function randomFunction(choices: Choices, clock: VirtualClock, abort: () => void) {
  return (context: ExecuteContext): unknown => {
    if (choices.chance(0.07)) abort();
    if (choices.chance(0.3)) context.onCancel(abort);
    if (choices.chance(0.2)) context.signal.addEventListener('abort', abort);
    const kind = choices.random();
    if (kind < 0.15) return 'at once';
    if (kind < 0.25) throw new Error('at once');
    if (kind < 0.35) return Promise.reject(Object.assign(new Error('later'), { retryAfterMs: choices.upTo(6) }));
    if (kind < 0.45) return new Promise(() => {});
    if (kind < 0.55) return clock.sleep(choices.upTo(30), context.signal);
    return clock.sleep(choices.upTo(30)).then(() => (choices.chance(0.3) ? Promise.reject(new Error('slow')) : 'slow'));
  };
}

it(`every call ends, and gives back all it took, in ${RUNS} runs of calls that cancel themselves and each other`, async () => {
  for (let seed = 1; seed <= RUNS; seed++) {
    const choices = new Choices(seed);
    const clock = virtualClock();
    const { guarded, open } = randomPipeline(choices, clock);
    const shared = new AbortController();
    const all = [shared];
    const calls: Promise<unknown>[] = [];
    for (let i = 0; i < CALLS; i++) {
      const own = new AbortController();
      all.push(own);
      const fn = randomFunction(choices, clock, () => choices.one([own, own, shared]).abort('by itself'));
      const { signal } = choices.chance(0.5) ? shared : own;
      const limits = choices.chance(0.2) ? { timeoutMs: 1 + choices.upTo(30) } : {};
      const start = (): Promise<unknown> => guarded.execute(fn, { signal, idempotent: choices.chance(0.7), ...limits });
      const timeoutMs = 1 + choices.upTo(50);
      const call = choices.chance(0.2) ? runWork({ timeoutMs, clock }, start) : start();
      calls.push(call.catch(() => {}));
      if (choices.chance(0.5)) clock.setTimer(() => own.abort('by a timer'), choices.upTo(40));
      if (choices.chance(0.5)) await clock.advance(choices.upTo(4));
    }
    await clock.advance(200_000);
    for (const controller of all) controller.abort('the end');
    await clock.runUntil(Promise.all(calls));
    await clock.advance(200_000);
    const listeners = getEventListeners(shared.signal, 'abort').length;
    expect({ seed, listeners, timers: clock.pendingTimers, ...open() }).toEqual({
      seed,
      listeners: 0,
      timers: 0,
      calls: 0,
      retries: 0,
      inFlight: 0,
      queued: 0,
      limited: 0,
      openTurns: 0,
      waiting: 0,
      timed: 0,
    });
  }
});
