import { virtualClock } from '@macadam/testkit';
import { describe, expect, it } from 'vitest';
import { inTurn, type Task } from './in-turn.ts';

const never = (): Promise<void> => new Promise(() => {});

describe('inTurn', () => {
  const tasks = (clock: ReturnType<typeof virtualClock>, log: string[], ...runs: (() => Promise<void>)[]): Task[] =>
    runs.map((run, i) => ({
      name: String(i),
      run: () => {
        log.push(`${i} at ${clock.monotonic()}`);
        return run();
      },
    }));
  const failed = (): void => {};

  it('begins each when the one before has ended, and takes no longer than they do', async () => {
    const clock = virtualClock();
    const log: string[] = [];
    const all = tasks(
      clock,
      log,
      () => clock.sleep(100),
      () => clock.sleep(100),
      () => Promise.resolve(),
    );
    const ended = inTurn(all, 3_000, clock, failed);
    await clock.advance(200);
    expect(await ended).toBe(true);
    expect(log).toEqual(['0 at 0', '1 at 100', '2 at 200']);
    expect(clock.pendingTimers).toBe(0);
  });

  it('tries the others although one hangs, each within its share of what is left', async () => {
    const clock = virtualClock();
    const log: string[] = [];
    const ended = inTurn(
      tasks(clock, log, never, never, () => clock.sleep(500)),
      3_000,
      clock,
      failed,
    );
    await clock.advance(3_000);
    expect(await ended).toBe(false);
    expect(log).toEqual(['0 at 0', '1 at 1000', '2 at 2000']);
  });

  it('waits for a slow one until time is up, after the others have ended', async () => {
    const clock = virtualClock();
    const ended = inTurn(
      tasks(
        clock,
        [],
        () => clock.sleep(2_900),
        () => Promise.resolve(),
      ),
      3_000,
      clock,
      failed,
    );
    await clock.advance(2_900);
    expect(await ended).toBe(true);
  });

  it('tells what failed, and goes on', async () => {
    const clock = virtualClock();
    const told: unknown[] = [];
    const error = new Error('no');
    const thrown = (): Promise<void> => {
      throw error;
    };
    const all = tasks(
      clock,
      [],
      () => Promise.reject(error),
      thrown,
      () => Promise.resolve(),
    );
    expect(await inTurn(all, 3_000, clock, (name, reason) => told.push([name, reason]))).toBe(true);
    expect(told).toEqual([
      ['0', error],
      ['1', error],
    ]);
  });
});
