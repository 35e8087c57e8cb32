/** Everything that a simulation measures. In columns instead of objects, because there are millions of requests. */
export class Measurements {
  readonly clientOf: number[] = [];
  readonly arrivedAt: number[] = [];
  readonly waitedMs: number[] = [];
  readonly succeeded: boolean[] = [];
  readonly sentAt: number[] = [];
  #requests = 0;

  /** Requests of users that have arrived. */
  get requests(): number {
    return this.#requests;
  }

  /** Requests whose users still wait. */
  get inFlight(): number {
    return this.#requests - this.succeeded.length;
  }

  /** Returns the number of the request, from 1. */
  recordArrival(): number {
    return ++this.#requests;
  }

  /** A client has sent an attempt. */
  recordAttempt(now: number): void {
    this.sentAt.push(now);
  }

  recordOutcome(client: number, arrivedAt: number, waitedMs: number, succeeded: boolean): void {
    this.clientOf.push(client);
    this.arrivedAt.push(arrivedAt);
    this.waitedMs.push(waitedMs);
    this.succeeded.push(succeeded);
  }
}
