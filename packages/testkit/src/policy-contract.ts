import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import { getEventListeners } from 'node:events';
import { assertFunction, assertInteger, assertKnownOptions } from '@macadam/core';
import type { ContractCase, ContractPolicy, PolicyContractOptions, PolicyContractTools } from './contract-case.ts';
import { seededRandom } from './seeded-random.ts';
import { settleEventLoop } from './settle.ts';
import { virtualClock, type VirtualClock } from './virtual-clock.ts';

/**
 * Returns the tests that every policy must pass: results and errors are passed on, cancellation works, and nothing leaks.
 * `makePolicy` is called once for each test.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong option.
 * @example
 * for (const { name, run } of policyContract(({ clock, random }) => retry({ maxAttempts: 3, clock, random }))) {
 *   test(name, run);
 * }
 */
export function policyContract(
  makePolicy: (tools: PolicyContractTools) => ContractPolicy,
  options: PolicyContractOptions = {},
): ContractCase[] {
  assertFunction('policyContract.makePolicy', makePolicy);
  assertKnownOptions('policyContract', options, ['concurrency']);
  const { concurrency = 8 } = options;
  assertInteger('policyContract.concurrency', concurrency, { min: 2 });
  return cases.map(({ name, prove }) => ({
    name,
    run() {
      const clock = virtualClock();
      return prove({ clock, policy: makePolicy({ clock, random: seededRandom(1) }), concurrency });
    },
  }));
}

interface Bench {
  readonly clock: VirtualClock;
  readonly policy: ContractPolicy;
  readonly concurrency: number;
}

const cases: readonly { name: string; prove(bench: Bench): Promise<void> }[] = [
  { name: 'passes a value through, also one that is falsy', prove: passesValues },
  { name: 'passes a rejection through, itself or as a cause', prove: (bench) => passesErrors(bench, false) },
  { name: 'passes a synchronous throw through, itself or as a cause', prove: (bench) => passesErrors(bench, true) },
  { name: 'never calls the function when the signal has aborted before', prove: refusesAborted },
  { name: 'rejects with the reason as soon as the signal aborts, whatever the function does', prove: rejectsOnAbort },
  { name: 'tells the function when the signal aborts', prove: tellsTheFunction },
  { name: 'keeps at most one listener a call on a signal, and none afterwards', prove: leavesNoListeners },
  { name: 'leaves no timer behind', prove: leavesNoTimers },
  {
    name: 'leaves no unhandled rejection when the function fails after the call has ended',
    prove: swallowsLateFailures,
  },
  { name: 'runs each attempt in the asynchronous context of its caller', prove: keepsContexts },
  { name: 'describes itself in words and counts in plain numbers', prove: describesItself },
];

async function passesValues({ clock, policy }: Bench): Promise<void> {
  for (const value of ['value', 0, '', null, undefined, false]) {
    assert.equal(await clock.runUntil(policy.execute(() => value)), value);
    assert.equal(await clock.runUntil(policy.execute(() => Promise.resolve(value))), value);
  }
}

async function passesErrors({ clock, policy }: Bench, synchronously: boolean): Promise<void> {
  const thrown = new Error('thrown by the function under the contract');
  const call = policy.execute(() => {
    if (synchronously) throw thrown;
    return Promise.reject(thrown);
  });
  const received = await rejectionOf(clock.runUntil(call));
  assert.ok(
    causes(received).includes(thrown),
    `expected what the function threw, itself or as a cause: ${String(received)}`,
  );
}

async function refusesAborted({ clock, policy }: Bench): Promise<void> {
  const reason = new Error('aborted before');
  let called = false;
  const call = policy.execute(() => (called = true), { signal: AbortSignal.abort(reason) });
  assert.equal(await rejectionOf(clock.runUntil(call)), reason);
  assert.equal(called, false, 'the function was called');
}

async function rejectsOnAbort({ clock, policy }: Bench): Promise<void> {
  const reason = new Error('aborted by the caller');
  const controller = new AbortController();
  const call = watch(policy.execute(() => new Promise<never>(() => {}), { signal: controller.signal }));
  await clock.settle();
  controller.abort(reason);
  // No time passes here: a policy that waits for the function, or for a timer, is still pending.
  await clock.settle();
  assert.equal(call.state, 'rejected', `the call is ${call.state} after the abort`);
  assert.equal(call.error, reason);
}

async function tellsTheFunction({ clock, policy }: Bench): Promise<void> {
  const reason = new Error('aborted by the caller');
  const controller = new AbortController();
  let seen: AbortSignal | undefined;
  const call = watch(
    policy.execute(
      (context) => {
        seen = context.signal;
        return new Promise<never>(() => {});
      },
      { signal: controller.signal },
    ),
  );
  await clock.settle();
  assert.equal(seen?.aborted, false, 'the signal of the function is missing, or aborted from the start');
  controller.abort(reason);
  await clock.settle();
  assert.equal(seen.aborted, true, `the signal of the function has not aborted; the call is ${call.state}`);
}

