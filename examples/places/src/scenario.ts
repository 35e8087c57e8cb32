// What happens during a run, step by step. Plain data: change it to try another bad day.

/** How the upstream behaves. `condition-faults.ts` defines the faults of each condition. */
export type Condition = 'healthy' | 'slow' | 'storm' | 'resets' | 'blackHole';

export const phaseNames = ['calm', 'slow', 'storm', 'outage', 'recovery'] as const;
/** In the spike the traffic changes, not the upstream: see `traffic.ts`. */
export type PhaseName = (typeof phaseNames)[number] | 'spike';

export interface Step {
  phase: PhaseName;
  condition: Condition;
  durationMs: number;
}

const day: readonly Step[] = [
  { phase: 'calm', condition: 'healthy', durationMs: 3_000 },
  { phase: 'slow', condition: 'slow', durationMs: 4_500 },
  { phase: 'storm', condition: 'storm', durationMs: 6_500 },
  { phase: 'outage', condition: 'resets', durationMs: 2_000 },
  { phase: 'outage', condition: 'blackHole', durationMs: 3_000 },
  { phase: 'recovery', condition: 'healthy', durationMs: 6_000 },
];

const outage: readonly Step[] = [
  { phase: 'calm', condition: 'healthy', durationMs: 2_500 },
  { phase: 'outage', condition: 'resets', durationMs: 2_000 },
  { phase: 'outage', condition: 'blackHole', durationMs: 3_000 },
  { phase: 'recovery', condition: 'healthy', durationMs: 2_000 },
];

const rush: readonly Step[] = [
  { phase: 'calm', condition: 'healthy', durationMs: 2_000 },
  { phase: 'spike', condition: 'healthy', durationMs: 5_000 },
  { phase: 'recovery', condition: 'healthy', durationMs: 3_000 },
];

const scenarios = { day, outage, rush };
export type ScenarioName = keyof typeof scenarios;

/** The steps of a scenario, with every duration multiplied by `scale`. */
export function scenarioSteps(name: ScenarioName, scale = 1): Step[] {
  return scenarios[name].map((step) => ({ ...step, durationMs: step.durationMs * scale }));
}
