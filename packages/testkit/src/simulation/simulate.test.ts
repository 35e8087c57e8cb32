import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { fixed, logNormal } from '../distribution.ts';
import { burstArrivals, constantArrivals, poissonArrivals } from './arrivals.ts';
import type { ServerFault } from './server-fault.ts';
import { simulate } from './simulate.ts';
import { noPolicy, type MakePolicy } from './simulated-policy.ts';
import type { SimulatedService, SimulateOptions } from './simulation-options.ts';

/** Ten requests a second, at 100 ms, 200 ms, …; one server that takes 10 ms for each. */
function run(
  service: Partial<SimulatedService> & { faults?: ServerFault[] } = {},
  more: Partial<SimulateOptions> = {},
): ReturnType<typeof simulate> {
  return simulate({
    durationMs: 10_050,
    clients: [{ name: 'web', arrivals: constantArrivals({ ratePerSecond: 10 }), patienceMs: 2_000 }],
    servers: [{ name: 'api', serviceTime: fixed(10), workers: 1, ...service }],
    policy: noPolicy,
    ...more,
  });
}

/** Retries at once, up to `maxAttempts` attempts. */
const retryTimes =
  (maxAttempts: number): MakePolicy =>
  () => ({
    async execute(fn) {
      for (let attempt = 1; ; attempt++) {
        try {
          return await fn({ attempt, onCancel() {} });
        } catch (error) {
          if (attempt === maxAttempts) throw error;
        }
      }
    },
  });

/** Cancels an attempt after `ms`. */
const cancelAfter =
  (ms: number): MakePolicy =>
  ({ clock }) => ({
    execute: (fn) =>
      new Promise((resolve, reject) => {
        let cancel: (reason: unknown) => void = () => {};
        const timer = clock.setTimer(() => {
          cancel('too late');
          reject(new Error('too late'));
        }, ms);
        void Promise.resolve(fn({ attempt: 1, onCancel: (listener) => (cancel = listener) }))
          .then(resolve, reject)
          .finally(() => timer.cancel());
      }),
  });

