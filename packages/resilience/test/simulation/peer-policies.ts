// What three popular libraries do with their published defaults, modelled from their documentation and behaviour, so that
// the report compares settings under equal conditions. They are models: the libraries themselves read real time.
import type { Clock, Random } from '@macadam/core';
import type { MakePolicy, SimulatedAttempt, SimulatedPolicy } from '@macadam/testkit';

type Run = <T>(fn: (attempt: SimulatedAttempt) => PromiseLike<T>, attempt: number) => Promise<T>;

/** One for all: capturing a stack each time would be most of what a refusal costs here, and nobody reads it. */
const refused = new Error('the breaker is open');
const timedOut = new Error('timed out');

/** Rejects after so long. Tells the transport to stop only if the library would. */
function limited(clock: Clock, timeoutMs: number, cancels: boolean): Run {
  return (fn, attempt) =>
    new Promise((resolve, reject) => {
      let cancel: (reason: unknown) => void = () => {};
      const timer = clock.setTimer(() => {
        if (cancels) cancel(timedOut);
        reject(timedOut);
      }, timeoutMs);
      const onCancel = (listener: (reason: unknown) => void): void => void (cancel = listener);
      Promise.resolve(fn({ attempt, onCancel })).then(
        (value) => {
          timer.cancel();
          resolve(value);
        },
        (error: unknown) => {
          timer.cancel();
          reject(error as Error);
        },
      );
    });
}

/**
 * The quick start of cockatiel 4: `wrap(retry, circuitBreaker)` with three retries, `ExponentialBackoff` (decorrelated
 * jitter from 128 ms) and `ConsecutiveBreaker(5)` that half-opens after 10 s, on one probe while the others wait for its
 * end. It has no time limit unless one is added, so it gets one of 10 s a try, the same as the others here.
 */
export const cockatielStyle: MakePolicy = ({ clock, random }) => {
  const guarded = consecutiveBreaker(clock, limited(clock, 10_000, true), 5, 10_000);
  const execute: SimulatedPolicy['execute'] = async (fn) => {
    const nextDelay = decorrelated(random, 128, 30_000);
    for (let retries = 0; ; retries++) {
      try {
        return await guarded(fn, retries + 1);
      } catch (error) {
        if (retries === 3) throw error;
        await clock.sleep(nextDelay());
      }
    }
  };
  return { execute };
};

/**
 * Retries and nothing else, as HTTP clients have them built in. The numbers are those of ky 2: two retries after 300 ms
 * and 600 ms without jitter. Its limit of a try is set to 500 ms, as a caller would who wants an answer within 2 s.
 */
export const plainRetry: MakePolicy = ({ clock }) => {
  const run = limited(clock, 500, true);
  const execute: SimulatedPolicy['execute'] = async (fn) => {
    for (let retries = 0; ; retries++) {
      try {
        return await run(fn, retries + 1);
      } catch (error) {
        if (retries === 2) throw error;
        await clock.sleep(300 * 2 ** retries);
      }
    }
  };
  return { execute };
};

function consecutiveBreaker(clock: Clock, run: Run, threshold: number, openMs: number): Run {
  let failures = 0;
  let openedAt: number | undefined;
  let probe: Promise<void> | undefined;
  const guarded: Run = async (fn, attempt) => {
    if (probe !== undefined) {
      await probe;
      return guarded(fn, attempt);
    }
    if (openedAt === undefined) return watched(fn, attempt);
    if (clock.monotonic() - openedAt < openMs) throw refused;
    const trial = run(fn, attempt);
    probe = trial.then(
      () => {
        openedAt = undefined;
        failures = 0;
        probe = undefined;
      },
      () => {
        openedAt = clock.monotonic();
        probe = undefined;
      },
    );
    return trial;
  };
  const watched: Run = async (fn, attempt) => {
    try {
      const value = await run(fn, attempt);
      failures = 0;
      return value;
    } catch (error) {
      if (++failures >= threshold) openedAt ??= clock.monotonic();
      throw error;
    }
  };
  return guarded;
}

/** Polly's decorrelated jitter, version 2, which cockatiel's generator follows. */
function decorrelated(random: Random, initialMs: number, maxMs: number): () => number {
  let attempt = 0;
  let previous = 0;
  return () => {
    const t = attempt++ + random();
    const next = 2 ** t * Math.tanh(Math.sqrt(4 * t));
    const delayMs = (Math.max(0, next - previous) / 1.4) * initialMs;
    previous = next;
    return Math.min(delayMs, maxMs);
  };
}

/**
 * The defaults of opossum 10: a time limit of 10 s that does not cancel what runs, and a breaker that opens when more
 * than 50 % of the calls of the last 10 s have failed, however few there were; it half-opens after 30 s, on one trial,
 * and refuses the others meanwhile. Refused calls count as calls. It does not retry.
 */
export const opossumStyle: MakePolicy = ({ clock }) => {
  const run = limited(clock, 10_000, false);
  const window = new CallWindow(clock);
  let openedAt: number | undefined;
  let trying = false;
  const execute: SimulatedPolicy['execute'] = async (fn) => {
    window.add('calls');
    if (openedAt !== undefined) {
      if (trying || clock.monotonic() - openedAt < 30_000) throw refused;
      trying = true;
    }
    try {
      const value = await run(fn, 1);
      // Any success closes a half-open circuit, even one of a call that began long before.
      if (trying) {
        trying = false;
        openedAt = undefined;
      }
      return value;
    } catch (error) {
      window.add('failures');
      if (trying || window.failureShare() > 0.5) {
        if (openedAt === undefined || trying) openedAt = clock.monotonic();
        trying = false;
      }
      throw error;
    }
  };
  return { execute };
};

const BUCKET_MS = 1_000;
const BUCKETS = 10;

/** Ten buckets of a second. */
class CallWindow {
  readonly #clock: Clock;
  #buckets: { at: number; calls: number; failures: number }[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(what: 'calls' | 'failures'): void {
    const at = Math.floor(this.#clock.monotonic() / BUCKET_MS);
    if (this.#buckets.at(-1)?.at !== at) {
      this.#buckets = this.#buckets.filter((bucket) => bucket.at > at - BUCKETS);
      this.#buckets.push({ at, calls: 0, failures: 0 });
    }
    (this.#buckets.at(-1) as { calls: number; failures: number })[what]++;
  }

  failureShare(): number {
    let calls = 0;
    let failures = 0;
    for (const bucket of this.#buckets) {
      calls += bucket.calls;
      failures += bucket.failures;
    }
    return failures / calls;
  }
}
