// The second part of the report: the outage of the first, with a cache of what was found before.
import type { Run } from './load.ts';
import { percentile, successRatio } from './measure.ts';
import { type Part, promiseLines } from './report.ts';
import { duration, percent, promise } from './rows.ts';
import { table } from './table.ts';
import { variants } from './variants.ts';

/** Nobody waits for a gazetteer that is down for longer than the cache lets them: 100 ms, and what a busy machine adds. */
const longestMs = 200;

export function warmOutage(macadam: Run, cached: Run): Part {
  const inOutage = ({ calls }: Run) => calls.filter(({ phase }) => phase === 'outage');
  const [without, within] = [inOutage(macadam), inOutage(cached)];
  const waits = (calls: typeof within, share: number): number =>
    percentile(
      calls.map(({ waitedMs }) => waitedMs),
      share,
    );
  const promises = [
    promise('every caller of the outage is answered', percent(successRatio(within)), successRatio(within) === 1),
    promise(
      `99 % of them within ${duration(longestMs)}`,
      duration(waits(within, 0.99)),
      waits(within, 0.99) <= longestMs,
    ),
  ];
  const text = [
    'The outage again, with a cache that has seen every name before:',
    '',
    ...table([
      ['', variants.macadam.title, variants.cached.title],
      ['success in the outage', percent(successRatio(without)), percent(successRatio(within))],
      ['wait, p50', duration(waits(without, 0.5)), duration(waits(within, 0.5))],
      ['wait, p99', duration(waits(without, 0.99)), duration(waits(within, 0.99))],
    ]),
    '',
    'Promises:',
    ...promiseLines(promises),
  ].join('\n');
  return { text, passed: promises.every(({ kept }) => kept) };
}
