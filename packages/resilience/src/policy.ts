/** What a function run by a policy receives. */
export interface ExecuteContext {
  /** The number of the attempt, from 1. */
  readonly attempt: number;
  /**
   * Aborts when this attempt is cancelled or exceeds its time limit. Created when first read, so that a function that does not
   * need it pays nothing.
   */
  readonly signal: AbortSignal;
  /**
   * Calls `listener` once when this attempt is cancelled or exceeds its time limit. Cheaper than `signal`; there is one listener
   * per attempt, and a later one replaces it.
   */
  onCancel(listener: (reason: unknown) => void): void;
}

/** Options of one call of `execute`. A policy that has no use for an option ignores it. */
export interface ExecuteOptions {
  /**
   * Cancels the call: it rejects at once with the signal's reason, and there is no further attempt. One listener is added, and
   * removed when the call settles. Default: the signal of the current work (`runWork`), if there is one.
   */
  signal?: AbortSignal;
  /** Overrides the limit of the timeout around the whole call, in milliseconds, above 0. Default: the limit of that timeout. */
  timeoutMs?: number;
  /** Overrides the limit of the timeout of each attempt, in milliseconds, above 0. Default: the limit of that timeout. */
  attemptTimeoutMs?: number;
  /** Whether running the function twice is harmless; `hedge()` requires it. Default: false. */
  idempotent?: boolean;
  /** Selects a policy for each attempt; used by `routed()`. Default: none. */
  route?: Route;
}

/** Selects the policy for each attempt of a call, such as the circuit breaker of the endpoint it is sent to. */
export interface Route {
  /**
   * Returns the policy for the next attempt, or undefined for none. Called right before the attempt: unless the policy refuses it,
   * the function runs before anything else happens.
   */
  next(attempt: number): Policy | undefined;
  /**
   * Whether the attempt after this outcome goes to another endpoint than those tried so far. If so, the retry ignores their
   * `Retry-After` and their throttling. Default: never.
   */
  movesOn?(outcome: Outcome): boolean;
}

/** How one attempt ended: with a value or an error, and after `durationMs` milliseconds. */
export type Outcome =
  | { readonly ok: true; readonly value: unknown; readonly attempt: number; readonly durationMs: number }
  | { readonly ok: false; readonly error: unknown; readonly attempt: number; readonly durationMs: number };

/** The kind of a policy: the name of the function that made it. */
export type PolicyKind =
  | 'adaptiveConcurrency'
  | 'bulkhead'
  | 'circuitBreaker'
  | 'fallback'
  | 'hedge'
  | 'paced'
  | 'pipeline'
  | 'retry'
  | 'routed'
  | 'timeout';

/** Statistics of a policy: numbers, and strings such as the state of a circuit breaker. Those of a pipeline are nested. */
export interface PolicyStats {
  /** A statistic, or the statistics of an inner policy, by its kind; that of another one of the kind has a number, as `pipeline2`. */
  readonly [name: string]: number | string | PolicyStats;
}

/** A function run by a policy; it may be asynchronous. */
export type ExecuteFunction<T> = (context: ExecuteContext) => PromiseLike<T> | T;

/** A policy around functions that can fail. Made by `retry()`, `timeout()`, …, and composed by `pipeline()`. */
export interface Policy {
  /** The kind of the policy. */
  readonly kind: PolicyKind;
  /**
   * Runs `fn` under this policy, and resolves or rejects as `fn` does unless the policy intervenes.
   *
   * @throws OptionsError (`MAC_INVALID_OPTIONS`) for wrong options, as a rejection.
   */
  execute<T>(fn: ExecuteFunction<T>, options?: ExecuteOptions): Promise<T>;
  /** Describes the effective options in words, for logs and debugging. */
  describe(): string;
  /** Counts since the policy was created, and its current state. */
  stats(): PolicyStats;
}
