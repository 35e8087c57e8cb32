/** Larger batches are split, so that one script does not block the Redis server for other clients. */
const MAX_BATCH = 32;

interface Pending<Request, Response> {
  readonly request: Request;
  readonly resolve: (response: Response) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Collects the requests of one turn of the event loop and sends them as one. A busy server reads several requests in one
 * turn; batching saves all but one command, and the timeout and circuit breaker of each.
 */
export class TickBatch<Request, Response> {
  readonly #send: (requests: readonly Request[]) => Promise<readonly Response[]>;
  #pending: Pending<Request, Response>[] = [];

  constructor(send: (requests: readonly Request[]) => Promise<readonly Response[]>) {
    this.#send = send;
  }

  add(request: Request): Promise<Response> {
    return new Promise((resolve, reject) => {
      this.#pending.push({ request, resolve, reject });
      if (this.#pending.length === 1) process.nextTick(() => this.#flush());
      else if (this.#pending.length === MAX_BATCH) this.#flush();
    });
  }

  #flush(): void {
    const batch = this.#pending;
    if (batch.length === 0) return;
    this.#pending = [];
    this.#send(batch.map(({ request }) => request)).then(
      (responses) => batch.forEach(({ resolve }, i) => resolve(responses[i] as Response)),
      (error: unknown) => batch.forEach(({ reject }) => reject(error)),
    );
  }
}
