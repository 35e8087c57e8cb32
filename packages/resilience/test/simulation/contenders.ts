import { standardPipeline } from '@macadam/resilience';
import { noPolicy, type MakePolicy } from '@macadam/testkit';
import { cockatielStyle, opossumStyle, plainRetry } from './peer-policies.ts';

/** One way to protect the calls of a scenario. */
export interface Contender {
  readonly id: 'cockatiel' | 'macadam' | 'macadamFull' | 'macadamTimed' | 'none' | 'opossum' | 'plainRetry';
  readonly label: string;
  /** Its settings, in words. */
  readonly settings: string;
  /** Whether it is our own configuration, whose figures must not become worse. */
  readonly ours: boolean;
  readonly policy: MakePolicy;
}

/** The options of a caller that needs a response within two seconds. */
const limits = { timeoutMs: 2_000, attemptTimeoutMs: 500 };

export const contenders: readonly Contender[] = [
  {
    id: 'none',
    label: 'no policy',
    settings: 'one try, no time limit: users leave when the scenario says so',
    ours: false,
    policy: noPolicy,
  },
  {
    id: 'plainRetry',
    label: 'plain retry',
    settings:
      'a model of the retries of ky 2: two, after 300 ms and 600 ms; 500 ms for each try, as for Macadam, timed; no breaker',
    ours: false,
    policy: plainRetry,
  },
  {
    id: 'cockatiel',
    label: 'cockatiel-style',
    settings:
      'a model of the quick start of cockatiel 4: three retries after 128 ms x 2 with decorrelated jitter; a breaker that opens after five failures in a row for 10 s; 10 s for each try',
    ours: false,
    policy: cockatielStyle,
  },
  {
    id: 'opossum',
    label: 'opossum-style',
    settings:
      'a model of the defaults of opossum 10: no retry; a breaker that opens above 50 % failures within 10 s for 30 s; 10 s for each call, which goes on when its time is over',
    ours: false,
    policy: opossumStyle,
  },
  {
    id: 'macadam',
    label: 'Macadam, defaults',
    settings: '`standardPipeline()`, with no option set',
    ours: true,
    policy: ({ clock, random, service }) => standardPipeline({ name: service, clock, random }),
  },
  {
    id: 'macadamTimed',
    label: 'Macadam, timed',
    settings: '`standardPipeline({ timeoutMs: 2_000, attemptTimeoutMs: 500 })`: the time limits a caller would set',
    ours: true,
    policy: ({ clock, random, service }) => standardPipeline({ name: service, ...limits, clock, random }),
  },
  {
    id: 'macadamFull',
    label: 'Macadam, full',
    settings: 'the same limits and `{ hedge: {}, adaptiveConcurrency: {} }`',
    ours: true,
    policy: ({ clock, random, service }) =>
      standardPipeline({ name: service, ...limits, hedge: {}, adaptiveConcurrency: {}, clock, random }),
  },
];
