import { assertFunction, assertKnownOptions, assertObject, assertSignal, onAbort, runDetached } from '@macadam/core';

/** Options of one caller of {@link SingleFlight.run}. */
export interface SingleFlightOptions {
  /** Cancels this caller only, who rejects at once with the signal's reason; the others go on waiting. Default: none. */
  signal?: AbortSignal;
}

/** Combines concurrent calls for the same key into one. */
export interface SingleFlight {
  /**
   * Runs `fn`, or joins the run for `key` that is in flight. `signal` aborts when nobody waits for the run any more. `fn` runs outside
   * the current work and outer retries, because the deadline of one caller must not end the call of another, nor does one caller repeat
   * what fails for another.
   */
  run<T>(
    key: string,
    fn: (context: { readonly signal: AbortSignal }) => PromiseLike<T> | T,
    options?: SingleFlightOptions,
  ): Promise<T>;
  /** The number of runs in flight. */
  readonly size: number;
  /** Runs in flight now; runs started, and calls that joined one, since it was created. */
  stats(): { readonly inFlight: number; readonly runs: number; readonly joined: number };
}

/** One run of the function, shared by all callers that joined it. */
class Flight {
  readonly #controller = new AbortController();
  readonly result: Promise<unknown>;
  #waiters = 0;
  settled = false;

  constructor(fn: (context: { readonly signal: AbortSignal }) => unknown, done: (flight: Flight) => void) {
    this.result = new Promise((resolve) => resolve(runDetached(() => fn({ signal: this.#controller.signal }))));
    const settle = (): void => {
      this.settled = true;
      done(this);
    };
    this.result.then(settle, settle);
  }

  /** Returns the result for one more caller. Calls `abandoned` when the last caller has left. */
  join(signal: AbortSignal | undefined, abandoned: (flight: Flight) => void): Promise<unknown> {
    this.#waiters++;
    if (signal === undefined) return this.result;
    return new Promise((resolve, reject) => {
      const unsubscribe = onAbort(signal, (reason) => {
        reject(reason as Error);
        this.#waiters--;
        if (this.#waiters > 0 || this.settled) return;
        abandoned(this);
        this.#controller.abort(reason);
      });
      this.result.then(unsubscribe, unsubscribe);
      this.result.then(resolve, reject);
    });
  }
}

/**
 * Combines concurrent calls: while a run for a key is in flight, further calls for that key wait for its result instead of starting
 * their own. An abort detaches only the caller concerned. The run is cancelled when its last caller has left, and the next call starts
 * a new one.
 *
 * @example
 * ```ts
 * import { singleFlight } from '@macadam/resilience';
 *
 * const flights = singleFlight();
 * let loads = 0;
 * const load = async () => ++loads;
 * await Promise.all([flights.run('user:1', load), flights.run('user:1', load)]);
 * if (loads !== 1) throw new Error('both callers should share one load');
 * ```
 */
export function singleFlight(): SingleFlight {
  const flights = new Map<string, Flight>();
  let runs = 0;
  let joined = 0;
  return {
    run<T>(
      key: string,
      fn: (context: { readonly signal: AbortSignal }) => PromiseLike<T> | T,
      options: SingleFlightOptions = {},
    ) {
      assertFunction('singleFlight.run.fn', fn);
      const signal = readSignal(options);
      if (signal?.aborted === true) return Promise.reject(signal.reason as Error);
      const remove = (flight: Flight): void => {
        if (flights.get(key) === flight) flights.delete(key);
      };
      let flight = flights.get(key);
      if (flight === undefined) {
        runs++;
        flight = new Flight(fn, remove);
        flights.set(key, flight);
      } else joined++;
      return flight.join(signal, remove) as Promise<T>;
    },
    get size() {
      return flights.size;
    },
    stats: () => ({ inFlight: flights.size, runs, joined }),
  };
}

function readSignal(options: SingleFlightOptions): AbortSignal | undefined {
  assertObject('singleFlight.run', options);
  assertKnownOptions('singleFlight.run', options, ['signal']);
  const { signal } = options;
  assertSignal('singleFlight.run.signal', signal);
  return signal;
}
