import { assertFunction, assertObject, OptionsError } from '@macadam/core';
import type { Outcome, PacedAttempt, Pacer } from '@macadam/resilience';
import { callersFailure } from './callers-failure.ts';
import { HttpStatusError } from './errors.ts';
import { HttpResponse } from './response.ts';

/** The head of a response, from which a pacer reads the rate limits of the server. */
export interface PacedResponse {
  /** The status of the response. */
  readonly status: number;
  /** The response headers by name, in any case. */
  readonly headers: { get(name: string): string | null };
}

/** Permission to send one request. */
export interface HttpTurn {
  /**
   * Called once when the attempt has ended: with its response, whatever the status, or with undefined if there was none. Errors it
   * throws or rejects with become process warnings.
   */
  settle(response: PacedResponse | undefined): void;
}

/** Decides when attempts may be sent: `createOutboundLimiter()` of `@macadam/ratelimit`, or an implementation of your own. */
export interface HttpPacing {
  /**
   * Returns a turn, or a promise of one. An error it throws or rejects with becomes the failure of the attempt; that of another
   * call becomes the cause of an `HttpRequestError` (`part: 'pacing'`).
   *
   * @param partition - identifies what shares a quota: host and port of `baseUrl`, or the name of the client with `endpoints`
   * @param attempt - the attempt, with a `signal` that aborts when nobody waits for it any more
   */
  acquire(partition: string, attempt: PacedAttempt): HttpTurn | PromiseLike<HttpTurn>;
  /** Describes the pacer, for `describe()` of the client. */
  describe?(): string;
}

/** Checks the `pacing` option of a client. */
export function checkedPacing(pacing: HttpPacing | undefined): HttpPacing | undefined {
  if (pacing === undefined) return undefined;
  assertObject('pacing', pacing);
  assertFunction('pacing.acquire', pacing.acquire);
  return pacing;
}

/** Adapts the `pacing` of a client to a pacer of resilience, which knows neither partitions nor responses. */
export function pacerOf(pacing: HttpPacing, partition: string): Pacer {
  return {
    acquire(attempt) {
      // The type excludes null and undefined; an implementation in JavaScript may still return them.
      let turn: HttpTurn | PromiseLike<HttpTurn> | null | undefined;
      try {
        turn = pacing.acquire(partition, attempt);
      } catch (error) {
        rethrow(error);
      }
      return isPromiseLike(turn) ? turn.then(settledWithResponse, rethrow) : settledWithResponse(turn);
    },
    describe: () => `${pacing.describe?.() ?? 'each attempt in turn'}; as "${partition}"`,
  };
}

function rethrow(error: unknown): never {
  throw callersFailure('pacing', error);
}

function isPromiseLike(turn: object | null | undefined): turn is PromiseLike<HttpTurn> {
  return typeof (turn as Partial<PromiseLike<HttpTurn>> | null | undefined)?.then === 'function';
}

function settledWithResponse(turn: HttpTurn | null | undefined): { settle(outcome: Outcome | undefined): void } {
  if (typeof turn?.settle !== 'function') {
    throw new OptionsError('createHttpClient.pacing.acquire()', turn, 'a turn with settle(), or a promise of one');
  }
  return {
    settle(outcome) {
      const result: unknown = turn.settle(responseOf(outcome));
      // An `async` method, of which nobody awaits the failure.
      if (result !== undefined) Promise.resolve(result).catch(warn);
    },
  };
}

function warn(reason: unknown): void {
  process.emitWarning(reason instanceof Error ? reason : 'settle() of a pacer rejected without an error');
}

function responseOf(outcome: Outcome | undefined): PacedResponse | undefined {
  if (outcome === undefined) return undefined;
  if (outcome.ok) return outcome.value instanceof HttpResponse ? outcome.value : undefined;
  return outcome.error instanceof HttpStatusError ? outcome.error.response : undefined;
}
