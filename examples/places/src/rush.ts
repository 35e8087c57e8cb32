// The third part of the report: more callers than the gazetteer can serve, with an open door and with a guarded one.
import type { Run } from './load.ts';
import { type Call, percentile, successRatio } from './measure.ts';
import { type Part, promiseLines } from './report.ts';
import { duration, percent, promise } from './rows.ts';
import { table } from './table.ts';
import { crowd, type Group } from './traffic.ts';
import { variants } from './variants.ts';

export function rush(open: Run, guarded: Run): Part {
  const spike = (run: Run, who: Group['who']): Call[] => callsOf(run, who).filter(({ phase }) => phase === 'spike');
  const outcome = (calls: readonly Call[]): string => {
    const p99Ms = percentile(
      calls.filter(({ ending }) => ending === 'answered').map(({ waitedMs }) => waitedMs),
      0.99,
    );
    return `${percent(successRatio(calls))}, p99 ${duration(p99Ms)}`;
  };
  const critical = successRatio(callsOf(guarded, 'checkout'));
  const greedy = spike(guarded, 'greedy').filter(({ ending }) => ending === 'limited').length;
  const after = successRatio(afterFirstSecond(guarded));
  const promises = [
    promise('at least 99.4 % success for checkout, the spike included', percent(critical), critical >= 0.994),
    promise('the greedy key meets its limit', `${greedy} answers of 429`, greedy > 0),
    promise('from a second after the spike at least 99 % success for all', percent(after), after >= 0.99),
  ];
  const text = [
    'A rush: reports come twelve-fold, and one key takes what it can, from a gazetteer that serves 400 requests a second:',
    '',
    ...table([
      ['in the spike', 'a second', variants.open.title, variants.guarded.title],
      ...crowd.map(({ who, priority, perSecond, perSecondIn }) => [
        `${who} (${priority})`,
        `${perSecondIn?.spike ?? perSecond}`,
        outcome(spike(open, who)),
        outcome(spike(guarded, who)),
      ]),
    ]),
    '',
    'Promises:',
    ...promiseLines(promises),
  ].join('\n');
  return { text, passed: promises.every(({ kept }) => kept) };
}

function callsOf({ calls }: Run, who: Group['who']): Call[] {
  return calls.filter((call) => call.who === who);
}

function afterFirstSecond({ calls, steps }: Run): Call[] {
  const { startMs } = steps.find(({ phase }) => phase === 'recovery')!;
  return calls.filter(({ atMs }) => atMs >= startMs + 1_000);
}
