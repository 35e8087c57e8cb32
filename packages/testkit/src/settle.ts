/** The real functions, taken before a test can fake them: faked ones would never call back. */
const { setImmediate } = globalThis;
const { nextTick } = process;

/**
 * Resolves when no microtask is left. A `nextTick` callback that is queued from a microtask runs only when the microtask
 * queue is empty, however long its chains were. The second one is for code that uses `nextTick` itself: its callbacks, and
 * the promise reactions they cause, are done before this resolves.
 */
export async function settleMicrotasks(): Promise<void> {
  await new Promise<void>(onNextTick);
  await new Promise<void>(onNextTick);
}

/** Resolves after a turn of the event loop, with no microtask left before and after it. */
export async function settleEventLoop(): Promise<void> {
  await new Promise<void>(onNextTick);
  await new Promise<void>(onNextTurn);
  await new Promise<void>(onNextTick);
}

/** Resolves after one turn of the event loop, in which available data is read and `setImmediate` callbacks run. */
export function turnEventLoop(): Promise<void> {
  return new Promise<void>(onNextTurn);
}

function onNextTick(resolve: () => void): void {
  nextTick(resolve);
}

function onNextTurn(resolve: () => void): void {
  setImmediate(resolve);
}
