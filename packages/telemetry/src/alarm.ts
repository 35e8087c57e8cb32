import type { Clock } from '@macadam/core';

/** For how long a thing that is over and comes again is not told again: what comes and goes must not flood. */
const QUIET_MS = 600_000;
const MOST_REMEMBERED = 32;

/** Tells what is wrong once, and again when it has been over in between. */
export class Alarm {
  readonly #warn: (message: string) => void;
  readonly #clock: Clock;
  readonly #toldAtMs = new Map<string, number>();
  #wrong: string | undefined;

  constructor(warn: (message: string) => void, clock: Clock) {
    this.#warn = warn;
    this.#clock = clock;
  }

  /** @param what tells one thing from another; the message may hold figures. */
  raise(what: string, message: string): void {
    if (this.#wrong === what) return;
    this.#wrong = what;
    const nowMs = this.#clock.monotonic();
    if (nowMs - (this.#toldAtMs.get(what) ?? -Infinity) < QUIET_MS) return;
    if (this.#toldAtMs.size >= MOST_REMEMBERED) this.#toldAtMs.clear();
    this.#toldAtMs.set(what, nowMs);
    this.#warn(message);
  }

  /** All is well. */
  clear(): void {
    this.#wrong = undefined;
  }
}
