import { MacadamError } from '@macadam/core';

/** The codes of {@link VirtualClockError}. */
export type VirtualClockErrorCode =
  'MAC_CLOCK_STALLED' | 'MAC_CLOCK_LIMIT' | 'MAC_CLOCK_BUSY' | 'MAC_CLOCK_TIMERS_LEFT';

/**
 * Wrong use of a virtual clock in a test. By code:
 *
 * - `MAC_CLOCK_STALLED`: no timer is left, and the promise given to `runUntil` is still pending.
 * - `MAC_CLOCK_LIMIT`: `limitMs` of `runUntil` has passed, and its promise is still pending.
 * - `MAC_CLOCK_BUSY`: time was moved while an earlier call that moves it had not been awaited.
 * - `MAC_CLOCK_TIMERS_LEFT`: `assertNoTimers` found armed timers.
 */
export class VirtualClockError extends MacadamError {
  declare readonly code: VirtualClockErrorCode;
  /** The monotonic time when it was thrown, in milliseconds. */
  readonly atMs: number;
  /** When the armed timers are due, on the monotonic clock in milliseconds, earliest first; at most ten. */
  readonly dueMs: readonly number[];

  constructor(code: VirtualClockErrorCode, message: string, atMs: number, dueMs: readonly number[] = []) {
    super(message, { code });
    this.atMs = atMs;
    this.dueMs = dueMs;
  }
}
VirtualClockError.prototype.name = 'VirtualClockError';

/** The codes of {@link RecordingError}. */
export type RecordingErrorCode = 'MAC_RECORDING_INVALID' | 'MAC_RECORDING_MISSING';

/**
 * A recording that cannot be used. `MAC_RECORDING_MISSING`: the file does not exist, or does not contain the request.
 * `MAC_RECORDING_INVALID`: the file is not a recording.
 */
export class RecordingError extends MacadamError {
  declare readonly code: RecordingErrorCode;
  /** The path of the recording. */
  readonly path: string;

  constructor(code: RecordingErrorCode, message: string, path: string, cause?: unknown) {
    super(message, { code, ...(cause !== undefined && { cause }) });
    this.path = path;
  }
}
RecordingError.prototype.name = 'RecordingError';