describe('simulate', () => {
  it('serves every request of a healthy system', async () => {
    const result = await run();
    expect(result).toMatchObject({ requests: 100, succeeded: 100, successRatio: 1, amplification: 1, wastedRatio: 0 });
    expect(result.latency).toEqual({ p50: 10, p95: 10, p99: 10, p999: 10, max: expect.closeTo(10) });
    expect(result.services['api']).toEqual({
      requests: 100,
      amplification: 1,
      busyMs: expect.closeTo(1_000),
      wastedMs: 0,
    });
    expect(result.windows).toHaveLength(11);
    expect(result).not.toHaveProperty('recoveryMs');
    expect(result.trace).toBe('');
  });

  it('queues requests without a free worker, in order of arrival', async () => {
    const burst = [{ name: 'job', arrivals: burstArrivals({ size: 4, everyMs: 5_000 }) }];
    const result = await run({ workers: 2 }, { clients: burst, durationMs: 5_001, trace: true });
    expect(result.trace.split('\n').filter((line) => line.includes('settle'))).toEqual([
      '5010.000 settle 1 ok',
      '5010.000 settle 2 ok',
      '5020.000 settle 3 ok',
      '5020.000 settle 4 ok',
    ]);
  });

  it('refuses requests at once when the queue is full', async () => {
    const burst = [{ name: 'job', arrivals: burstArrivals({ size: 4, everyMs: 5_000 }) }];
    const result = await run({ maxQueued: 1 }, { clients: burst, durationMs: 5_001, trace: true });
    expect(result.succeeded).toBe(2);
    expect(result.trace.match(/answer \S+ overloaded/g)).toHaveLength(2);
  });

  it.each<{ fault: ServerFault; succeeded: number; maxWaitMs: number }>([
    { fault: { kind: 'down', fromMs: 2_050, toMs: 4_050 }, succeeded: 80, maxWaitMs: 10 },
    { fault: { kind: 'blackHole', fromMs: 2_050, toMs: 4_050 }, succeeded: 80, maxWaitMs: 2_000 },
    // The response to the request in progress at 2 005 ms is lost, too.
    { fault: { kind: 'blackHole', fromMs: 2_005, toMs: 2_095 }, succeeded: 99, maxWaitMs: 2_000 },
    { fault: { kind: 'restart', fromMs: 2_005, toMs: 4_050 }, succeeded: 79, maxWaitMs: 10 },
    { fault: { kind: 'errors', fromMs: 2_050, toMs: 4_050, ratio: 1 }, succeeded: 80, maxWaitMs: 10 },
    { fault: { kind: 'slow', fromMs: 2_050, toMs: 4_050, factor: 5 }, succeeded: 100, maxWaitMs: 50 },
    {
      fault: { kind: 'restart', fromMs: 2_050, toMs: 2_095, coldMs: 1_000, coldFactor: 3 },
      succeeded: 100,
      maxWaitMs: 29.9,
    },
  ])('applies $fault', async ({ fault, succeeded, maxWaitMs }) => {
    const result = await run({ faults: [fault] });
    expect(result.succeeded).toBe(succeeded);
    expect(result.maxWaitMs).toBeCloseTo(maxWaitMs, 1);
    expect(result.recoveryMs).toBe(0);
  });

  it('applies faults only to the named instances, and distributes attempts round robin', async () => {
    const faults: ServerFault[] = [{ kind: 'down', fromMs: 0, toMs: 10_050, instances: [2] }];
    const result = await run({ instances: 5, faults });
    expect(result.succeeded).toBe(80);
    expect((await run({ instances: 5, faults, balancing: 'random' })).succeeded).not.toBe(80);
  });

  it('measures amplification during and after the fault', async () => {
    const result = await run({ faults: [{ kind: 'down', fromMs: 2_050, toMs: 4_050 }] }, { policy: retryTimes(3) });
    expect(result.duringFault).toEqual({ requests: 20, succeeded: 0, successRatio: 0, amplification: 3 });
    expect(result.afterFault).toEqual({ requests: 60, succeeded: 60, successRatio: 1, amplification: 1 });
    expect(result.amplification).toBeCloseTo(1.4);
  });

  it('counts work as wasted when the user has left or the attempt was cancelled', async () => {
    const slow = { faults: [{ kind: 'slow', fromMs: 0, toMs: 150, factor: 300 } as const] };
    const impatient = await run(slow, { durationMs: 150 });
    expect(impatient).toMatchObject({ succeeded: 0, maxWaitMs: 2_000 });

    // The first takes 3 s; the second waits in the queue behind it, until its user has left as well.
    const both = await run(slow, { durationMs: 5_050 });
    expect(both.services['api']?.wastedMs).toBeGreaterThanOrEqual(3_000);
    const cancelled = await run(slow, { durationMs: 5_050, policy: cancelAfter(500) });
    expect(cancelled.maxWaitMs).toBe(500);
    expect(cancelled.services['api']?.wastedMs).toBeGreaterThan(both.services['api']?.wastedMs as number);
  });

  it('skips abandoned requests with dropsAbandoned', async () => {
    const slow = { faults: [{ kind: 'slow', fromMs: 0, toMs: 150, factor: 300 } as const] };
    const more = { durationMs: 5_050, policy: cancelAfter(495) };
    const result = await run({ ...slow, dropsAbandoned: true }, more);
    expect(result.services['api']?.wastedMs).toBeCloseTo(3_000);
  });

  it('keeps a worker busy while its handler waits for another service', async () => {
    const result = await run(
      { calls: { service: 'db' }, workers: 1 },
      {
        durationMs: 10_050,
        servers: [
          { name: 'api', serviceTime: fixed(10), workers: 1, calls: { service: 'db', policy: retryTimes(2) } },
          {
            name: 'db',
            serviceTime: fixed(40),
            workers: 10,
            faults: [{ kind: 'down', fromMs: 5_000, toMs: 6_000 }],
          },
        ],
      },
    );
    expect(result.latency.p50).toBeCloseTo(50);
    expect(result.services['api']?.busyMs).toBeCloseTo(90 * 50 + 10 * 10);
    expect(result.services['db']?.requests).toBe(110);
    expect(result.duringFault?.succeeded).toBe(0);
  });

  it('measures fairness, and each client and priority separately', async () => {
    const clients = [
      { name: 'lucky', arrivals: constantArrivals({ ratePerSecond: 10 }), priority: 'high' as const },
      { name: 'unlucky', arrivals: constantArrivals({ ratePerSecond: 10 }), service: 'broken' },
    ];
    const healthy = { serviceTime: fixed(1), workers: 1 };
    const faults: ServerFault[] = [{ kind: 'down', fromMs: 0, toMs: 20_000 }];
    const servers = [
      { name: 'api', ...healthy },
      { name: 'broken', ...healthy, faults },
    ];
    const result = await run({}, { clients, servers });
    expect(result.fairness).toBe(0.5);
    expect(result.clients).toMatchObject({ lucky: { successRatio: 1 }, unlucky: { successRatio: 0 } });
    expect(result.priorities).toMatchObject({ high: { successRatio: 1 }, normal: { successRatio: 0 } });
    expect(result.recoveryMs).toBe(Infinity);
  });

  it('makes a policy for each process, and uses it for clients with sharesPolicyWith, too', async () => {
    const owners: string[] = [];
    const policy: MakePolicy = (context) => {
      owners.push(`${context.owner} for ${context.service}`);
      return noPolicy(context);
    };
    const arrivals = constantArrivals({ ratePerSecond: 1 });
    await run(
      {},
      {
        policy,
        clients: [
          { name: 'a', arrivals, processes: 2 },
          { name: 'b', arrivals, sharesPolicyWith: 'a' },
        ],
      },
    );
    expect(owners).toEqual(['a#0 for api', 'a#1 for api']);
  });
});

