import { type Clock, deadlineAfter } from '@macadam/core';

/** Something that is to be done before time is up. */
export interface Task {
  readonly name: string;
  run(): Promise<void>;
}

/**
 * Runs tasks one after another, and all of them within a limit: each has the time for itself that is its share of what is
 * left, and what hangs does not keep the next from being tried. Whether all have ended.
 */
export async function inTurn(
  tasks: readonly Task[],
  limitMs: number,
  clock: Clock,
  failed: (name: string, error: unknown) => void,
): Promise<boolean> {
  const deadline = deadlineAfter(limitMs, clock);
  const ends: Promise<void>[] = [];
  for (const [i, task] of tasks.entries()) {
    const end = run(task).catch((error: unknown) => failed(task.name, error));
    ends.push(end);
    await endsWithin(end, deadline.remainingMs() / (tasks.length - i), clock);
  }
  return endsWithin(Promise.all(ends), deadline.remainingMs(), clock);
}

/** What throws before there is a promise has failed too. */
async function run(task: Task): Promise<void> {
  await task.run();
}

function endsWithin(end: Promise<unknown>, limitMs: number, clock: Clock): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = clock.setTimer(() => resolve(false), limitMs);
    void end.then(() => {
      timer.cancel();
      resolve(true);
    });
  });
}
