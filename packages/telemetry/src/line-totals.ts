/** Counts of all loggers of the process, as plain integers; the metrics read them when they are collected. */
export const lineTotals: { dropped: number; cut: number } = { dropped: 0, cut: 0 };
