import { assertFunction, assertObject, OptionsError } from '@macadam/core';
import type { Outcome, PacedTry, Pacer } from '@macadam/resilience';
import { HttpStatusError } from './errors.ts';
import { HttpResponse } from './response.ts';

/** The head of an answer, as far as it tells how much may be sent. */
export interface PacedAnswer {
  readonly status: number;
  readonly headers: { get(name: string): string | null };
}

/** Leave to send one request. */
export interface HttpTurn {
  /**
   * Told once how it ended: with an answer, whatever its status, or without one. What it throws is of no consequence.
   */
  settle(answer: PacedAnswer | undefined): void;
}

/** Says when tries may be sent: `createOutboundLimiter()` of `@macadam/ratelimit`, or one of your own. */
export interface HttpPacing {
  /**
   * Gives a turn at once, or promises one. What it rejects with is the failure of the try.
   *
   * @param partition - what shares a quota: host and port of `baseUrl`, or the client's name with several endpoints
   * @param wish - the try, with a `signal` that aborts when nobody waits for it any more
   */
  acquire(partition: string, wish: PacedTry): HttpTurn | PromiseLike<HttpTurn>;
  /** In words. */
  describe?(): string;
}

/** Checks the `pacing` option of a client. */
export function checkedPacing(pacing: HttpPacing | undefined): HttpPacing | undefined {
  if (pacing === undefined) return undefined;
  assertObject('pacing', pacing);
  assertFunction('pacing.acquire', pacing.acquire);
  return pacing;
}

/** A pacer for the tries of a client: it knows what an answer is, and to whom they go. */
export function pacerOf(pacing: HttpPacing, partition: string): Pacer {
  return {
    acquire(wish) {
      // One that forgets to give anything is told so with those who give what is no turn.
      const turn = pacing.acquire(partition, wish) as HttpTurn | PromiseLike<HttpTurn> | null | undefined;
      return turn !== undefined && turn !== null && 'then' in turn ? turn.then(settledByAnswer) : settledByAnswer(turn);
    },
    describe: () => `${pacing.describe?.() ?? 'each try in its turn'}; as "${partition}"`,
  };
}

function settledByAnswer(turn: HttpTurn | null | undefined): { settle(outcome: Outcome | undefined): void } {
  if (typeof turn?.settle !== 'function') {
    throw new OptionsError('pacing.acquire()', turn, 'a turn with settle(), or a promise of one');
  }
  return { settle: (outcome) => turn.settle(answerOf(outcome)) };
}

function answerOf(outcome: Outcome | undefined): PacedAnswer | undefined {
  if (outcome === undefined) return undefined;
  if (outcome.ok) return outcome.value instanceof HttpResponse ? outcome.value : undefined;
  return outcome.error instanceof HttpStatusError ? outcome.error.response : undefined;
}
