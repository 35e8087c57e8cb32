import { virtualClock } from '@macadam/testkit';
import { describe, expect, it } from 'vitest';
import { runSequentially, type Task } from './run-sequentially.ts';

const never = (): Promise<void> => new Promise(() => {});

describe('runSequentially', () => {
  const tasks = (clock: ReturnType<typeof virtualClock>, log: string[], ...runs: (() => Promise<void>)[]): Task[] =>
    runs.map((run, i) => ({
      name: String(i),
      run: () => {
        log.push(`${i} at ${clock.monotonic()}`);
        return run();
      },
    }));
  const ignore = (): void => {};

  it('starts each task when the one before has ended, and leaves no timer', async () => {
    const clock = virtualClock();
    const log: string[] = [];
    const all = tasks(
      clock,
      log,
      () => clock.sleep(100),
      () => clock.sleep(100),
      () => Promise.resolve(),
    );
    const ended = runSequentially(all, 3_000, clock, ignore);
    await clock.advance(200);
    expect(await ended).toBe(true);
    expect(log).toEqual(['0 at 0', '1 at 100', '2 at 200']);
    expect(clock.pendingTimers).toBe(0);
  });

  it('runs the other tasks when one hangs, each after its share of the remaining time', async () => {
    const clock = virtualClock();
    const log: string[] = [];
    const ended = runSequentially(
      tasks(clock, log, never, never, () => clock.sleep(500)),
      3_000,
      clock,
      ignore,
    );
    await clock.advance(3_000);
    expect(await ended).toBe(false);
    expect(log).toEqual(['0 at 0', '1 at 1000', '2 at 2000']);
  });

  it('waits for a slow task until the limit, after the others have ended', async () => {
    const clock = virtualClock();
    const ended = runSequentially(
      tasks(
        clock,
        [],
        () => clock.sleep(2_900),
        () => Promise.resolve(),
      ),
      3_000,
      clock,
      ignore,
    );
    await clock.advance(2_900);
    expect(await ended).toBe(true);
  });

  it('reports failed tasks, rejected or thrown, and continues', async () => {
    const clock = virtualClock();
    const failures: unknown[] = [];
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
    expect(await runSequentially(all, 3_000, clock, (name, reason) => failures.push([name, reason]))).toBe(true);
    expect(failures).toEqual([
      ['0', error],
      ['1', error],
    ]);
  });
});
