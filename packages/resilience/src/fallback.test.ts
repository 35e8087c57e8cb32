import { virtualClock } from '@macadam/testkit';
import { describe, expect, it, vi } from 'vitest';
import { fallback } from './fallback.ts';
import { pipeline } from './pipeline.ts';
import { timeout } from './timeout.ts';

describe('fallback', () => {
  const down = new Error('down');
  it.each<{ name: string; value: unknown; expected: unknown }>([
    { name: 'a value', value: 7, expected: 7 },
    { name: 'undefined', value: undefined, expected: undefined },
    { name: 'a function of the outcome', value: (one: { error: Error }) => one.error.message, expected: 'down' },
    { name: 'an asynchronous function', value: async () => 'later', expected: 'later' },
  ])('returns $name when everything has failed', async ({ value, expected }) => {
    const policy = fallback({ value });
    expect(await policy.execute(() => Promise.reject(down))).toBe(expected);
    expect(await policy.execute(() => 'well')).toBe('well');
    expect(policy.stats()).toEqual({ used: 1 });
  });

  it('replaces the outcomes that fallbackIf selects, also values', async () => {
    const policy = fallback({ value: [], fallbackIf: (one) => one.ok && one.value === null });
    expect(await policy.execute(() => null)).toEqual([]);
    await expect(policy.execute(() => Promise.reject(down))).rejects.toBe(down);
  });

  it('fails with the error that the fallback throws', async () => {
    const broken = new Error('broken');
    for (const value of [
      () => Promise.reject(broken),
      () => {
        throw broken;
      },
    ]) {
      await expect(fallback({ value }).execute(() => Promise.reject(down))).rejects.toBe(broken);
    }
  });

  it('replaces a timeout inside it, but not an abort by the caller', async () => {
    const clock = virtualClock();
    const guarded = pipeline(fallback({ value: 'stale', clock }), timeout({ timeoutMs: 50, clock }));
    const hang = (): Promise<never> => new Promise<never>(() => {});
    expect(await clock.runUntil(guarded.execute(hang))).toBe('stale');
    const controller = new AbortController();
    const call = guarded.execute(hang, { signal: controller.signal });
    controller.abort('left');
    await expect(call).rejects.toBe('left');
  });

  it('an abort during an asynchronous fallback rejects at once', async () => {
    const clock = virtualClock();
    const controller = new AbortController();
    const made = vi.fn(() => clock.sleep(1_000).then(() => 'late'));
    const call = fallback({ value: made, clock }).execute(() => Promise.reject(down), { signal: controller.signal });
    await clock.settle();
    expect(made).toHaveBeenCalledTimes(1);
    controller.abort('left');
    await expect(call).rejects.toBe('left');
    await clock.advance(1_000);
  });

  it('requires a value', () => {
    expect(() => fallback({} as never)).toThrow(expect.objectContaining({ path: 'fallback.value' }));
  });
});
