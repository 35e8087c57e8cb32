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
    const stackTraceLimit = Error.stackTraceLimit;
    // A stack would cost much and says nothing: thousands of these errors are created per second.
    Error.stackTraceLimit = 0;
    super(`${service}: ${reason}`);
    Error.stackTraceLimit = stackTraceLimit;
    this.reason = reason;
  }
}
SimulatedFailure.prototype.name = 'SimulatedFailure';

/** The origin of a call: a user, or a server that calls another service. */
export interface Requester {
  /** Whether the response is still wanted. */
  readonly isWaiting: boolean;
}

/** One attempt and its response. */
export class Exchange {
  readonly label: string;
  readonly #requester: Requester;
  readonly #resolve: (value: 'ok') => void;
  readonly #reject: (error: Error) => void;
  #isAbandoned = false;
  startedAt = 0;

  constructor(label: string, requester: Requester, resolve: (value: 'ok') => void, reject: (error: Error) => void) {
    this.label = label;
    this.#requester = requester;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** Whether the response is wanted: the attempt was not cancelled, and the requester still waits. */
  get isAwaited(): boolean {
    return !this.#isAbandoned && this.#requester.isWaiting;
  }

  abandon(): void {
    this.#isAbandoned = true;
  }

  succeed(): void {
    this.#resolve('ok');
  }

  fail(error: Error): void {
    this.#reject(error);
  }
}
