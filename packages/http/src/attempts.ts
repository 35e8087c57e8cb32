import type { Verdict } from '@macadam/resilience';
import type { AttemptRouter } from './endpoints/attempt-router.ts';
import type { CallTrace } from './instruments.ts';

/** What one attempt of a call did. Contains no credentials, no query values and nothing of a body. */
export interface HttpAttempt {
  /** The number of the attempt, from 1. */
  readonly attempt: number;
  /** Host and port the attempt was sent to. */
  readonly endpoint: string;
  /** When the attempt began, in milliseconds after the start of the call. */
  readonly startedAtMs: number;
  /** How long the attempt took, in milliseconds; 0 while it is in flight. */
  readonly durationMs: number;
  /** The wait before the attempt in milliseconds: backoff, queueing in the bulkhead, hedge delay. */
  readonly waitedMs: number;
  /** The status of the response; undefined if there was none. */
  readonly status: number | undefined;
  /** The code of the error that ended it: `ECONNRESET`, `UND_ERR_SOCKET`, `MAC_TIMEOUT`, …; undefined if there was a response. */
  readonly errorCode: string | undefined;
}

/** An attempt that may still be in flight. */
class Attempt implements HttpAttempt {
  readonly attempt: number;
  readonly endpoint: string;
  readonly startedAtMs: number;
  readonly waitedMs: number;
  durationMs = 0;
  status: number | undefined = undefined;
  errorCode: string | undefined = undefined;
  /** The number that the policies give to the attempt: unique among the attempts in flight. */
  readonly #number: number;
  readonly #startedAt: number;
  #open = true;

  constructor(attempt: number, endpoint: string, number: number, now: number, startedAtMs: number, waitedMs: number) {
    this.attempt = attempt;
    this.endpoint = endpoint;
    this.startedAtMs = startedAtMs;
    this.waitedMs = waitedMs;
    this.#number = number;
    this.#startedAt = now;
  }

  isOpen(number: number): boolean {
    return this.#open && this.#number === number;
  }

  end(now: number, status: number | undefined, errorCode: string | undefined): void {
    this.#open = false;
    this.durationMs = rounded(now - this.#startedAt);
    this.status = status;
    this.errorCode = errorCode;
  }
}

/** A redirect that was followed. */
export interface FollowedRedirect {
  readonly url: string;
  /** The request that it led to. */
  readonly request: HttpAttempt;
}

const NO_REDIRECTS: readonly FollowedRedirect[] = [];

/** Records the attempts of one call as they start and end. A hedged call has several in flight at a time. */
export class AttemptLog {
  readonly records: HttpAttempt[] = [];
  /** The failure of the last attempt, which a later rejection (an open circuit, say) would hide. */
  failure: unknown = undefined;
  /** The attempt that ended last. */
  lastEnded: HttpAttempt | undefined = undefined;
  /** Chooses the endpoint of each attempt; undefined with a single `baseUrl`. */
  router: AttemptRouter | undefined = undefined;
  /** Reports the call to OpenTelemetry; undefined without an SDK. */
  trace: CallTrace | undefined = undefined;
  /** How often credentials were renewed after a 401. */
  renewals = 0;
  /** The redirects that were followed, by all attempts. */
  redirects: readonly FollowedRedirect[] = NO_REDIRECTS;
  /** Whether nothing has been awaited yet, so that what starts now started with the call and the clock need not be read. */
  isFresh = true;
  /** When the current limit of the call started to count. A wait before that (for endpoints) was subtracted from the limit. */
  limitedFrom: number;
  readonly #startedAt: number;
  #endedAt: number;

  constructor(now: number) {
    this.limitedFrom = now;
    this.#startedAt = now;
    this.#endedAt = now;
  }

  /** When the call began, on the monotonic clock. */
  get startedAt(): number {
    return this.#startedAt;
  }

  begin(number: number, endpoint: string, now: number): void {
    const startedAtMs = rounded(now - this.#startedAt);
    const waitedMs = rounded(now - this.#endedAt);
    const record = new Attempt(this.records.length + 1, endpoint, number, now, startedAtMs, waitedMs);
    this.records.push(record);
    this.router?.recordStart(record);
  }

  /** When the attempt in flight with this number started, in milliseconds after the start of the call. */
  startedAtMs(number: number): number {
    const record = this.records.findLast((one) => (one as Attempt).isOpen(number));
    return record?.startedAtMs ?? 0;
  }

  /** The request that was answered with this status, the last one if there are several. */
  requestAnsweredWith(status: number): HttpAttempt | undefined {
    return this.records.findLast((one) => one.status === status && one.errorCode === undefined);
  }

  /** @param verdict - what the attempt says about the health of the server */
  end(number: number, now: number, status: number | undefined, errorCode: string | undefined, verdict: Verdict): void {
    for (let i = this.records.length - 1; i >= 0; i--) {
      const record = this.records[i] as Attempt;
      if (!record.isOpen(number)) continue;
      record.end(now, status, errorCode);
      this.lastEnded = record;
      this.#endedAt = now;
      this.router?.recordEnd(record, verdict, now);
      this.trace?.requestEnded(number);
      return;
    }
  }
}

/** Rounds to microseconds, since the clock is not more precise. */
function rounded(ms: number): number {
  return Math.round(ms * 1_000) / 1_000;
}
