// Runs the steps of a check side by side, and tells of each when it has ended.
import { CheckFailed } from './programs.ts';
import { addTally, emptyTally, type Tally } from './tally.ts';

export interface Step {
  heading: string;
  /**
   * Counts as one check that passed where it returns no figures, and as one that failed where it throws. What it has to say it says in
   * one piece: another step runs beside it.
   */
  work: () => Promise<Tally | void>;
  /** Headings of steps before it: it begins when they have passed, and is left out when one has not. */
  needs?: readonly string[];
}

/** As many as this machine of ours has cores. A step is a program that keeps one of them busy. */
const MAX_CONCURRENT_STEPS = 2;

/** Begins the steps in their order, two at a time. Goes on after a failure: one run tells all that is wrong. */
export async function runSteps(steps: readonly Step[], total: Tally = emptyTally()): Promise<Tally> {
  const passed = new Map<string, Promise<boolean>>();
  const limited = limitConcurrency(MAX_CONCURRENT_STEPS);
  for (const step of steps) {
    const needed = (step.needs ?? []).map((heading) => ({ heading, result: passed.get(heading) }));
    passed.set(step.heading, afterNeeded(step, needed));
  }
  await Promise.all(passed.values());
  return total;

  async function afterNeeded(step: Step, needed: readonly Needed[]): Promise<boolean> {
    for (const { heading, result } of needed) {
      if (result === undefined) throw new Error(`"${step.heading}" needs "${heading}", which is no step before it`);
      if (await result) continue;
      addTally(total, { passed: 0, failed: 0, skipped: 1 });
      console.log(`skip ${step.heading}: "${heading}" has not passed`);
      return false;
    }
    return await limited(() => runStep(step, total));
  }
}

interface Needed {
  heading: string;
  result: Promise<boolean> | undefined;
}

async function runStep({ heading, work }: Step, total: Tally): Promise<boolean> {
  const startedAtSeconds = process.uptime();
  const tally = await work().catch((error: Error): Tally => {
    console.error(error instanceof CheckFailed ? error.message : error);
    return { passed: 0, failed: 1, skipped: 0 };
  });
  addTally(total, tally ?? { passed: 1, failed: 0, skipped: 0 });
  const failed = tally?.failed ?? 0;
  console.log(`${failed === 0 ? 'ok  ' : 'FAIL'} ${heading} (${(process.uptime() - startedAtSeconds).toFixed(1)} s)`);
  return failed === 0;
}

/** Lets so many run at once; the others wait, and the one that has waited longest is next. */
function limitConcurrency(free: number): <T>(work: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (free === 0) await new Promise<void>((resolve) => waiting.push(resolve));
    else free -= 1;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) free += 1;
      else next();
    }
  };
}
