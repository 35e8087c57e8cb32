// Who calls, and how often. Plain data: change it to try another crowd.
import type { PhaseName } from './script.ts';

export interface Group {
  who: 'everybody' | 'checkout' | 'shoppers' | 'reports' | 'greedy';
  perSecond: number;
  /** In the phases named; the rest of the time it is `perSecond`. */
  perSecondIn?: Partial<Record<PhaseName, number>>;
  /** As `x-request-priority` says it; undefined to say nothing. */
  priority?: 'critical' | 'normal' | 'background';
  /** How many API keys they have among them. */
  keys: number;
}

/** People who all want the same thing. */
export function everybody(perSecond: number): Group[] {
  return [{ who: 'everybody', perSecond, keys: 0 }];
}

/** In the spike the reports are twelve times as many, and one key takes what it can. */
export const crowd: readonly Group[] = [
  { who: 'checkout', priority: 'critical', perSecond: 40, keys: 4 },
  { who: 'shoppers', priority: 'normal', perSecond: 60, keys: 40 },
  { who: 'reports', priority: 'background', perSecond: 40, perSecondIn: { spike: 480 }, keys: 24 },
  { who: 'greedy', priority: 'normal', perSecond: 10, perSecondIn: { spike: 150 }, keys: 1 },
];
