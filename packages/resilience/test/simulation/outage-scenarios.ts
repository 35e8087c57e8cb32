import { fixed } from '@macadam/testkit';
import { api, TROUBLE_MS, web, type Scenario } from './scenario.ts';

/** Scenarios in which servers do not respond, or respond with errors only. */
export const outageScenarios: readonly Scenario[] = [
  {
    id: 'total-outage',
    title: 'Total outage',
    story: 'All five servers refuse connections from 20 s to 50 s.',
    lesson:
      'Nothing can succeed, so what counts is how little is sent meanwhile and how soon everything is well again. Refused connections cost the servers nothing here: the price of retrying shows below, where failing is work. A breaker pays for its silence with the time until its next probe.',
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
    lesson:
      'Four in five tries would succeed, so a second try nearly always helps, and a fifth more tries is all it takes. A breaker in front of all five servers at once can only harm: by chance alone a few failures follow one another, and it then refuses what four servers could have answered.',
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
    lesson:
      'Silence is the most expensive failure: only a time limit ends the wait, and until then every caller holds what it holds. The longest wait is the time limit in each row. A plain retry looks good because its users are patient, at three tries for each request.',
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
    lesson:
      'Half of the time the servers are well, and whoever asks gets an answer. The longer a breaker stays open after each relapse, the more of the good half it misses; one that remembers earlier openings waits longer each time.',
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
    lesson:
      'Up to 40 % of the answers are errors, and a second try would do. A breaker that trips on a few failures in a row mistakes this for an outage; one that looks at the rate does not.',
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
    lesson:
      'Failing is work here. Plain retries triple the load, the queue outgrows the time limit of a try, and from then on every try is given up before its turn comes: the outage outlives its cause by itself, for ever. A budget or a breaker keeps the queue short, and the system recovers.',
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
