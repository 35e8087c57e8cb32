/** Runs an operation `count` times and returns the last result, so that the compiler cannot remove any. */
export type Loop = (count: number) => unknown;

/**
 * An operation as users write it, in a plain loop. It shares no code with the harness or its suites: when
 * both give the same ratio, it is not a mistake of one of them.
 */
export interface Operation {
  /** Number of measured operations. */
  readonly count: number;
  /** Number of operations before that. Default: the same number, which takes about 1.5 seconds of CPU time. */
  readonly warmUp?: number;
  /** Creates the subject. Imports belong here, so that no operation pays for those of another. */
  make(): Promise<Loop>;
}
