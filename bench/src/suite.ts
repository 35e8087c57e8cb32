/** One way to do the job. Made in a process of its own, measured, and closed. */
export interface Contender {
  readonly name: string;
  /** The npm packages whose versions stand in the result; none for what the runtime brings. */
  readonly from?: string | readonly string[];
  /** Makes what is measured. Imports belong in here, so that no contender pays for another's. */
  setup(): Promise<Subject>;
}

export interface Subject {
  /** One operation, awaited when it promises something. It must always do, or never. */
  run(): unknown;
  /** Operations in flight at once. Default: 1. */
  readonly inFlight?: number;
  /** The least operations before anything is measured. It is not before their cost is steady, with or without. */
  readonly warmUp?: number;
  close?(): unknown;
}

/** A promise about two contenders of one case. */
export interface Claim {
  readonly of: string;
  readonly to: string;
  /** The CPU time of an operation of `of` is at most this many times that of `to`. */
  readonly atMost: number;
  /** What is allowed on top of `to` before that, in nanoseconds of CPU time. Default: 0. */
  readonly plusNs?: number;
}

/** One job, done by several contenders. */
export interface Case {
  readonly name: string;
  readonly what: string;
  readonly contenders: readonly Contender[];
  readonly claims?: readonly Claim[];
  /** The contenders are one thing at growing sizes: they are shown in the order given, and the chart shows the slope. */
  readonly curve?: boolean;
}

export interface Suite {
  readonly name: string;
  readonly what: string;
  readonly cases: readonly Case[];
}
