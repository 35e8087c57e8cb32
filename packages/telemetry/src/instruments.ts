// Every name of a metric of this package, with unit and meaning; the catalogue of the documentation is made from it.
import type { Meter } from '@opentelemetry/api';
import { lineTotals } from './line-totals.ts';

/** Lines that no destination took. Counter, `{line}`. */
export const LINES_DROPPED = 'macadam.log.lines.dropped';
/** Strings, lists and objects that were cut to the limits of a line. Counter, `{value}`. */
export const VALUES_CUT = 'macadam.log.values.cut';

/** Metrics of all loggers of the process, read when they are collected. Returns what stops them. */
export function observeLogs(meter: Meter): () => void {
  const dropped = meter.createObservableCounter(LINES_DROPPED, {
    unit: '{line}',
    description: 'Log lines that no destination took.',
  });
  const cut = meter.createObservableCounter(VALUES_CUT, {
    unit: '{value}',
    description: 'Values that were cut to the limits of a log line.',
  });
  const both = [dropped, cut];
  const read = (result: { observe(metric: typeof dropped, value: number): void }): void => {
    result.observe(dropped, lineTotals.dropped);
    result.observe(cut, lineTotals.cut);
  };
  meter.addBatchObservableCallback(read, both);
  return () => meter.removeBatchObservableCallback(read, both);
}
