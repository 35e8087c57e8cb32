import { markdownTable } from '../src/table.ts';

/** What came of the calls of one caller at one rate. Waits are those of the calls that were answered. */
export interface Tail {
  calls: number;
  answered: number;
  /** How many ended without an answer, by the error's code. */
  failures: Record<string, number>;
  p50Ms: number;
  p90Ms: number;
  p99Ms: number;
  p999Ms: number;
  /** CPU time of the caller for each call that was due. */
  cpuMsPerCall: number;
}

export interface TailRun extends Tail {
  caller: string;
  /** Share of the capacity that was asked for. */
  load: number;
  perSecond: number;
}

export interface TailResult {
  date: string;
  node: string;
  cpu: string;
  /** Whether the machine was quiet when the run began. */
  quiet: boolean;
  /** How long each caller asked at each rate. */
  seconds: number;
  /** Requests a second that the service can answer, measured before. */
  capacity: number;
  runs: readonly TailRun[];
}

export function tailRows({ runs }: Pick<TailResult, 'runs'>, load: number): string[][] {
  const ms = (value: number): string => (value < 100 ? value.toFixed(1) : String(Math.round(value)));
  const rows = runs
    .filter((run) => run.load === load)
    .map((run) => [
      run.caller,
      `${((100 * run.answered) / run.calls).toFixed(1)} %`,
      ...[run.p50Ms, run.p90Ms, run.p99Ms, run.p999Ms].map(ms),
      run.cpuMsPerCall.toFixed(2),
      Object.entries(run.failures)
        .map(([why, count]) => `${count} ${why}`)
        .join(', '),
    ]);
  return [['caller', 'answered', 'p50 ms', 'p90 ms', 'p99 ms', 'p99.9 ms', 'CPU ms a call', 'failures'], ...rows];
}

/** The docs page. Written by the run, never by hand. */
export function tailPage(result: TailResult): string {
  const loads = [...new Set(result.runs.map(({ load }) => load))];
  const sections = loads.flatMap((load) => {
    const perSecond = result.runs.find((run) => run.load === load)?.perSecond ?? 0;
    return [
      '',
      `## ${Math.round(load * 100)} % of capacity, ${perSecond} requests a second`,
      '',
      markdownTable(tailRows(result, load)),
    ];
  });
  return `${[
    '# Benchmark: tail under pressure',
    '',
    '<!-- Written by `npm run bench`. Do not edit. -->',
    '',
    `A service that answers ${result.capacity} requests a second at most, over real sockets, asked at a steady rate by one caller at a time. Calls begin when they are due, answered or not, and are timed from when they were due (an open loop, without coordinated omission), in a histogram of three digits (HdrHistogram). Every caller gives up after a second. Waits are those of the calls that were answered; what was refused or timed out is counted beside them.`,
    '',
    `Node ${result.node.slice(1)}, ${result.cpu}, ${result.date}, ${result.seconds} s a row${result.quiet ? '' : ', on a machine that was busy with other things'}.`,
    '',
    '![p99 by load](tail.svg)',
    ...sections,
  ].join('\n')}\n`;
}
