import { MacadamError } from '@macadam/core';

/** Why a virtual clock gave up; see {@link VirtualClockError}. */
export type VirtualClockErrorCode =
  'MAC_CLOCK_STALLED' | 'MAC_CLOCK_LIMIT' | 'MAC_CLOCK_BUSY' | 'MAC_CLOCK_TIMERS_LEFT';

/**
 * A test drove its virtual clock into a corner. By code:
 *
 * - `MAC_CLOCK_STALLED`: `runUntil` was given a promise that no timer will ever settle.
 * - `MAC_CLOCK_LIMIT`: `runUntil` reached its time limit first.
 * - `MAC_CLOCK_BUSY`: time was moved while it was being moved already; the earlier call was not awaited.
 * - `MAC_CLOCK_TIMERS_LEFT`: `assertNoTimers` found timers that nobody cancelled.
 */
export class VirtualClockError extends MacadamError {
  declare readonly code: VirtualClockErrorCode;
  /** Where the monotonic clock stood, in milliseconds. */
  readonly atMs: number;
  /** When the timers that were left are due on the monotonic clock, earliest first. At most ten. */
  readonly dueMs: readonly number[];

  constructor(code: VirtualClockErrorCode, message: string, atMs: number, dueMs: readonly number[] = []) {
    super(message, { code });
    this.atMs = atMs;
    this.dueMs = dueMs;
  }
}
VirtualClockError.prototype.name = 'VirtualClockError';

/** What is wrong with a recording; see {@link RecordingError}. */
export type RecordingErrorCode = 'MAC_RECORDING_INVALID' | 'MAC_RECORDING_MISSING';

/** There is no such recording, or no such request in it (`MAC_RECORDING_MISSING`); or the file is none (`…_INVALID`). */
export class RecordingError extends MacadamError {
  declare readonly code: RecordingErrorCode;
  readonly path: string;

  constructor(code: RecordingErrorCode, message: string, path: string, cause?: unknown) {
    super(message, { code, ...(cause !== undefined && { cause }) });
    this.path = path;
  }
}
RecordingError.prototype.name = 'RecordingError';
