/** What one try of a call did. Holds no credential, no query value and nothing of a body. */
export interface HttpAttempt {
  /** Counted from 1. */
  readonly attempt: number;
  /** Where it went: host and port. */
  readonly endpoint: string;
  /** When it began, in milliseconds from the start of the call. */
  readonly startedAtMs: number;
  readonly durationMs: number;
  /** How long was waited before it: back-off, or a place in the bulkhead. Milliseconds. */
  readonly waitedMs: number;
  /** The status of the answer, if there was one. */
  readonly status: number | undefined;
  /** Why it failed: `ECONNRESET`, `UND_ERR_SOCKET`, `MAC_TIMEOUT`, …; undefined when it was answered. */
  readonly errorCode: string | undefined;
}

/** Writes down the tries of one call as they begin and end. */
export class AttemptLog {
  readonly records: HttpAttempt[] = [];
  /** Why the last try failed: a refusal further out, such as a circuit that opened meanwhile, may hide it. */
  failure: unknown = undefined;
  readonly #endpoint: string;
  readonly #startedAt: number;
  #attemptStartedAt: number;
  #endedAt: number;

  constructor(endpoint: string, now: number) {
    this.#endpoint = endpoint;
    this.#startedAt = now;
    this.#attemptStartedAt = now;
    this.#endedAt = now;
  }

  /** When the call began, on the monotonic clock. */
  get startedAt(): number {
    return this.#startedAt;
  }

  begin(now: number): void {
    this.#attemptStartedAt = now;
  }

  end(attempt: number, now: number, status: number | undefined, errorCode: string | undefined): void {
    const startedAt = this.#attemptStartedAt;
    this.records.push({
      attempt,
      endpoint: this.#endpoint,
      startedAtMs: rounded(startedAt - this.#startedAt),
      durationMs: rounded(now - startedAt),
      waitedMs: rounded(startedAt - this.#endedAt),
      status,
      errorCode,
    });
    this.#endedAt = now;
  }
}

/** To the microsecond: what is beyond is noise of the clock. */
function rounded(ms: number): number {
  return Math.round(ms * 1_000) / 1_000;
}
