// When callers come, and what they ask. They come on their own time, whether or not earlier ones were answered
// (an open loop, as real users are), so that a service that hangs cannot slow its own test down.
import type { PhaseName, Step } from './script.ts';

export interface Arrival {
  /** Since the start of the run. */
  atMs: number;
  phase: PhaseName;
  name: string;
}

/** Poisson arrivals: exponential gaps. The same random source gives the same callers. */
export function planArrivals(
  script: readonly Step[],
  perSecond: number,
  names: readonly string[],
  random: () => number,
): Arrival[] {
  const arrivals: Arrival[] = [];
  let stepEndMs = 0;
  let atMs = gapMs(perSecond, random);
  for (const { phase, durationMs } of script) {
    stepEndMs += durationMs;
    for (; atMs < stepEndMs; atMs += gapMs(perSecond, random)) {
      arrivals.push({ atMs, phase, name: names[Math.floor(random() * names.length)]! });
    }
  }
  return arrivals;
}

function gapMs(perSecond: number, random: () => number): number {
  return (-Math.log(1 - random()) * 1_000) / perSecond;
}
