// Counts named checks the way a test runner counts tests.
import { CheckFailed } from './programs.ts';

export interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

export function emptyTally(): Tally {
  return { passed: 0, failed: 0, skipped: 0 };
}

export function addTally(total: Tally, part: Tally): void {
  total.passed += part.passed;
  total.failed += part.failed;
  total.skipped += part.skipped;
}

/** Runs one check, counts its result, and prints its error under its name. */
export async function countCheck(total: Tally, name: string, work: () => unknown): Promise<void> {
  try {
    await work();
    total.passed += 1;
  } catch (error) {
    total.failed += 1;
    console.error(`not ok: ${name}`);
    console.error(error instanceof CheckFailed ? error.message : error);
  }
}