describe('a simulation', () => {
  const options: SimulateOptions = {
    seed: 7,
    durationMs: 20_000,
    clients: [{ name: 'web', arrivals: poissonArrivals({ ratePerSecond: 50 }), patienceMs: 3_000 }],
    servers: [
      {
        name: 'api',
        instances: 2,
        balancing: 'random',
        serviceTime: logNormal({ medianMs: 10, p99Ms: 200 }),
        workers: 2,
        calls: { service: 'db' },
      },
      {
        name: 'db',
        serviceTime: logNormal({ medianMs: 5, p99Ms: 50 }),
        workers: 4,
        faults: [
          { kind: 'errors', fromMs: 4_000, toMs: 6_000, ratio: 0.5 },
          { kind: 'restart', fromMs: 9_000, toMs: 10_000, coldMs: 2_000, coldFactor: 4 },
        ],
      },
    ],
    policy: retryTimes(3),
    trace: true,
  };

  it('gives the same trace, byte for byte, from the same seed on every machine and version of Node', async () => {
    const [first, second] = [await simulate(options), await simulate(options)];
    expect(first).toEqual(second);
    // If this changes, so does every number in docs/simulation: a change of behaviour, to be explained in its commit.
    expect(createHash('sha256').update(first.trace).digest('hex')).toBe(
      '42a720829f73e744b52bfe228edc34dcd5eedbbc919ce93ea85df66a18627a70',
    );
  });

  it('gives another trace from another seed', async () => {
    const other = await simulate({ ...options, seed: 8 });
    expect(other.trace).not.toBe((await simulate(options)).trace);
  });
});

describe('simulate refuses', () => {
  const web = { name: 'web', arrivals: constantArrivals({ ratePerSecond: 1 }) };
  const api = { name: 'api', serviceTime: fixed(1), workers: 1 };
  it.each<{ path: string; more: object }>([
    { path: 'simulate.durationMs', more: { durationMs: 0 } },
    { path: 'simulate.clients', more: { clients: [] } },
    { path: 'simulate.clients', more: { clients: [web, web] } },
    { path: 'simulate.clients[0].service', more: { clients: [{ ...web, service: 'apo' }] } },
    { path: 'simulate.clients[0].sharesPolicyWith', more: { clients: [{ ...web, sharesPolicyWith: 'nobody' }] } },
    { path: 'simulate.servers', more: { servers: [api, api] } },
    { path: 'simulate.servers[0].workers', more: { servers: [{ ...api, workers: 0 }] } },
    { path: 'simulate.servers[0].calls.service', more: { servers: [{ ...api, calls: { service: 'api' } }] } },
    { path: 'simulate.servers[0].calls', more: { servers: [{ ...api, calls: null }] } },
    { path: 'simulate.servers[0].calls.polcy', more: { servers: [{ ...api, calls: { service: 'db', polcy: 1 } }] } },
    {
      path: 'simulate.servers[0].calls.policy',
      more: {
        servers: [
          { ...api, calls: { service: 'db', policy: 1 } },
          { ...api, name: 'db' },
        ],
      },
    },
    { path: 'simulate.servers[0]', more: { servers: [null] } },
    { path: 'simulate.servers[0].faults', more: { servers: [{ ...api, faults: { kind: 'down' } }] } },
    { path: 'simulate.servers[0].faults[0].kind', more: { servers: [{ ...api, faults: [{ kind: 'up' }] }] } },
    {
      path: 'simulate.servers[0].faults[0].instances[0]',
      more: { servers: [{ ...api, faults: [{ kind: 'down', fromMs: 0, toMs: 1, instances: [1] }] }] },
    },
    {
      path: 'simulate.servers[0].faults[0].instances',
      more: { servers: [{ ...api, faults: [{ kind: 'down', fromMs: 0, toMs: 1, instances: 0 }] }] },
    },
    { path: 'simulate.faultWindow', more: { faultWindow: null } },
    { path: 'simulate.faultWindow.untilMs', more: { faultWindow: { fromMs: 0, toMs: 1, untilMs: 2 } } },
    { path: 'simulate.polcy', more: { polcy: noPolicy } },
  ])('a wrong $path', async ({ path, more }) => {
    const options = { durationMs: 1_000, clients: [web], servers: [api], policy: noPolicy, ...more };
    await expect(simulate(options)).rejects.toMatchObject({ code: 'MAC_INVALID_OPTIONS', path });
  });
});
