import {
  assertClock,
  assertDurationMs,
  assertInteger,
  assertKnownOptions,
  assertObject,
  assertOneOf,
  systemClock,
  timerlessClock,
  type Clock,
} from '@macadam/core';
import { definePolicy } from './define-policy.ts';
import { Gate, type GateSettings } from './gate.ts';
import type { Policy } from './policy.ts';
import { standingCall } from './standing-call.ts';

export interface BulkheadOptions {
  /** Calls in flight at once, at least 1. Default: 1 000 (.NET's standard handler). */
  maxConcurrent?: number;
  /** Calls that may wait for a place, at least 0. Default: 0: refuse at once. */
  maxQueued?: number;
  /** The longest wait in the queue, in milliseconds, above 0. The call's deadline limits it too. Default: 1 000. */
  queueTimeoutMs?: number;
  /**
   * Who goes first among calls of the same priority: `fifo`, the oldest; `lifo`, the newest; `adaptive`, the oldest until
   * it has waited for half of the longest wait, then the newest: under lasting overload the oldest will be too late
   * anyway, and serving them makes everybody late. Default: `fifo`. Source of `adaptive`: "Fail at Scale" (ACM Queue).
   */
  order?: 'adaptive' | 'fifo' | 'lifo';
  /** Default: the system clock. */
  clock?: Clock;
}

/**
 * Limits how many calls are in flight, so that one slow dependency cannot take every socket and all memory. What finds
 * no place is refused with {@link BulkheadFullError}, or waits in a bounded queue, the most important first. An abort
 * gives the place back at once.
 *
 * One bulkhead guards one pool of places wherever it is used: share it between pipelines to share the places.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong option.
 * @example
 * ```ts
 * import { bulkhead } from '@macadam/resilience';
 *
 * const reports = bulkhead({ maxConcurrent: 2, maxQueued: 10 });
 * await Promise.all([1, 2, 3].map((id) => reports.execute(async () => `report ${id}`)));
 * ```
 */
export function bulkhead(options: BulkheadOptions = {}): Policy {
  const settings = bulkheadSettings(options);
  const gate = new Gate(settings);
  const { maxConcurrent, maxQueued, queueTimeoutMs, order, clock } = settings;
  const queue = maxQueued === 0 ? 'none queued' : `${maxQueued} queued (${order}) for up to ${queueTimeoutMs} ms`;
  return definePolicy(
    'bulkhead',
    {
      clock,
      defers: maxQueued > 0,
      keepsContext: true,
      repeats: false,
      around: (inner) => ({ start: (call, attempt, sink) => gate.enter(inner, call, attempt, sink) }),
    },
    {
      describe: () => `bulkhead: ${maxConcurrent} in flight, ${queue}`,
      stats: () => {
        const { inFlight, queued, rejected, timedOut } = gate;
        return { inFlight, queued, rejected, timedOut };
      },
    },
  );
}

function bulkheadSettings(options: BulkheadOptions): GateSettings {
  assertObject('bulkhead', options);
  assertKnownOptions('bulkhead', options, ['maxConcurrent', 'maxQueued', 'queueTimeoutMs', 'order', 'clock']);
  const { maxConcurrent = 1_000, maxQueued = 0, queueTimeoutMs = 1_000, order = 'fifo', clock = systemClock } = options;
  assertInteger('bulkhead.maxConcurrent', maxConcurrent, { min: 1 });
  assertInteger('bulkhead.maxQueued', maxQueued, { min: 0 });
  assertDurationMs('bulkhead.queueTimeoutMs', queueTimeoutMs, { above: 0, infinite: true });
  assertClock('bulkhead.clock', clock);
  assertOneOf('bulkhead.order', order, ['fifo', 'lifo', 'adaptive']);
  return { maxConcurrent, maxQueued, queueTimeoutMs, order, clock };
}

standingCall(bulkhead({ clock: timerlessClock }));
