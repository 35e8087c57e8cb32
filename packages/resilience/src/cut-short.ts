/**
 * Timeouts that say nothing about the dependency.
 *
 * If a deadline further out ends an attempt before it had half of its own limit, the dependency was not slow: the caller was
 * impatient. What counts as half depends on the layer that judges, and policies can be nested: the function of one call often
 * passes its signal to another call, which is then cancelled with the same error but has other limits. Each call therefore has a
 * verdict of its own (`call.cutShort`), which its layers go by. The public mark on the error is the verdict of the outermost call that
 * it cancelled.
 */
import { isMacadamError } from '@macadam/core';
import type { Call } from './call.ts';

const marked = new WeakSet<object>();

/**
 * Whether a `TimeoutError` says nothing about the dependency, because a deadline further out left the attempt less than half of its
 * own limit. A circuit breaker treats such a timeout as neutral before it calls `classify`; use this in other code that judges a
 * dependency by its errors. False for anything that is not such a timeout.
 */
export function wasCutShort(error: unknown): boolean {
  return typeof error === 'object' && error !== null && marked.has(error);
}

/** Sets the public mark on a timeout to the verdict of `call`, which policies nested in its function may have overwritten. */
export function publishVerdict(error: object, call: Call): void {
  if (call.cutShort === error) marked.add(error);
  else marked.delete(error);
}

/**
 * Whether a failure of `call` was cut short. A timeout that the function passes on, of policies nested in it, counts only if the time
 * of this call is over as well: limits that the function sets itself are for what it calls.
 */
export function isCutShort(error: unknown, call: Call): boolean {
  if (error === undefined) return false;
  return call.cutShort === error || (call.now >= call.deadlineAt && wasCutShort(lastFailureOf(error)));
}

/** A retry nested in the function wraps its last failure when it gives up. */
function lastFailureOf(error: unknown): unknown {
  return isMacadamError(error, 'MAC_ATTEMPTS_EXHAUSTED') ? error.cause : error;
}
