import type { ShedRunOptions } from './options.ts';

/** What a load shedder has counted, and its current state. The metrics report the same numbers. */
export interface LoadShedderStats extends Readonly<Record<string, number>> {
  /** The current limit of concurrent runs. */
  readonly limit: number;
  /** Runs in flight now. */
  readonly inFlight: number;
  /** Runs that wait now. */
  readonly queued: number;
  /** Runs that have ended. */
  readonly served: number;
  /** Runs rejected because their priority was too low at that moment. */
  readonly shedByPriority: number;
  /** Runs rejected because the queue was full. */
  readonly shedByFullQueue: number;
  /** Runs rejected because they waited too long. */
  readonly shedByWait: number;
  /** Ratio of the work that is admitted now by priority, 0 to 1. */
  readonly admittedShare: number;
}

/**
 * Runs as much work as the process can do in time, the important first, and rejects the rest at once. Created by
 * `createLoadShedder`.
 */
export interface LoadShedder extends AsyncDisposable {
  /** The name from the options. */
  readonly name: string;
  /**
   * Runs `fn` at once, after a short wait, or not at all; in the asynchronous context of the caller. Settles as `fn`
   * does.
   * @throws OverloadedError (`MAC_OVERLOADED`) when it is rejected, `ClosedError` (`MAC_CLOSED`) after `close()`, and
   * the reason of the signal. None of them for `exempt` work.
   */
  run<T>(fn: () => PromiseLike<T> | T, options?: ShedRunOptions): Promise<T>;
  /** Returns the effective options in words. */
  describe(): string;
  /** Returns the counts since it was created, and its current state. */
  stats(): LoadShedderStats;
  /** Rejects what waits and every later call that is not `exempt` with `MAC_CLOSED`. Work in flight continues. */
  close(): Promise<void>;
}
