import type { SimulationResult } from '@macadam/testkit';

/** The figures of one run, which are published and serve as the baseline. Ratios are from 0 to 1; times in ms. */
export interface Figures {
  readonly success: number;
  readonly successDuring?: number;
  readonly successAfter?: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly longestWaitMs: number;
  /** During the fault; over the whole run in a scenario without one. */
  readonly amplification: number;
  readonly wasted: number;
  readonly fairness: number;
  /** `null` if it never recovered, since JSON has no Infinity. */
  readonly recoveryMs?: number | null;
  /** Success ratio of each client, if there are several. */
  readonly clients?: Readonly<Record<string, number>>;
  /** Requests that reached each service, per request of a user, if there are several. */
  readonly services?: Readonly<Record<string, number>>;
}

/** Rounded, so that the result does not depend on the last bit of a logarithm, which differs between machines. */
export function figuresOf(result: SimulationResult): Figures {
  const { duringFault, afterFault, recoveryMs, latency, clients, services } = result;
  return {
    success: ratio(result.successRatio),
    ...(duringFault && { successDuring: ratio(duringFault.successRatio) }),
    ...(afterFault && { successAfter: ratio(afterFault.successRatio) }),
    p50Ms: Math.round(latency.p50),
    p99Ms: Math.round(latency.p99),
    p999Ms: Math.round(latency.p999),
    longestWaitMs: Math.round(result.maxWaitMs),
    amplification: hundredths(duringFault?.amplification ?? result.amplification),
    wasted: ratio(result.wastedRatio),
    fairness: ratio(result.fairness),
    ...(recoveryMs !== undefined && { recoveryMs: Number.isFinite(recoveryMs) ? recoveryMs : null }),
    ...each('clients', clients, ({ successRatio }) => ratio(successRatio)),
    ...each('services', services, ({ amplification }) => hundredths(amplification)),
  };
}

function each<T, K extends string>(
  key: K,
  items: Readonly<Record<string, T>>,
  of: (item: T) => number,
): Partial<Record<K, Record<string, number>>> {
  const entries = Object.entries(items);
  if (entries.length < 2) return {};
  const values = Object.fromEntries(entries.map(([name, item]) => [name, of(item)]));
  return { [key]: values } as Partial<Record<K, Record<string, number>>>;
}

function ratio(value: number): number {
  return Number(value.toFixed(4));
}

function hundredths(value: number): number {
  return Number(value.toFixed(2));
}
