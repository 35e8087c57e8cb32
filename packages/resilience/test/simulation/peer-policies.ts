// Models of three popular libraries with their published defaults, based on their documentation and behaviour. The
// libraries themselves cannot run in virtual time.
import type { Clock, Random } from '@macadam/core';
import type { MakePolicy, SimulatedAttempt, SimulatedPolicy } from '@macadam/testkit';

type Run = <T>(fn: (attempt: SimulatedAttempt) => PromiseLike<T>, attempt: number) => Promise<T>;

/** Shared by all rejections: capturing a stack for each would dominate the time of a simulation, and is not used. */
const rejection = new Error('the breaker is open');
const timedOut = new Error('timed out');

/** Rejects after `timeoutMs`. Cancels the request only if the library does. */
function withTimeout(clock: Clock, timeoutMs: number, cancels: boolean): Run {
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
 * jitter from 128 ms) and `ConsecutiveBreaker(5)` that half-opens after 10 s, with one probe for which other calls
 * wait. It has no timeout unless one is added, so it gets one of 10 s per attempt, like opossum.
 */
export const cockatielStyle: MakePolicy = ({ clock, random }) => {
  const guarded = consecutiveBreaker(clock, withTimeout(clock, 10_000, true), 5, 10_000);
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
 * Only retries, as built into HTTP clients. The numbers are those of ky 2: two retries after 300 ms
 * and 600 ms without jitter. Its timeout per attempt is 500 ms, which fits a caller that needs a response within 2 s.
 */
export const plainRetry: MakePolicy = ({ clock }) => {
  const run = withTimeout(clock, 500, true);
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
    if (openedAt === undefined) return counted(fn, attempt);
    if (clock.monotonic() - openedAt < openMs) throw rejection;
    const attempted = run(fn, attempt);
    probe = attempted.then(
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
    return attempted;
  };
  const counted: Run = async (fn, attempt) => {
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
 * The defaults of opossum 10: a timeout of 10 s that does not cancel the function, and a breaker that opens when more
 * than 50 % of the calls of the last 10 s have failed, however few there were; it half-opens after 30 s, with one probe,
 * and rejects other calls meanwhile. Rejected calls count as calls. It does not retry.
 */
export const opossumStyle: MakePolicy = ({ clock }) => {
  const run = withTimeout(clock, 10_000, false);
  const window = new CallWindow(clock);
  let openedAt: number | undefined;
  let probing = false;
  const execute: SimulatedPolicy['execute'] = async (fn) => {
    window.add('calls');
    if (openedAt !== undefined) {
      if (probing || clock.monotonic() - openedAt < 30_000) throw rejection;
      probing = true;
    }
    try {
      const value = await run(fn, 1);
      // Any success closes a half-open circuit, even that of a call that started long before.
      if (probing) {
        probing = false;
        openedAt = undefined;
      }
      return value;
    } catch (error) {
      window.add('failures');
      if (probing || window.failureShare() > 0.5) {
        if (openedAt === undefined || probing) openedAt = clock.monotonic();
        probing = false;
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
