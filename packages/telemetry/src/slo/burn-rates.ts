/** When to wake someone, and when to write a ticket. */
export type AlertSeverity = 'page' | 'ticket';

/** One alert: the error ratio must be above `threshold` over both windows. */
export interface BurnRateAlert {
  readonly severity: AlertSeverity;
  /** Share of the budget of the whole window that is gone when it fires, such as 0.02. */
  readonly budgetShare: number;
  readonly longMinutes: number;
  /** A twelfth of the long one: it ends the alert soon after the errors end. */
  readonly shortMinutes: number;
  /** How many times faster than allowed the budget burns. */
  readonly burnRate: number;
  /** The error ratio that means this burn rate: `burnRate * (1 - objective)`. */
  readonly threshold: number;
}

/** Google's SRE Workbook, chapter 5, "Multiwindow, Multi-Burn-Rate Alerts". */
const ALERTS: readonly { severity: AlertSeverity; budgetShare: number; longMinutes: number }[] = [
  { severity: 'page', budgetShare: 0.02, longMinutes: 60 },
  { severity: 'page', budgetShare: 0.05, longMinutes: 360 },
  { severity: 'ticket', budgetShare: 0.1, longMinutes: 1_440 },
  { severity: 'ticket', budgetShare: 0.1, longMinutes: 4_320 },
];

/**
 * The alerts for an objective over a window of days: for 30 days burn rates of 14.4, 6, 3 and 1, and exact for others.
 * An alert whose threshold is no ratio below 1 could never fire, and is left out.
 */
export function burnRateAlerts(objective: number, windowDays: number): BurnRateAlert[] {
  return ALERTS.map(({ severity, budgetShare, longMinutes }) => {
    const burnRate = rounded((budgetShare * windowDays * 1_440) / longMinutes);
    const threshold = rounded(burnRate * (1 - objective));
    return { severity, budgetShare, longMinutes, shortMinutes: longMinutes / 12, burnRate, threshold };
  }).filter(({ threshold }) => threshold < 1);
}

/** 0.1 + 0.2 is no number for a rule that people read. */
function rounded(value: number): number {
  return Number(value.toPrecision(12));
}
