/** Runs an operation so many times. What it returns is what the last one gave, so that none can be left out. */
export type Loop = (count: number) => unknown;

/**
 * What is measured, as its users write it, with a bare loop around it. None of it comes from the harness or its suites: what
 * both say alike is then no mistake of one.
 */
export interface Operation {
  /** Operations that are measured. */
  readonly count: number;
  /** Operations before that. Default: as many, which take about a second and a half of CPU time. */
  readonly warmUp?: number;
  /** Makes the thing. Imports belong in here, so that no operation pays for another's. */
  make(): Promise<Loop>;
}
