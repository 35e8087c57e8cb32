// What happens during a run, in order. Plain data: change it to try another bad day.

/** How the upstream behaves. `weather-faults.ts` says what each means on the wire. */
export type Weather = 'healthy' | 'slow' | 'storm' | 'resets' | 'blackHole';

export const phaseNames = ['calm', 'slow', 'storm', 'outage', 'recovery'] as const;
/** In the spike it is the callers, not the upstream, that are out of the ordinary: see `traffic.ts`. */
export type PhaseName = (typeof phaseNames)[number] | 'spike';

export interface Step {
  phase: PhaseName;
  weather: Weather;
  durationMs: number;
}

const day: readonly Step[] = [
  { phase: 'calm', weather: 'healthy', durationMs: 3_000 },
  { phase: 'slow', weather: 'slow', durationMs: 4_500 },
  { phase: 'storm', weather: 'storm', durationMs: 6_500 },
  { phase: 'outage', weather: 'resets', durationMs: 2_000 },
  { phase: 'outage', weather: 'blackHole', durationMs: 3_000 },
  { phase: 'recovery', weather: 'healthy', durationMs: 6_000 },
];

const outage: readonly Step[] = [
  { phase: 'calm', weather: 'healthy', durationMs: 2_500 },
  { phase: 'outage', weather: 'resets', durationMs: 2_000 },
  { phase: 'outage', weather: 'blackHole', durationMs: 3_000 },
  { phase: 'recovery', weather: 'healthy', durationMs: 2_000 },
];

const rush: readonly Step[] = [
  { phase: 'calm', weather: 'healthy', durationMs: 2_000 },
  { phase: 'spike', weather: 'healthy', durationMs: 5_000 },
  { phase: 'recovery', weather: 'healthy', durationMs: 3_000 },
];

const scripts = { day, outage, rush };
export type ScriptName = keyof typeof scripts;

/** A script with every duration multiplied, for a shorter or longer look. */
export function scriptOf(name: ScriptName, scale = 1): Step[] {
  return scripts[name].map((step) => ({ ...step, durationMs: step.durationMs * scale }));
}
