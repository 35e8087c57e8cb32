import { type Clock, deadlineAfter } from '@macadam/core';

export interface Task {
  readonly name: string;
  run(): Promise<void>;
}

/**
 * Runs tasks one after another within a time limit. Each may take an equal share of the time that is left; if it takes
 * longer, the next one starts beside it, so that one that hangs does not keep the others from running. Returns whether all
 * have ended in time.
 */
export async function runSequentially(
  tasks: readonly Task[],
  limitMs: number,
  clock: Clock,
  onFailure: (name: string, error: unknown) => void,
): Promise<boolean> {
  const deadline = deadlineAfter(limitMs, clock);
  const ends: Promise<void>[] = [];
  for (const [i, task] of tasks.entries()) {
    const end = start(task).catch((error: unknown) => onFailure(task.name, error));
    ends.push(end);
    await settlesWithin(end, deadline.remainingMs() / (tasks.length - i), clock);
  }
  return settlesWithin(Promise.all(ends), deadline.remainingMs(), clock);
}

/** Turns what a task throws before it returns a promise into a rejection. */
async function start(task: Task): Promise<void> {
  await task.run();
}

function settlesWithin(end: Promise<unknown>, limitMs: number, clock: Clock): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = clock.setTimer(() => resolve(false), limitMs);
    void end.then(() => {
      timer.cancel();
      resolve(true);
    });
  });
}
