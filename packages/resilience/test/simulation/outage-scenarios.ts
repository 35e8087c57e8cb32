import { fixed } from '@macadam/testkit';
import { api, TROUBLE_MS, web, type Scenario } from './scenario.ts';

/** Something does not answer, or answers with errors only. */
export const outageScenarios: readonly Scenario[] = [
  {
    id: 'total-outage',
    title: 'Total outage',
    story: 'All five servers refuse connections from 20 s to 50 s.',
    simulation: {
      durationMs: 120_000,
      clients: [web()],
      servers: [api({ faults: [{ kind: 'down', fromMs: TROUBLE_MS, toMs: 50_000 }] })],
    },
  },
  {
    id: 'brown-out',
    title: 'Brown-out of one in five endpoints',
    story: 'One of five servers refuses connections from 20 s to 80 s, and a try goes to any of the five by chance.',
    simulation: {
      durationMs: 120_000,
      clients: [web()],
      servers: [api({ faults: [{ kind: 'down', fromMs: TROUBLE_MS, toMs: 80_000, instances: [2] }] })],
    },
  },
  {
    id: 'black-hole',
    title: 'Black hole',
    story:
      'From 20 s to 50 s nothing that is sent is ever answered: a lost route, a frozen host. These users leave after 30 s.',
    simulation: {
      durationMs: 120_000,
      clients: [web({ patienceMs: 30_000 })],
      servers: [api({ faults: [{ kind: 'blackHole', fromMs: TROUBLE_MS, toMs: 50_000 }] })],
    },
  },
  {
    id: 'flapping',
    title: 'Flapping',
    story: 'From 20 s to 60 s all servers are down for two seconds, then up for two, again and again.',
    simulation: {
      durationMs: 120_000,
      clients: [web()],
      servers: [
        api({
          faults: Array.from({ length: 10 }, (_, i) => {
            const fromMs = TROUBLE_MS + i * 4_000;
            return { kind: 'down' as const, fromMs, toMs: fromMs + 2_000 };
          }),
        }),
      ],
    },
  },
  {
    id: 'bad-deploy',
    title: 'One bad deploy',
    story:
      'The five servers restart one after the other from 20 s on, five seconds apart and three seconds each, into a version that answers 40 % with errors. It is rolled back in the same way from 60 s on.',
    simulation: {
      durationMs: 120_000,
      clients: [web()],
      servers: [
        api({
          faults: Array.from({ length: 5 }, (_, i) => {
            const goneMs = TROUBLE_MS + i * 5_000;
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
    story:
      'Servers with little to spare (277 a second for 200) answer with errors from 20 s to 30 s, each after the usual work. Retries that come on top fill the queue, and users leave after 5 s: a server that works for them only works in vain.',
    simulation: {
      durationMs: 120_000,
      clients: [web({ patienceMs: 5_000 })],
      servers: [
        api({
          serviceTime: fixed(18),
          workers: 1,
          faults: [{ kind: 'errors', fromMs: TROUBLE_MS, toMs: 30_000, ratio: 1 }],
        }),
      ],
    },
  },
];
