import { describe, expect, it } from 'vitest';
import { constant } from './backoff.ts';
import { decide, type Decision, type CallProgress } from './decision.ts';
import { retrySettings, type RetryOptions } from './options.ts';

const FIRST: CallProgress = { attempt: 1, waitedMs: 0, leftMs: Infinity, pendingRetryAfterMs: 0, movesOn: false };

interface Row {
  readonly name: string;
  /** What the dependency asks for, in milliseconds. */
  readonly asksMs?: number;
  readonly options?: RetryOptions;
  readonly standing?: Partial<CallProgress>;
  readonly decision: Decision;
}

describe('decide, with a backoff of 100 ms', () => {
  it.each<Row>([
    { name: 'waits for the backoff', decision: { next: 'wait', delayMs: 100, throttled: false } },
    {
      name: 'takes an asked wait of nothing for a throttling, and passes it on',
      asksMs: 0,
      options: { throttledBaseMs: 700 },
      decision: { next: 'wait', delayMs: 700, throttled: true, retryAfterMs: 0 },
    },
    {
      name: 'does not wait for less than it was asked',
      asksMs: 250,
      options: { throttledBaseMs: 0 },
      decision: { next: 'wait', delayMs: 250, throttled: true, retryAfterMs: 250 },
    },
    {
      name: 'stops after the last attempt',
      standing: { attempt: 3 },
      decision: { next: 'giveUp', reason: 'maxAttempts' },
    },
    {
      name: 'stops after the last attempt, and says when to come back',
      asksMs: 5,
      standing: { attempt: 4 },
      decision: { next: 'giveUp', reason: 'maxAttempts', retryAfterMs: 5 },
    },
    {
      name: 'waits as long as is allowed',
      asksMs: 60_000,
      decision: { next: 'wait', delayMs: 60_000, throttled: true, retryAfterMs: 60_000 },
    },
    {
      name: 'and no longer',
      asksMs: 60_001,
      decision: { next: 'giveUp', reason: 'retryAfterTooLong', retryAfterMs: 60_001 },
    },
    {
      name: 'does not wait for more than the time left',
      asksMs: 501,
      standing: { leftMs: 500 },
      decision: { next: 'giveUp', reason: 'retryAfterTooLong', retryAfterMs: 501 },
    },
    {
      name: 'starts no try with no time left: a wait of all of it is too long',
      standing: { leftMs: 100 },
      decision: { next: 'giveUp', reason: 'deadline' },
    },
    {
      name: 'blames the time when a failure came after it was over, and not a wait that nobody asked for',
      standing: { leftMs: -5 },
      decision: { next: 'giveUp', reason: 'deadline' },
    },
    {
      name: 'starts one with a millisecond left',
      standing: { leftMs: 101 },
      decision: { next: 'wait', delayMs: 100, throttled: false },
    },
    {
      name: 'leaves a place that was asked before alone as long as that wanted',
      asksMs: 20,
      standing: { pendingRetryAfterMs: 300 },
      options: { throttledBaseMs: 0 },
      decision: { next: 'wait', delayMs: 300, throttled: true, retryAfterMs: 300 },
    },
    {
      name: 'goes to another place as it would if nothing had been asked',
      asksMs: 60_001,
      standing: { pendingRetryAfterMs: 70_000, movesOn: true },
      options: { throttledBaseMs: 700 },
      decision: { next: 'wait', delayMs: 100, throttled: true, retryAfterMs: 70_000 },
    },
    {
      name: 'says when to come back also when the time is over',
      asksMs: 500,
      standing: { leftMs: 500 },
      decision: { next: 'giveUp', reason: 'deadline', retryAfterMs: 500 },
    },
  ])('$name', ({ asksMs, options, standing, decision }) => {
    const settings = retrySettings({ backoff: constant({ delayMs: 100 }), ...options });
    const error = asksMs === undefined ? new Error('down') : Object.assign(new Error('busy'), { retryAfterMs: asksMs });
    const outcome = { ok: false, error, attempt: 1, durationMs: 1 } as const;
    expect(decide(settings, outcome, { ...FIRST, ...standing })).toStrictEqual(decision);
  });

  it('passes the number of the retry, the previous wait and the throttled base to the backoff', () => {
    const inputs: unknown[] = [];
    const random = (): number => 0.5;
    const settings = retrySettings({
      random,
      backoff: (input) => {
        inputs.push(input);
        return 0;
      },
      isThrottled: (outcome) => !outcome.ok && outcome.error === 429,
    });
    for (const error of [500, 429]) {
      decide(
        settings,
        { ok: false, error, attempt: 2, durationMs: 1 },
        { ...FIRST, attempt: 2, waitedMs: 70, leftMs: 9_999 },
      );
    }
    const input = { retry: 2, previousMs: 70, random };
    expect(inputs).toEqual([
      { ...input, minBaseMs: 0 },
      { ...input, minBaseMs: 1_000 },
    ]);
  });

  it('accepts a backoff of 0, and rejects a negative one or NaN', () => {
    const outcome = { ok: false, error: new Error('down'), attempt: 1, durationMs: 1 } as const;
    const delays = [0, -1, Number.NaN].map(
      (delayMs) => () => decide(retrySettings({ backoff: () => delayMs }), outcome, FIRST),
    );
    expect(delays[0]?.()).toMatchObject({ next: 'wait', delayMs: 0 });
    expect(delays[1]).toThrow(expect.objectContaining({ path: 'retry.backoff()' }));
    expect(delays[2]).toThrow(expect.objectContaining({ path: 'retry.backoff()' }));
  });
});
