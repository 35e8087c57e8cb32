/** Why a simulated server did not do what it was asked. */
export type FailureReason = 'error' | 'overloaded' | 'refused' | 'reset' | 'dependency';

/** What a simulated call fails with: a plain error, as a driver that knows nothing of Macadam throws. */
export class SimulatedFailure extends Error {
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
