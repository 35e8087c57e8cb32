/**
 * One call through each policy that never ends: it keeps compiled code through idle moments.
 *
 * Of a class without a living instance V8 forgets the layout at a collection of the whole heap, and throws away all machine
 * code that relies on it. What lives as long as a call is gone whenever nothing is in flight at that moment, so a service
 * with little to do would be interpreted anew after each collection, until everything is compiled again.
 */
import { runAtRoot } from '@macadam/core';
import type { Policy } from './policy.ts';

/** Never settles, and so holds on to whoever waits for it. */
const never = new Promise<never>(() => {});

/** Begins a call that stays in flight. `policy` must be one that nobody else uses, on the timerless clock. */
export function standingCall(policy: Policy): void {
  // Not as part of whatever this package is first imported in.
  void runAtRoot(() => policy.execute(() => never, { idempotent: true }));
}
