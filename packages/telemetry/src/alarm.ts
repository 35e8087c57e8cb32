import type { Clock } from '@macadam/core';

/** A problem that comes back within this time of its last warning is not reported again: one that flaps cannot flood the log. */
const QUIET_MS = 600_000;
const MAX_REMEMBERED_PROBLEMS = 32;

/**
 * Warns once about a problem, however often it is raised. Warns again about the same problem only if it was cleared or another
 * one was raised in between, and `QUIET_MS` have passed since the last warning about it.
 */
export class Alarm {
  readonly #warn: (message: string) => void;
  readonly #clock: Clock;
  readonly #warnedAtMs = new Map<string, number>();
  #current: string | undefined;

  constructor(warn: (message: string) => void, clock: Clock) {
    this.#warn = warn;
    this.#clock = clock;
  }

  /** @param problem identifies the problem; the message may contain figures that change. */
  raise(problem: string, message: string): void {
    if (this.#current === problem) return;
    this.#current = problem;
    const nowMs = this.#clock.monotonic();
    if (nowMs - (this.#warnedAtMs.get(problem) ?? -Infinity) < QUIET_MS) return;
    if (this.#warnedAtMs.size >= MAX_REMEMBERED_PROBLEMS) this.#warnedAtMs.clear();
    this.#warnedAtMs.set(problem, nowMs);
    this.#warn(message);
  }

  /** Ends the current problem. */
  clear(): void {
    this.#current = undefined;
  }
}
