import type { Subject } from './suite.ts';

/** Runs operations the way a caller would. */
export interface Operator {
  /** Runs `count` operations, one after the other or as many at once as the subject asks for. */
  operate(count: number): Promise<void>;
  /** Says how many operations a millisecond holds, so that the event loop gets its turn often and costs little. */
  pace(perMs: number): void;
}

/** How long operations follow each other before the event loop gets a turn, in milliseconds. */
const STRETCH_MS = 0.2;

/**
 * What promises something is awaited; what answers at once is called and not awaited, since an `await` costs more than
 * many a synchronous operation and would draw every ratio of such towards one. The first operation tells which it is.
 *
 * Between stretches the event loop turns, as between the requests of a service: a logger whose stream works in
 * `process.nextTick` pays for that work where it is measured, and does not pile it up.
 */
export async function operatorOf({ run, inFlight = 1 }: Subject): Promise<Operator> {
  const first = run();
  const promises = isThenable(first);
  if (promises) await first;
  if (inFlight > 1) {
    if (!promises) throw new Error('What answers at once cannot be in flight more than once.');
    return { operate: (count) => inLanes(run, count, inFlight), pace: () => {} };
  }
  let stretch = 16;
  const operate = async (count: number): Promise<void> => {
    for (let left = count; left > 0; left -= stretch) {
      const now = Math.min(stretch, left);
      if (promises) await awaitEach(run, now);
      else callEach(run, now);
      await new Promise(setImmediate);
    }
  };
  const pace = (perMs: number): void => void (stretch = Math.max(1, Math.round(perMs * STRETCH_MS)));
  return { operate, pace };
}

async function awaitEach(run: () => unknown, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await run();
}

function callEach(run: () => unknown, count: number): void {
  let result: unknown;
  for (let i = 0; i < count; i++) result = run();
  if (isThenable(result)) throw new Error('An operation that answered at once promises something now.');
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

// The loop sees other functions before the one that is measured, until it is optimised for any: what is measured is then
// called, and not melted into the loop, where what nobody reads might not be worked out at all.
const others = [() => 1, () => 'two', () => undefined];
for (let i = 0; i < 3_000; i++) callEach(others[i % others.length] as () => unknown, 100);
