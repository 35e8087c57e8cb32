/** Everything that is measured, as it happens. Columns rather than objects: a simulation has millions of requests. */
export class Ledger {
  readonly clientOf: number[] = [];
  readonly arrivedAt: number[] = [];
  readonly waitedMs: number[] = [];
  readonly succeeded: boolean[] = [];
  readonly sentAt: number[] = [];
  #arrived = 0;

  /** Requests that came. */
  get requests(): number {
    return this.#arrived;
  }

  /** Requests whose users still wait. */
  get open(): number {
    return this.#arrived - this.succeeded.length;
  }

  /** Counts a request and gives it a number, from 1. */
  arrived(): number {
    return ++this.#arrived;
  }

  /** A client sent a try to the service it calls. */
  sent(now: number): void {
    this.sentAt.push(now);
  }

  settled(client: number, arrivedAt: number, waitedMs: number, succeeded: boolean): void {
    this.clientOf.push(client);
    this.arrivedAt.push(arrivedAt);
    this.waitedMs.push(waitedMs);
    this.succeeded.push(succeeded);
  }
}
