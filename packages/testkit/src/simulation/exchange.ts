/**
 * Why a simulated call failed: `error`, the server answered with an error; `overloaded`, its queue was full; `refused`, it was down;
 * `reset`, it stopped while it worked on the request; `dependency`, a call to another service failed.
 */
export type FailureReason = 'error' | 'overloaded' | 'refused' | 'reset' | 'dependency';

/** The error of a failed simulated call: a plain `Error`, like that of a driver that does not know Macadam. */
export class SimulatedFailure extends Error {
  /** Why the call failed. */
  readonly reason: FailureReason;

  constructor(reason: FailureReason, service: string) {
    const depth = Error.stackTraceLimit;
    // Thousands are made a second, and nobody reads where.
    Error.stackTraceLimit = 0;
    super(`${service}: ${reason}`);
    Error.stackTraceLimit = depth;
    this.reason = reason;
  }
}
SimulatedFailure.prototype.name = 'SimulatedFailure';

/** Whoever asked in the first place: a user, or a server that asks another one. */
export interface Asker {
  /** Whether anybody still waits for the answer. */
  readonly waits: boolean;
}

/** One attempt on its way to a server and back. */
export class Exchange {
  readonly label: string;
  readonly #asker: Asker;
  readonly #resolve: (value: 'ok') => void;
  readonly #reject: (error: Error) => void;
  #abandoned = false;
  startedAt = 0;

  constructor(label: string, asker: Asker, resolve: (value: 'ok') => void, reject: (error: Error) => void) {
    this.label = label;
    this.#asker = asker;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** Whether somebody waits for the answer: the try was not cancelled, and the user has not left. */
  get isAwaited(): boolean {
    return !this.#abandoned && this.#asker.waits;
  }

  abandon(): void {
    this.#abandoned = true;
  }

  succeed(): void {
    this.#resolve('ok');
  }

  fail(error: Error): void {
    this.#reject(error);
  }
}
