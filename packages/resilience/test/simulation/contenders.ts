import { standardPipeline } from '@macadam/resilience';
import { noPolicy, type MakePolicy } from '@macadam/testkit';
import { cockatielStyle, opossumStyle, plainRetry } from './peer-policies.ts';

/** One way to protect the calls of a scenario. */
export interface Contender {
  readonly id: 'cockatiel' | 'macadam' | 'macadamFull' | 'macadamTimed' | 'none' | 'opossum' | 'plainRetry';
  readonly label: string;
  /** Description of its settings. */
  readonly settings: string;
  /** Whether it is our own configuration, whose figures must not become worse. */
  readonly ours: boolean;
  readonly policy: MakePolicy;
}

/** The options of a caller that needs a response within two seconds. */
const timeouts = { timeoutMs: 2_000, attemptTimeoutMs: 500 };

export const contenders: readonly Contender[] = [
  {
    id: 'none',
    label: 'no policy',
    settings: 'one attempt, no timeout: users give up after the time that the scenario states',
    ours: false,
    policy: noPolicy,
  },
  {
    id: 'plainRetry',
    label: 'plain retry',
    settings:
      'a model of the retries of ky 2: two retries, after 300 ms and 600 ms; a timeout of 500 ms per attempt, as in "Macadam, timed"; no circuit breaker',
    ours: false,
    policy: plainRetry,
  },
  {
    id: 'cockatiel',
    label: 'cockatiel-style',
    settings:
      'a model of the quick start of cockatiel 4: three retries after 128 ms x 2 with decorrelated jitter; a circuit breaker that opens after five failures in a row for 10 s; a timeout of 10 s per attempt',
    ours: false,
    policy: cockatielStyle,
  },
  {
    id: 'opossum',
    label: 'opossum-style',
    settings:
      'a model of the defaults of opossum 10: no retry; a circuit breaker that opens above 50 % failures within 10 s for 30 s; a timeout of 10 s per call, which does not cancel the request',
    ours: false,
    policy: opossumStyle,
  },
  {
    id: 'macadam',
    label: 'Macadam, defaults',
    settings: '`standardPipeline()`, without options',
    ours: true,
    policy: ({ clock, random, service }) => standardPipeline({ name: service, clock, random }),
  },
  {
    id: 'macadamTimed',
    label: 'Macadam, timed',
    settings: '`standardPipeline({ timeoutMs: 2_000, attemptTimeoutMs: 500 })`: the timeouts that a caller would set',
    ours: true,
    policy: ({ clock, random, service }) => standardPipeline({ name: service, ...timeouts, clock, random }),
  },
  {
    id: 'macadamFull',
    label: 'Macadam, full',
    settings: 'the same timeouts and `{ hedge: {}, adaptiveConcurrency: {} }`',
    ours: true,
    policy: ({ clock, random, service }) =>
      standardPipeline({ name: service, ...timeouts, hedge: {}, adaptiveConcurrency: {}, clock, random }),
  },
];
