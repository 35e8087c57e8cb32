/** `page` is worth waking someone, `ticket` can wait for working hours. */
export type AlertSeverity = 'page' | 'ticket';

/** A burn-rate alert: it fires when the error ratio is above `threshold` over both windows. */
export interface BurnRateAlert {
  /** How urgent it is. */
  readonly severity: AlertSeverity;
  /** Ratio of the error budget that is spent when it fires, such as 0.02. */
  readonly budgetShare: number;
  /** The long window, in minutes. */
  readonly longMinutes: number;
  /** The short window, in minutes: a twelfth of the long one, so that the alert ends soon after the errors do. */
  readonly shortMinutes: number;
  /** How many times faster than allowed the error budget is spent. */
  readonly burnRate: number;
  /** The error ratio of this burn rate: `burnRate * (1 - objective)`. */
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
