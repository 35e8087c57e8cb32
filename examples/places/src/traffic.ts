// The groups of callers and their rates. Plain data: change it to try other traffic.
import type { PhaseName } from './scenario.ts';

export interface Group {
  name: 'everybody' | 'checkout' | 'shoppers' | 'reports' | 'greedy';
  perSecond: number;
  /** Rates in particular phases, instead of `perSecond`. */
  perSecondIn?: Partial<Record<PhaseName, number>>;
  /** Sent as `x-request-priority`; undefined sends neither a priority nor an API key. */
  priority?: 'critical' | 'normal' | 'background';
  /** Number of API keys that the group uses in turn. */
  keys: number;
}

/** One group without API keys and priorities. */
export function everybody(perSecond: number): Group[] {
  return [{ name: 'everybody', perSecond, keys: 0 }];
}

/** In the spike, reports arrive twelve times as often, and one key sends far more than its limit. */
export const crowd: readonly Group[] = [
  { name: 'checkout', priority: 'critical', perSecond: 40, keys: 4 },
  { name: 'shoppers', priority: 'normal', perSecond: 60, keys: 40 },
  { name: 'reports', priority: 'background', perSecond: 40, perSecondIn: { spike: 480 }, keys: 24 },
  { name: 'greedy', priority: 'normal', perSecond: 10, perSecondIn: { spike: 150 }, keys: 1 },
];