async function leavesNoListeners({ clock, policy, concurrency }: Bench): Promise<void> {
  const { signal } = new AbortController();
  const listeners = (): number => getEventListeners(signal, 'abort').length;
  let open = (): void => {};
  const gate = new Promise<void>((resolve) => (open = resolve));
  const callers = Array.from({ length: concurrency }, (_, caller) => caller);
  const calls = callers.map((caller) => policy.execute(() => gate.then(() => caller), { signal }));
  await clock.settle();
  assert.ok(listeners() <= concurrency, `${listeners()} listeners for ${concurrency} calls in flight`);
  open();
  assert.deepEqual(await clock.runUntil(Promise.all(calls)), callers);
  assert.equal(listeners(), 0, 'listeners are left after calls that succeeded');
  await clock.runUntil(Promise.allSettled([policy.execute(() => Promise.reject(new Error('failed')), { signal })]));
  assert.equal(listeners(), 0, 'listeners are left after a call that failed');
}

async function leavesNoTimers({ clock, policy }: Bench): Promise<void> {
  await clock.runUntil(policy.execute(() => 'done'));
  const controller = new AbortController();
  const aborted = watch(policy.execute(() => new Promise<never>(() => {}), { signal: controller.signal }));
  await clock.settle();
  controller.abort(new Error('aborted by the caller'));
  await clock.settle();
  assert.notEqual(aborted.state, 'pending', 'the call is pending after the abort');
  await clock.runUntil(Promise.allSettled([policy.execute(() => Promise.reject(new Error('failed')))]));
  clock.assertNoTimers();
}

async function swallowsLateFailures({ clock, policy }: Bench): Promise<void> {
  const unhandled: unknown[] = [];
  const note = (error: unknown): void => void unhandled.push(error);
  process.on('unhandledRejection', note);
  try {
    const controller = new AbortController();
    let fail = (_error: Error): void => {};
    const late = new Promise<never>((_, reject) => (fail = reject));
    const call = watch(policy.execute(() => late, { signal: controller.signal }));
    await clock.settle();
    controller.abort(new Error('aborted by the caller'));
    await clock.settle();
    fail(new Error('the function failed after the call had ended'));
    await settleEventLoop();
    assert.equal(call.state, 'rejected');
    assert.deepEqual(unhandled, []);
  } finally {
    process.off('unhandledRejection', note);
  }
}

async function keepsContexts({ clock, policy, concurrency }: Bench): Promise<void> {
  const storage = new AsyncLocalStorage<number>();
  const seen: [caller: number, store: number | undefined][] = [];
  const call = (caller: number): Promise<unknown> =>
    storage.run(caller, () =>
      policy.execute(async ({ attempt }) => {
        seen.push([caller, storage.getStore()]);
        await clock.sleep(caller);
        seen.push([caller, storage.getStore()]);
        if (attempt === 1) throw new Error('the first attempt fails');
      }),
    );
  const callers = Array.from({ length: concurrency }, (_, caller) => caller);
  await clock.runUntil(Promise.allSettled(callers.map(call)));
  assert.deepEqual(new Set(seen.map(([caller]) => caller)), new Set(callers), 'some function was never called');
  for (const [caller, store] of seen) assert.equal(store, caller, `an attempt of caller ${caller} ran for ${store}`);
}

async function describesItself({ clock, policy }: Bench): Promise<void> {
  assert.match(policy.describe(), /\w/);
  await clock.runUntil(policy.execute(() => 'done'));
  assertPlain('stats()', policy.stats());
}

function assertPlain(path: string, value: unknown): void {
  if (typeof value === 'object' && value !== null) {
    for (const [name, inner] of Object.entries(value)) assertPlain(`${path}.${name}`, inner);
  } else assert.ok(typeof value === 'string' || Number.isFinite(value), `${path} is ${String(value)}`);
}

async function rejectionOf(promise: Promise<unknown>): Promise<unknown> {
  const outcome = await Promise.allSettled([promise]);
  assert.equal(outcome[0].status, 'rejected', 'the call succeeded');
  return outcome[0].reason;
}

/** The error and its causes, outermost first. */
function causes(error: unknown): unknown[] {
  const chain: unknown[] = [];
  for (let at = error; at !== undefined && !chain.includes(at); at = (at as Error | null)?.cause) chain.push(at);
  return chain;
}

/** How the promise stands, kept up to date. */
function watch(promise: Promise<unknown>): {
  readonly state: 'pending' | 'fulfilled' | 'rejected';
  readonly error?: unknown;
} {
  const watched = { state: 'pending' as const };
  promise.then(
    () => Object.assign(watched, { state: 'fulfilled' }),
    (error: unknown) => Object.assign(watched, { state: 'rejected', error }),
  );
  return watched;
}
