import { isMacadamError, runWork } from '@macadam/core';
import { virtualClock } from '@macadam/testkit';
import { describe, expect, it } from 'vitest';
import { wasCutShort } from './cut-short.ts';
import { timeout } from './timeout.ts';

const hang = (): Promise<never> => new Promise<never>(() => {});

describe('wasCutShort', () => {
  it.each([
    { leftMs: 49, cut: true },
    { leftMs: 50, cut: false },
    { leftMs: 100, cut: false },
    { leftMs: 500, cut: false },
  ])('of a limit of 100 ms with $leftMs ms left: $cut', async ({ leftMs, cut }) => {
    const clock = virtualClock();
    let reason: unknown;
    const call = runWork({ timeoutMs: leftMs, clock }, () =>
      timeout({ timeoutMs: 100, clock }).execute((context) => {
        context.onCancel((told) => (reason = told));
        return hang();
      }),
    );
    await clock.runUntil(Promise.allSettled([call]));
    expect(isMacadamError(reason, 'MAC_TIMEOUT')).toBe(true);
    expect(wasCutShort(reason)).toBe(cut);
  });

  it('is false for other values', () => {
    for (const value of [undefined, null, 'late', new Error('late')]) expect(wasCutShort(value)).toBe(false);
  });

  it.each([
    { outerMs: 500, innerMs: 10_000, callMs: 500, cut: false },
    { outerMs: 500, innerMs: 60, callMs: 40, cut: true },
  ])(
    'is for the outermost call to judge: $outerMs ms around $innerMs ms, ended after $callMs ms: $cut',
    async (row) => {
      const { outerMs, innerMs, callMs, cut } = row;
      const clock = virtualClock();
      const inner = timeout({ timeoutMs: innerMs, clock });
      const call = runWork({ timeoutMs: callMs, clock }, () =>
        timeout({ timeoutMs: outerMs, clock }).execute(({ signal }) => inner.execute(hang, { signal })),
      );
      const error = await clock.runUntil(call.catch((caught: unknown) => caught));
      expect(wasCutShort(error)).toBe(cut);
    },
  );
});
