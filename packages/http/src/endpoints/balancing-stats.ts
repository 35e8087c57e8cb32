import type { EjectionReason } from './outliers.ts';

/** Counts of what happened to the endpoints and regions of a client, including those that have left the list since. */
export interface BalancingStats {
  /** How often endpoints were ejected, by reason. All 0 with `outlierEjection: false`. */
  readonly ejections: Readonly<Record<EjectionReason, number>>;
  /** How often a region went down. */
  readonly regionsWentDown: number;
  /** How often a region that was down came back. */
  readonly regionsCameBack: number;
}
