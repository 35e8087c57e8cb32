/** One way to do the job of a case. Created in a process of its own, measured, and closed. */
export interface Contender {
  readonly name: string;
  /** The npm packages whose versions are recorded in the result; none for built-ins of the runtime. */
  readonly from?: string | readonly string[];
  /** Creates the subject. Imports belong here, so that no contender pays for those of another. */
  setup(): Promise<Subject>;
}

export interface Subject {
  /** Runs one operation. It returns a promise always or never. */
  run(): unknown;
  /** Operations in flight at once. Default: 1. */
  readonly inFlight?: number;
  /** Minimum number of operations before measuring starts. In any case it starts only once the cost is steady. */
  readonly warmUp?: number;
  close?(): unknown;
}

/** A claim about two contenders of one case. */
export interface Claim {
  readonly of: string;
  readonly to: string;
  /** The CPU time of an operation of `of` is at most this many times that of `to`. */
  readonly atMost: number;
  /** Allowance that is added to the cost of `to` first, in nanoseconds of CPU time. Default: 0. */
  readonly plusNs?: number;
}

/** One job, done by several contenders. */
export interface Case {
  readonly name: string;
  readonly what: string;
  readonly contenders: readonly Contender[];
  readonly claims?: readonly Claim[];
  /** The contenders are one subject at growing sizes: they are shown in the given order, and the chart shows the slope. */
  readonly curve?: boolean;
  /**
   * A claim is close: in each round, all contenders run at the same time and are measured in alternate slices of some
   * milliseconds. What disturbs the machine for a second then affects all of them alike. Only for few contenders, since
   * each of them is idle while the others are measured, and not for those that work in the background meanwhile, such as
   * exporters.
   */
  readonly sliced?: boolean;
}

export interface Suite {
  readonly name: string;
  readonly what: string;
  readonly cases: readonly Case[];
}
