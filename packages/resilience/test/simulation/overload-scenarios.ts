import { burstArrivals, fixed, logNormal, poissonArrivals, type Distribution } from '@macadam/testkit';
import { api, TROUBLE_MS, web, type Scenario } from './scenario.ts';

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
    story:
      'From 20 s to 50 s the servers take a hundred times as long: enough for 20 requests a second of 200. What is not answered queues up.',
    lesson:
      'The servers are overloaded by slowness, so each try that comes on top is one too many, and work for callers who have gone delays those who have not. Without a limit users wait for ten seconds and some get an answer; with one they know at once, and the servers catch up.',
    simulation: {
      durationMs: 120_000,
      clients: [web()],
      servers: [api({ faults: [{ kind: 'slow', fromMs: TROUBLE_MS, toMs: 50_000, factor: 100 }] })],
    },
  },
  {
    id: 'thundering-restart',
    title: 'Thundering restart',
    story:
      'All servers restart at 20 s and lose what they were working on. Five seconds later they are back with cold caches, ten times as slow at first, and warm after ten seconds of it.',
    lesson:
      'Cold servers can do a tenth of their usual work, just when everybody comes back. Time limits that fit warm servers turn slow answers into failures and more tries; a breaker that opens lets them warm up, and refuses users meanwhile.',
    simulation: {
      durationMs: 120_000,
      clients: [web({ patienceMs: 5_000 })],
      servers: [
        api({
          faults: [{ kind: 'restart', fromMs: TROUBLE_MS, toMs: 25_000, coldMs: 10_000, coldFactor: 10 }],
        }),
      ],
    },
  },
  {
    id: 'bursty-and-steady',
    title: 'Bursty versus steady clients',
    story:
      'A steady client asks 100 times a second; a job asks 600 times at one moment, every five seconds. Each server queues up to 50 and refuses the rest.',
    lesson:
      'The burst is larger than all queues, so a part of it is refused at first. Whoever tries it again a little later gets all of it done. A breaker takes the refusals for an outage and throws the rest of the burst away, which spares the steady client and fails the job.',
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
    story:
      'Critical and background traffic share servers that can do about 350 a second. From 20 s to 50 s the background asks twelve times as often as usual: 600 a second instead of 50. Each server queues up to 100.',
    lesson:
      'Nobody on this side of the wire can put the critical requests first: that takes load shedding at the server. What a client can do is to send less. Adaptive concurrency finds out how much is too much, so the queue stays short and the critical client is hardly touched.',
    simulation: {
      durationMs: 120_000,
      faultWindow: { fromMs: TROUBLE_MS, toMs: 50_000 },
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
          arrivals: poissonArrivals({ ratePerSecond: 50, spike: { fromMs: TROUBLE_MS, toMs: 50_000, factor: 12 } }),
        },
      ],
      servers: [api({ workers: 1, maxQueued: 100 })],
    },
  },
  {
    id: 'long-tail',
    title: 'Long-tail latency',
    story: 'Nothing is broken: answers take 10 ms, but one in a hundred takes a second.',
    lesson:
      'No error, no overload: only bad luck. Time limits and retries cut the worst of it; a hedge, sent once a try has taken longer than most, removes it for about one per cent more tries. The work of the slow try it replaces is wasted either way.',
    simulation: { durationMs: 60_000, clients: [web()], servers: [api({ serviceTime: longTail })] },
  },
  {
    id: 'cascade',
    title: 'Cascading failure over two hops',
    story:
      'Users call a front, which calls a store, with the same policy at both hops. Each front has 20 workers, held while it waits. From 20 s to 40 s the store takes two hundred times as long; users leave after 5 s.',
    lesson:
      'The workers of the front wait for the store, so a slow store takes the front down with it. Time limits and breakers at both hops free them early. Retries at both hops multiply instead.',
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
          faults: [{ kind: 'slow', fromMs: TROUBLE_MS, toMs: 40_000, factor: 200 }],
        },
      ],
    },
  },
];
