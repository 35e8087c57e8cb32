import { describe, expect, it } from 'vitest';
import { runAttempts } from './run-attempts.ts';

describe('runAttempts', () => {
  it.each([
    { name: 'stops at the first no', answers: [true, false, true], limit: 9, runs: 2 },
    { name: 'stops at the limit, which is no failure', answers: [true, true, true, true], limit: 3, runs: 3 },
    { name: 'runs once at least', answers: [true], limit: 1, runs: 1 },
    { name: 'may have no limit', answers: [...Array<boolean>(99).fill(true), false], limit: Infinity, runs: 100 },
  ])('$name', async ({ answers, limit, runs }) => {
    let count = 0;
    await expect(runAttempts(async () => answers[count++] === true, limit)).resolves.toBeUndefined();
    expect(count).toBe(runs);
  });

  it('fails with what an attempt throws', async () => {
    const thrown = new RangeError('broken');
    await expect(runAttempts(() => Promise.reject(thrown), 1)).rejects.toBe(thrown);
  });
});
