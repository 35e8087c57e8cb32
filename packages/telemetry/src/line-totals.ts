/** Totals over all loggers of the process, as plain integers. The metrics read them at each collection. */
export const lineTotals: { dropped: number; cut: number } = { dropped: 0, cut: 0 };
