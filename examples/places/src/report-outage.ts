// The second part of the report: the outage of the first part, with a warm cache in front of the client.
import type { Run } from './load.ts';
import { percentile, successRatio } from './statistics.ts';
import { type Part, promiseLines } from './report.ts';
import { duration, percent, promise } from './comparison.ts';
import { table } from './report-table.ts';
import { variants } from './variants.ts';

/** Callers wait for the gazetteer no longer than `loaderSoftTimeoutMs` of the cache, 100 ms; the rest is for a busy machine. */
const maxWaitMs = 200;

export function outageReport(macadam: Run, cached: Run): Part {
  const inOutage = ({ calls }: Run) => calls.filter(({ phase }) => phase === 'outage');
  const [withoutCache, withCache] = [inOutage(macadam), inOutage(cached)];
  const waits = (calls: typeof withCache, share: number): number =>
    percentile(
      calls.map(({ waitedMs }) => waitedMs),
      share,
    );
  const promises = [
    promise('every caller of the outage is answered', percent(successRatio(withCache)), successRatio(withCache) === 1),
    promise(
      `99 % of them within ${duration(maxWaitMs)}`,
      duration(waits(withCache, 0.99)),
      waits(withCache, 0.99) <= maxWaitMs,
    ),
  ];
  const text = [
    'The outage again, with a cache that holds every name:',
    '',
    ...table([
      ['', variants.macadam.title, variants.cached.title],
      ['success in the outage', percent(successRatio(withoutCache)), percent(successRatio(withCache))],
      ['wait, p50', duration(waits(withoutCache, 0.5)), duration(waits(withCache, 0.5))],
      ['wait, p99', duration(waits(withoutCache, 0.99)), duration(waits(withCache, 0.99))],
    ]),
    '',
    'Promises:',
    ...promiseLines(promises),
  ].join('\n');
  return { text, passed: promises.every(({ kept }) => kept) };
}
