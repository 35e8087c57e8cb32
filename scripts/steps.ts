// Runs the steps of a check concurrently, and reports each when it has ended.
import { CheckFailed } from './programs.ts';
import { addTally, emptyTally, type Tally } from './tally.ts';

export interface Step {
  heading: string;
  /**
   * Counts as one check: passed if it returns no figures, failed if it throws. It must print its output in one piece,
   * because another step runs at the same time.
   */
  work: () => Promise<Tally | void>;
  /** Headings of earlier steps. The step starts when they have passed, and is skipped if one has not. */
  needs?: readonly string[];
}

/** The number of cores of our CI machine. Each step keeps one of them busy. */
const MAX_CONCURRENT_STEPS = 2;

/** Starts the steps in their order, two at a time. Continues after a failure, so that one run reports every problem. */
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
      if (result === undefined) throw new Error(`"${step.heading}" needs "${heading}", which is not an earlier step`);
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

/** Limits how many pieces of work run at once. The others wait, first in, first out. */
function limitConcurrency(freeSlots: number): <T>(work: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (freeSlots === 0) await new Promise<void>((resolve) => waiting.push(resolve));
    else freeSlots -= 1;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) freeSlots += 1;
      else next();
    }
  };
}
