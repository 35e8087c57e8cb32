import type { Clock, Random } from '@macadam/core';
import {
  fixed,
  policyContract,
  respond,
  seededRandom,
  startFaultProxy,
  startFaultServer,
  virtualClock,
  type ContractCase,
  type Distribution,
  type Fault,
  type FaultProxy,
  type FaultResponse,
  type FaultServer,
  type SeededRandom,
  type VirtualClock,
} from '@macadam/testkit';
import { expectTypeOf } from 'vitest';

expectTypeOf(virtualClock).returns.toEqualTypeOf<VirtualClock>();
expectTypeOf<VirtualClock>().toExtend<Clock>();
expectTypeOf<VirtualClock['pendingTimers']>().toEqualTypeOf<number>();
expectTypeOf(virtualClock().runUntil(Promise.resolve(7))).toEqualTypeOf<Promise<number>>();
// @ts-expect-error An option that does not exist.
virtualClock({ startsMs: 5 });
// @ts-expect-error The time is a number.
void virtualClock().advance('5s');

expectTypeOf(seededRandom).parameters.toEqualTypeOf<[seed: number]>();
expectTypeOf<SeededRandom>().toExtend<Random>();
expectTypeOf(seededRandom(7).fork('a')).toEqualTypeOf<SeededRandom>();

expectTypeOf(startFaultServer).returns.toEqualTypeOf<Promise<FaultServer>>();
expectTypeOf<FaultServer>().toExtend<AsyncDisposable>();
expectTypeOf(respond(503)).toEqualTypeOf<Fault>();
expectTypeOf(fixed(5)).toEqualTypeOf<Distribution>();
void startFaultServer({ faults: [{ fault: [respond(503)], when: { fromMs: 1 }, share: 0.5 }] });
void startFaultServer({ faults: [{ fault: respond(503), when: ({ path }) => path === '/' }] });
// @ts-expect-error A rule has a time window or a range of requests, not both.
void startFaultServer({ faults: [{ fault: respond(503), when: { fromMs: 1, requests: [1] } }] });
const healthy: FaultResponse = { status: 200, json: {} };
void startFaultServer({ handle: () => healthy });
// @ts-expect-error The status is called `status`.
void startFaultServer({ handle: () => ({ statusCode: 200 }) });
// @ts-expect-error A rule without a fault.
void startFaultServer({ faults: [{ share: 0.5 }] });

expectTypeOf(startFaultProxy).returns.toEqualTypeOf<Promise<FaultProxy>>();
// @ts-expect-error A proxy needs a target.
void startFaultProxy({});
// @ts-expect-error A link that does not exist.
void startFaultProxy({ target: 'redis://localhost', conditions: { link: 'down' } });

expectTypeOf(policyContract).returns.toEqualTypeOf<ContractCase[]>();
// @ts-expect-error A policy without stats.
policyContract(() => ({ execute: () => Promise.resolve(), describe: () => 'a policy' }));
