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
import { startPinnedCall } from './pinned-call.ts';

/** Options of {@link bulkhead}. */
export interface BulkheadOptions {
  /** Maximum number of calls in flight, at least 1. Default: 1 000 (.NET's standard resilience handler). */
  maxConcurrent?: number;
  /** Maximum number of calls waiting for a place, at least 0. Default: 0; calls beyond `maxConcurrent` are refused at once. */
  maxQueued?: number;
  /** Maximum wait in the queue in milliseconds, above 0; `Infinity` for no limit but that of the call. Default: 1 000. */
  queueTimeoutMs?: number;
  /**
   * Which waiting call goes first among those of the same priority: `fifo`, the oldest; `lifo`, the newest; `adaptive`, the oldest
   * until it has waited half of `queueTimeoutMs`, then the newest, because under lasting overload the oldest calls will be too
   * late anyway. Default: `fifo`. Source of `adaptive`: "Fail at Scale" (ACM Queue, 2015).
   */
  order?: 'adaptive' | 'fifo' | 'lifo';
  /** The clock for all waits and durations. Default: `systemClock`. */
  clock?: Clock;
}

/**
 * Limits how many calls are in flight, so that one slow dependency cannot use up all sockets and memory. A call beyond the limit is
 * refused with `BulkheadFullError` (`MAC_BULKHEAD_FULL`), or waits in a bounded queue in the order of its priority. An aborted call
 * frees its place at once.
 *
 * Pipelines that share one bulkhead share its limit.
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

startPinnedCall(bulkhead({ clock: timerlessClock }));
