/** The percentile by nearest rank; 0 without values. `sorted` is in ascending order. */
export function percentile(sorted: ArrayLike<number>, share: number): number {
  if (sorted.length === 0) return 0;
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] as number;
}

/**
 * Jain's fairness index: 1 when all get the same, 1/n when one gets all. Source: Jain, Chiu and Hawe, "A Quantitative
 * Measure of Fairness and Discrimination for Resource Allocation in Shared Computer Systems", 1984.
 */
export function jainIndex(shares: readonly number[]): number {
  const sum = shares.reduce((total, share) => total + share, 0);
  const squares = shares.reduce((total, share) => total + share * share, 0);
  return squares === 0 ? 1 : (sum * sum) / (shares.length * squares);
}

/** Requests that arrived in each time slice, and how many of them succeeded. */
export class TimeSlices {
  readonly sliceMs: number;
  readonly requests: Uint32Array;
  readonly succeeded: Uint32Array;

  constructor(durationMs: number, sliceMs: number) {
    const count = Math.ceil(durationMs / sliceMs);
    this.sliceMs = sliceMs;
    this.requests = new Uint32Array(count);
    this.succeeded = new Uint32Array(count);
  }

  add(atMs: number, succeeded: boolean): void {
    const slice = Math.min(Math.floor(atMs / this.sliceMs), this.requests.length - 1);
    this.requests[slice] = (this.requests[slice] as number) + 1;
    if (succeeded) this.succeeded[slice] = (this.succeeded[slice] as number) + 1;
  }
}

/** The resolution of {@link timeToRecover}: its windows of one second start every 100 ms. */
export const RECOVERY_SLICE_MS = 100;
const SLICES_PER_WINDOW = 10;
const REQUIRED_SUCCESS_RATIO = 0.95;

/**
 * The time from `fromMs` until every later window of one second has at least 95 % success, in milliseconds; Infinity if that
 * is never reached. `slices` have {@link RECOVERY_SLICE_MS}.
 */
export function timeToRecover(slices: TimeSlices, fromMs: number): number {
  const first = Math.ceil(fromMs / RECOVERY_SLICE_MS);
  const last = slices.requests.length - SLICES_PER_WINDOW;
  // Less than a second is left: nothing shows that anything has recovered.
  if (first > last) return Infinity;
  let lastFailed = -1;
  for (let start = first; start <= last; start++) {
    let requests = 0;
    let succeeded = 0;
    for (let i = start; i < start + SLICES_PER_WINDOW; i++) {
      requests += slices.requests[i] as number;
      succeeded += slices.succeeded[i] as number;
    }
    if (succeeded < REQUIRED_SUCCESS_RATIO * requests) lastFailed = start;
  }
  if (lastFailed < 0) return 0;
  return lastFailed >= last ? Infinity : (lastFailed + 1) * RECOVERY_SLICE_MS - fromMs;
}
