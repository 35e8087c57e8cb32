// When callers come, and what they ask. They come on their own time, whether or not earlier ones were answered
// (an open loop, as real users are), so that a service that hangs cannot slow its own test down.
import type { PhaseName, Step } from './script.ts';
import type { Group } from './traffic.ts';

export interface Arrival {
  /** Since the start of the run. */
  atMs: number;
  phase: PhaseName;
  name: string;
  who: Group['who'];
  headers: Readonly<Record<string, string>>;
}

/** What is asked for, and when. The same random source gives the same callers, in order of time. */
export function planArrivals(
  groups: readonly Group[],
  script: readonly Step[],
  names: readonly string[],
  random: () => number,
): Arrival[] {
  return groups
    .flatMap((group) => [...arrivalsOf(group, script, names, random)])
    .toSorted((one, other) => one.atMs - other.atMs);
}

/** Poisson arrivals of one group: exponential gaps. A gap that a step's end cuts off begins anew, at the next one's rate. */
function* arrivalsOf(
  group: Group,
  script: readonly Step[],
  names: readonly string[],
  random: () => number,
): Generator<Arrival> {
  let [startMs, count] = [0, 0];
  for (const { phase, durationMs } of script) {
    const perSecond = group.perSecondIn?.[phase] ?? group.perSecond;
    for (let atMs = gapMs(perSecond, random); atMs < durationMs; atMs += gapMs(perSecond, random)) {
      const name = names[Math.floor(random() * names.length)]!;
      yield { atMs: startMs + atMs, phase, name, who: group.who, headers: headersOf(group, count++) };
    }
    startMs += durationMs;
  }
}

function headersOf({ who, priority, keys }: Group, count: number): Record<string, string> {
  if (priority === undefined) return {};
  return { 'x-request-priority': priority, 'x-api-key': `${who}-${count % keys}` };
}

function gapMs(perSecond: number, random: () => number): number {
  return (-Math.log(1 - random()) * 1_000) / perSecond;
}
