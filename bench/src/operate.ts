import type { Subject } from './suite.ts';

/** Runs operations the way a caller would. */
export interface Operator {
  /** Runs `count` operations, sequentially or with the concurrency of the subject. */
  operate(count: number): Promise<void>;
  /** Sets the number of operations per millisecond, so that the event loop runs often enough and costs little. */
  pace(perMs: number): void;
}

/** How long operations run before the event loop gets a turn, in milliseconds. */
const BATCH_MS = 0.2;

/**
 * An operation that returns a promise is awaited. A synchronous one is not, since an `await` costs more than many
 * synchronous operations and would move all their ratios towards one. The first operation shows which kind it is.
 *
 * The event loop turns between batches of operations, as it does between the requests of a service: a logger whose
 * stream works in `process.nextTick` does that work within the measurement, instead of piling it up.
 */
export async function operatorOf({ run, inFlight = 1 }: Subject): Promise<Operator> {
  const first = run();
  const promises = isThenable(first);
  if (promises) await first;
  if (inFlight > 1) {
    if (!promises) throw new Error('A synchronous operation cannot be in flight more than once.');
    return { operate: (count) => inLanes(run, count, inFlight), pace: () => {} };
  }
  let batch = 16;
  const operate = async (count: number): Promise<void> => {
    for (let left = count; left > 0; left -= batch) {
      const now = Math.min(batch, left);
      if (promises) await awaitEach(run, now);
      else callEach(run, now);
      await new Promise(setImmediate);
    }
  };
  const pace = (perMs: number): void => void (batch = Math.max(1, Math.round(perMs * BATCH_MS)));
  return { operate, pace };
}

async function awaitEach(run: () => unknown, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await run();
}

function callEach(run: () => unknown, count: number): void {
  let result: unknown;
  for (let i = 0; i < count; i++) result = run();
  if (isThenable(result)) throw new Error('An operation that was synchronous now returns a promise.');
}

async function inLanes(run: () => unknown, count: number, lanes: number): Promise<void> {
  let left = count;
  const lane = async (): Promise<void> => {
    while (left-- > 0) await run();
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}

// The loop first runs other functions, until it is megamorphic: the measured function is then
// called and not inlined into the loop, where the compiler might remove work whose result is not used.
const others = [() => 1, () => 'two', () => undefined];
for (let i = 0; i < 3_000; i++) callEach(others[i % others.length] as () => unknown, 100);
