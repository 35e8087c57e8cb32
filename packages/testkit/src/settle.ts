/** As they are before a test fakes them: a loop that stands still cannot be waited for. */
const { setImmediate } = globalThis;
const { nextTick } = process;

/**
 * Resolves when no microtask is left. A `nextTick` callback queued from a microtask runs only after the microtask queue
 * has run dry, however long its chains are. The second hop is for code that uses `nextTick` itself: its callbacks, and
 * the promise reactions they cause, are done before this resolves.
 */
export async function settleMicrotasks(): Promise<void> {
  await new Promise<void>(hop);
  await new Promise<void>(hop);
}

/** Resolves after a turn of the event loop, with no microtask left on either side of it. */
export async function settleEventLoop(): Promise<void> {
  await new Promise<void>(hop);
  await new Promise<void>(turn);
  await new Promise<void>(hop);
}

/** One turn of the event loop: what the kernel has ready is read, and callbacks of `setImmediate` run. */
export function turnEventLoop(): Promise<void> {
  return new Promise<void>(turn);
}

function hop(resolve: () => void): void {
  nextTick(resolve);
}

function turn(resolve: () => void): void {
  setImmediate(resolve);
}
