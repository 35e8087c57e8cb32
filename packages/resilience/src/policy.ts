/** What a guarded function is given. */
export interface ExecuteContext {
  /** Which try this is, counted from 1. */
  readonly attempt: number;
  /**
   * Aborts when this try is cancelled or out of time. Made when first read: a function that does not need it pays
   * nothing.
   */
  readonly signal: AbortSignal;
  /**
   * Calls `listener` once when this try is cancelled or out of time; one listener a try. Cheaper than `signal`, for
   * transports that can be told directly.
   */
  onCancel(listener: (reason: unknown) => void): void;
}

export interface ExecuteOptions {
  /**
   * Cancels the call: it rejects at once with the signal's reason, and nothing further is tried. One listener is added
   * and removed again when the call settles. Default: what cancels the current unit of work, if anything can.
   */
  signal?: AbortSignal;
  /** Replaces, for this call, the limit of the timeout outside of the retry. Ignored without one. */
  timeoutMs?: number;
  /** Replaces, for this call, the limit of the timeout inside of the retry. Ignored without one. */
  attemptTimeoutMs?: number;
  /** Declares that doing the work twice is harmless: a hedge only sends a second try then. Default: false. */
  idempotent?: boolean;
  /** Where the tries go: names the policy of each. Ignored without a `routed()`. */
  route?: Route;
}

/** Where the tries of one call go. */
export interface Route {
  /**
   * The policy the next try goes through, such as the circuit breaker of the endpoint it is sent to; undefined for none.
   * Asked right before each try: unless the policy refuses it, the function runs before anything else happens.
   */
  next(attempt: number): Policy | undefined;
  /**
   * Whether the try after this outcome goes to another place than those that have been tried, which asked for nothing:
   * then it is no matter how long those asked to be left alone, nor that they are throttled. Default: never.
   */
  movesOn?(outcome: Outcome): boolean;
}

/** How one try ended. */
export type Outcome =
  | { readonly ok: true; readonly value: unknown; readonly attempt: number; readonly durationMs: number }
  | { readonly ok: false; readonly error: unknown; readonly attempt: number; readonly durationMs: number };

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

/** Plain numbers, and words such as a breaker's state. Policies in a pipeline nest. */
export interface PolicyStats {
  readonly [name: string]: number | string | PolicyStats;
}

/** A function that may be asynchronous. */
export type Guarded<T> = (context: ExecuteContext) => PromiseLike<T> | T;

/** One behaviour around a function that can fail. Made by `retry`, `timeout`, … and composed by `pipeline`. */
export interface Policy {
  readonly kind: PolicyKind;
  /** Runs `fn` under this policy. The promise settles in bounded time if the policy bounds it, whatever `fn` does. */
  execute<T>(fn: Guarded<T>, options?: ExecuteOptions): Promise<T>;
  /** The effective options, in words. */
  describe(): string;
  /** Counts since it was made. */
  stats(): PolicyStats;
}
