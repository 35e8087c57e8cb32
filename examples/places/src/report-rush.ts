// The third part of the report: more callers than the gazetteer can serve, without and with admission control.
import type { Run } from './load.ts';
import { type Call, percentile, successRatio } from './statistics.ts';
import { type Part, promiseLines } from './report.ts';
import { duration, percent, promise } from './comparison.ts';
import { table } from './report-table.ts';
import { crowd, type Group } from './traffic.ts';
import { variants } from './variants.ts';

export function rushReport(unprotected: Run, protectedRun: Run): Part {
  const spike = (run: Run, group: Group['name']): Call[] =>
    callsOf(run, group).filter(({ phase }) => phase === 'spike');
  const summary = (calls: readonly Call[]): string => {
    const p99Ms = percentile(
      calls.filter(({ outcome }) => outcome === 'succeeded').map(({ waitedMs }) => waitedMs),
      0.99,
    );
    return `${percent(successRatio(calls))}, p99 ${duration(p99Ms)}`;
  };
  const critical = successRatio(callsOf(protectedRun, 'checkout'));
  const greedy = spike(protectedRun, 'greedy').filter(({ outcome }) => outcome === 'rateLimited').length;
  const after = successRatio(afterFirstSecond(protectedRun));
  const promises = [
    promise('at least 99.4 % success for checkout, the spike included', percent(critical), critical >= 0.994),
    promise('the greedy key is rate limited', `${greedy} responses of 429`, greedy > 0),
    promise('from a second after the spike at least 99 % success for all', percent(after), after >= 0.99),
  ];
  const text = [
    'A rush: reports arrive twelve times as often, and one key takes all it can, while the gazetteer serves 400 requests a second:',
    '',
    ...table([
      ['in the spike', 'per second', variants.unprotected.title, variants.protected.title],
      ...crowd.map(({ name, priority, perSecond, perSecondIn }) => [
        `${name} (${priority})`,
        `${perSecondIn?.spike ?? perSecond}`,
        summary(spike(unprotected, name)),
        summary(spike(protectedRun, name)),
      ]),
    ]),
    '',
    'Promises:',
    ...promiseLines(promises),
  ].join('\n');
  return { text, passed: promises.every(({ kept }) => kept) };
}

function callsOf({ calls }: Run, group: Group['name']): Call[] {
  return calls.filter((call) => call.group === group);
}

function afterFirstSecond({ calls, steps }: Run): Call[] {
  const { startMs } = steps.find(({ phase }) => phase === 'recovery')!;
  return calls.filter(({ atMs }) => atMs >= startMs + 1_000);
}
