import { fixed } from '@macadam/testkit';
import { api, FAULT_START_MS, web, type Scenario } from './scenario.ts';

/** Scenarios in which servers do not respond, or respond with errors only. */
export const outageScenarios: readonly Scenario[] = [
  {
    id: 'total-outage',
    title: 'Total outage',
    fault: 'All five servers refuse connections from 20 s to 50 s.',
    explanation:
      'No request can succeed, so what counts is how few are sent during the outage and how fast the service recovers. Refused connections cost the servers nothing here; the cost of retries shows in the scenarios below in which a failure takes work. A circuit breaker keeps rejecting until its next probe, which delays recovery.',
    simulation: {
      durationMs: 120_000,
      clients: [web()],
      servers: [api({ faults: [{ kind: 'down', fromMs: FAULT_START_MS, toMs: 50_000 }] })],
    },
  },
  {
    id: 'brown-out',
    title: 'Brown-out of one in five endpoints',
    fault: 'One of five servers refuses connections from 20 s to 80 s. Each attempt goes to a random server.',
    explanation:
      'Four in five attempts succeed, so a retry nearly always helps, at the cost of about a fifth more attempts. One circuit breaker for all five servers can only harm: a few failures in a row happen by chance, and it then rejects requests that four servers could have answered.',
    simulation: {
      durationMs: 120_000,
      clients: [web()],
      servers: [api({ faults: [{ kind: 'down', fromMs: FAULT_START_MS, toMs: 80_000, instances: [2] }] })],
    },
  },
  {
    id: 'black-hole',
    title: 'Black hole',
    fault:
      'From 20 s to 50 s no request gets a response, as with a lost route or a frozen host. These users give up after 30 s.',
    explanation:
      'A missing response is the most expensive failure: only a timeout ends the wait, and until then every caller holds its resources. The longest wait shows the timeout of each contender. Plain retries look good because these users are patient, at the cost of three attempts per request.',
    simulation: {
      durationMs: 120_000,
      clients: [web({ patienceMs: 30_000 })],
      servers: [api({ faults: [{ kind: 'blackHole', fromMs: FAULT_START_MS, toMs: 50_000 }] })],
    },
  },
  {
    id: 'flapping',
    title: 'Flapping',
    fault: 'From 20 s to 60 s all servers are alternately down for two seconds and up for two.',
    explanation:
      'Half of the time the servers are healthy and respond. The longer a circuit breaker stays open after each failure, the more of that half it misses; one whose open time grows with each opening waits longer each time.',
    simulation: {
      durationMs: 120_000,
      clients: [web()],
      servers: [
        api({
          faults: Array.from({ length: 10 }, (_, i) => {
            const fromMs = FAULT_START_MS + i * 4_000;
            return { kind: 'down' as const, fromMs, toMs: fromMs + 2_000 };
          }),
        }),
      ],
    },
  },
  {
    id: 'bad-deploy',
    title: 'One bad deploy',
    fault:
      'The five servers restart one after the other from 20 s on, five seconds apart and three seconds each, into a version that responds to 40 % of the requests with errors. It is rolled back in the same way from 60 s on.',
    explanation:
      'Up to 40 % of the responses are errors, and a retry would succeed. A circuit breaker that opens after a few failures in a row mistakes this for an outage; one that measures the failure rate does not.',
    simulation: {
      durationMs: 120_000,
      clients: [web()],
      servers: [
        api({
          faults: Array.from({ length: 5 }, (_, i) => {
            const goneMs = FAULT_START_MS + i * 5_000;
            const backMs = 60_000 + i * 5_000;
            return [
              { kind: 'restart' as const, fromMs: goneMs, toMs: goneMs + 3_000, instances: [i] },
              { kind: 'errors' as const, fromMs: goneMs + 3_000, toMs: backMs, ratio: 0.4, instances: [i] },
              { kind: 'restart' as const, fromMs: backMs, toMs: backMs + 3_000, instances: [i] },
            ];
          }).flat(),
        }),
      ],
    },
  },
  {
    id: 'retry-storm',
    title: 'Retry storm after recovery',
    fault:
      'Servers with little spare capacity (277 requests per second for a load of 200) respond with errors from 20 s to 30 s, each after the usual work. Retries fill the queue, and users give up after 5 s, so that servers also work on requests nobody waits for.',
    explanation:
      'A failure takes work here. Plain retries triple the load, the wait in the queue exceeds the timeout of an attempt, and from then on every attempt times out before it is served: the outage sustains itself after its cause has ended. A retry budget or a circuit breaker keeps the queue short, and the system recovers.',
    simulation: {
      durationMs: 120_000,
      clients: [web({ patienceMs: 5_000 })],
      servers: [
        api({
          serviceTime: fixed(18),
          workers: 1,
          faults: [{ kind: 'errors', fromMs: FAULT_START_MS, toMs: 30_000, ratio: 1 }],
        }),
      ],
    },
  },
];
