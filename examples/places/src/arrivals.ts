// When callers arrive and what they request. They arrive whether or not earlier ones were answered (an open loop, as with
// real users), so that a service that hangs cannot reduce its own load.
import type { PhaseName, Step } from './scenario.ts';
import type { Group } from './traffic.ts';

export interface Arrival {
  /** Since the start of the run. */
  atMs: number;
  phase: PhaseName;
  name: string;
  group: Group['name'];
  headers: Readonly<Record<string, string>>;
}

/** All arrivals in order of time. The same random source gives the same arrivals. */
export function planArrivals(
  groups: readonly Group[],
  scenario: readonly Step[],
  names: readonly string[],
  random: () => number,
): Arrival[] {
  return groups
    .flatMap((group) => [...arrivalsOf(group, scenario, names, random)])
    .toSorted((one, other) => one.atMs - other.atMs);
}

/** Poisson arrivals of one group: exponential gaps. At the end of a step, a new gap begins at the rate of the next step. */
function* arrivalsOf(
  group: Group,
  scenario: readonly Step[],
  names: readonly string[],
  random: () => number,
): Generator<Arrival> {
  let [startMs, count] = [0, 0];
  for (const { phase, durationMs } of scenario) {
    const perSecond = group.perSecondIn?.[phase] ?? group.perSecond;
    for (let atMs = gapMs(perSecond, random); atMs < durationMs; atMs += gapMs(perSecond, random)) {
      const name = names[Math.floor(random() * names.length)]!;
      yield { atMs: startMs + atMs, phase, name, group: group.name, headers: headersOf(group, count++) };
    }
    startMs += durationMs;
  }
}

function headersOf({ name, priority, keys }: Group, count: number): Record<string, string> {
  if (priority === undefined) return {};
  return { 'x-request-priority': priority, 'x-api-key': `${name}-${count % keys}` };
}

function gapMs(perSecond: number, random: () => number): number {
  return (-Math.log(1 - random()) * 1_000) / perSecond;
}
