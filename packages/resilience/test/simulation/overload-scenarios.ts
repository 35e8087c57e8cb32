import { burstArrivals, fixed, logNormal, poissonArrivals, type Distribution } from '@macadam/testkit';
import { api, FAULT_START_MS, web, type Scenario } from './scenario.ts';

/** One response in a hundred takes a second, all others 10 ms. */
export const longTail: Distribution = {
  sample: (random) => (random() < 0.01 ? 1_000 : 10),
  describe: () => '10 ms, one in a hundred 1 000 ms',
};

/** Scenarios in which servers respond too slowly, or get too many requests. */
export const overloadScenarios: readonly Scenario[] = [
  {
    id: 'slow-dependency',
    title: 'Slow dependency',
    fault:
      'From 20 s to 50 s the servers take a hundred times as long, which is a capacity of about 13 requests per second for a load of 200. The other requests queue.',
    explanation:
      'The servers are overloaded, so each retry adds to the problem, and work for callers who have given up delays the others. Without a timeout, users wait for ten seconds and some get a response; with one, they fail early, and the servers catch up.',
    simulation: {
      durationMs: 120_000,
      clients: [web()],
      servers: [api({ faults: [{ kind: 'slow', fromMs: FAULT_START_MS, toMs: 50_000, factor: 100 }] })],
    },
  },
  {
    id: 'thundering-restart',
    title: 'Thundering restart',
    fault:
      'All servers restart at 20 s and lose the requests in progress. Five seconds later they are back with cold caches, ten times as slow at first, and warm after ten seconds.',
    explanation:
      'Cold servers have a tenth of their usual capacity, at the moment when all clients return. Timeouts that fit warm servers turn slow responses into failures and retries; an open circuit breaker lets the servers warm up, and rejects users meanwhile.',
    simulation: {
      durationMs: 120_000,
      clients: [web({ patienceMs: 5_000 })],
      servers: [
        api({
          faults: [{ kind: 'restart', fromMs: FAULT_START_MS, toMs: 25_000, coldMs: 10_000, coldFactor: 10 }],
        }),
      ],
    },
  },
  {
    id: 'bursty-and-steady',
    title: 'Bursty versus steady clients',
    fault:
      'A steady client sends 100 requests per second; a job sends 600 at once, every five seconds. Each server queues up to 50 requests and rejects the rest.',
    explanation:
      'The burst exceeds all queues together, so a part of it is rejected at first. Retries a little later complete all of it. A circuit breaker mistakes the rejections for an outage and rejects the rest of the burst, which protects the steady client and fails the job.',
    simulation: {
      durationMs: 120_000,
      clients: [
        { name: 'steady', processes: 2, patienceMs: 10_000, arrivals: poissonArrivals({ ratePerSecond: 100 }) },
        { name: 'bursty', patienceMs: 10_000, arrivals: burstArrivals({ size: 600, everyMs: 5_000 }) },
      ],
      servers: [api({ maxQueued: 50 })],
    },
  },
  {
    id: 'low-priority-spike',
    title: '12x low-priority spike',
    fault:
      'Critical and background traffic share servers with a capacity of about 340 requests per second. From 20 s to 50 s the background client sends twelve times as many as usual: 600 per second instead of 50. Each server queues up to 100.',
    explanation:
      'A client cannot prioritize the critical requests: that takes load shedding at the server. What a client can do is to send less. Adaptive concurrency finds a limit at which the queue stays short, so the critical client is hardly affected.',
    simulation: {
      durationMs: 120_000,
      faultWindow: { fromMs: FAULT_START_MS, toMs: 50_000 },
      clients: [
        {
          name: 'critical',
          processes: 2,
          patienceMs: 10_000,
          priority: 'critical',
          arrivals: poissonArrivals({ ratePerSecond: 50 }),
        },
        {
          name: 'background',
          processes: 2,
          patienceMs: 10_000,
          priority: 'background',
          arrivals: poissonArrivals({ ratePerSecond: 50, spike: { fromMs: FAULT_START_MS, toMs: 50_000, factor: 12 } }),
        },
      ],
      servers: [api({ workers: 1, maxQueued: 100 })],
    },
  },
  {
    id: 'long-tail',
    title: 'Long-tail latency',
    fault: 'No fault: responses take 10 ms, but one in a hundred takes a second.',
    explanation:
      'There are no errors and no overload, only slow responses. Timeouts and retries cut the longest ones; a hedge, sent when an attempt takes longer than most, removes them at the cost of about one per cent more attempts. The work of the slow attempt is wasted either way.',
    simulation: { durationMs: 60_000, clients: [web()], servers: [api({ serviceTime: longTail })] },
  },
  {
    id: 'cascade',
    title: 'Cascading failure over two hops',
    fault:
      'Users call a front service, which calls a store, with the same policy at both hops. Each front server has 20 workers, which are blocked while they wait for the store. From 20 s to 40 s the store takes two hundred times as long; users give up after 5 s.',
    explanation:
      'The workers of the front wait for the store, so a slow store also takes down the front. Timeouts and circuit breakers at both hops free the workers early. Retries at both hops multiply.',
    simulation: {
      durationMs: 120_000,
      clients: [web({ patienceMs: 5_000 })],
      servers: [
        { name: 'front', instances: 3, serviceTime: fixed(2), workers: 20, calls: { service: 'store' } },
        {
          name: 'store',
          instances: 3,
          serviceTime: logNormal({ medianMs: 10, p99Ms: 40 }),
          workers: 4,
          faults: [{ kind: 'slow', fromMs: FAULT_START_MS, toMs: 40_000, factor: 200 }],
        },
      ],
    },
  },
];
