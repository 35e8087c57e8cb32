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
 * Returns the alerts for an objective over a window of days. For 30 days the burn rates are 14.4, 6, 3 and 1, as in the
 * Workbook; for other windows they are computed. Left out are alerts with a threshold of 1 or more, which could never fire,
 * and those with a burn rate below 1, which would fire for a service that keeps to its budget.
 */
export function burnRateAlerts(objective: number, windowDays: number): BurnRateAlert[] {
  return ALERTS.map(({ severity, budgetShare, longMinutes }) => {
    const burnRate = roundForDisplay((budgetShare * windowDays * 1_440) / longMinutes);
    const threshold = roundForDisplay(burnRate * (1 - objective));
    return { severity, budgetShare, longMinutes, shortMinutes: longMinutes / 12, burnRate, threshold };
  }).filter(({ burnRate, threshold }) => burnRate >= 1 && threshold < 1);
}

/** Removes rounding errors such as that of 0.1 + 0.2, since people read the rules. */
export function roundForDisplay(value: number): number {
  return Number(value.toPrecision(12));
}
