// What happens to the upstream during a run, in order. Plain data: change it to try another bad day.

/** How the upstream behaves. `weather-faults.ts` says what each means on the wire. */
export type Weather = 'healthy' | 'slow' | 'storm' | 'resets' | 'blackHole';

export const phaseNames = ['calm', 'slow', 'storm', 'outage', 'recovery'] as const;
export type PhaseName = (typeof phaseNames)[number];

export interface Step {
  phase: PhaseName;
  weather: Weather;
  durationMs: number;
}

const fullScript: readonly Step[] = [
  { phase: 'calm', weather: 'healthy', durationMs: 3_000 },
  { phase: 'slow', weather: 'slow', durationMs: 4_500 },
  { phase: 'storm', weather: 'storm', durationMs: 6_500 },
  { phase: 'outage', weather: 'resets', durationMs: 2_000 },
  { phase: 'outage', weather: 'blackHole', durationMs: 3_000 },
  { phase: 'recovery', weather: 'healthy', durationMs: 6_000 },
];

/** The script with every duration multiplied, for a shorter or longer look. */
export function scriptOf(scale = 1): Step[] {
  return fullScript.map((step) => ({ ...step, durationMs: step.durationMs * scale }));
}
