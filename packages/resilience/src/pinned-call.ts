/**
 * Keeps one call in flight through each policy for ever, so that optimized code survives idle times.
 *
 * At a full garbage collection, V8 drops the hidden classes that have no living instance, and with them all optimized code
 * that depends on them. The objects of a call live as long as the call, so in a mostly idle service a collection would often
 * find none, and the code would be interpreted again until it is recompiled.
 */
import { runAtRoot } from '@macadam/core';
import type { Policy } from './policy.ts';

/** Never settles, and so keeps the call alive that waits for it. */
const never = new Promise<never>(() => {});

/** Starts a call that never ends. `policy` must be used for nothing else, and have the timerless clock. */
export function startPinnedCall(policy: Policy): void {
  // Outside of the asynchronous context in which this module happens to be imported first.
  void runAtRoot(() => policy.execute(() => never, { idempotent: true }));
}
