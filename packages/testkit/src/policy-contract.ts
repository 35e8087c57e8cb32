import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import { getEventListeners } from 'node:events';
import { assertFunction, assertInteger, assertKnownOptions, assertObject } from '@macadam/core';
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
  assertObject('policyContract', options);
  assertKnownOptions('policyContract', options, ['concurrency']);
  const { concurrency = 8 } = options;
  assertInteger('policyContract.concurrency', concurrency, { min: 2 });
  return cases.map(({ name, verify }) => ({
    name,
    run() {
      const clock = virtualClock();
      return verify({ clock, policy: makePolicy({ clock, random: seededRandom(1) }), concurrency });
    },
  }));
}

interface ContractSubject {
  readonly clock: VirtualClock;
  readonly policy: ContractPolicy;
  readonly concurrency: number;
}

const cases: readonly { name: string; verify(subject: ContractSubject): Promise<void> }[] = [
  { name: 'returns the value of the function, also a falsy one', verify: passesValues },
  {
    name: 'rejects with the error that the function rejects with, itself or as a cause',
    verify: (subject) => passesErrors(subject, false),
  },
  {
    name: 'rejects with the error that the function throws synchronously, itself or as a cause',
    verify: (subject) => passesErrors(subject, true),
  },
  { name: 'never calls the function if the signal has already aborted', verify: rejectsIfAborted },
  {
    name: 'rejects with the reason as soon as the signal aborts, even if the function never settles',
    verify: rejectsOnAbort,
  },
  { name: 'aborts the signal of the function when the signal of the caller aborts', verify: abortsTheSignalOfFunction },
  { name: 'adds at most one listener per call to a signal, and leaves none', verify: leavesNoListeners },
  { name: 'leaves no timer', verify: leavesNoTimers },
  {
    name: 'causes no unhandled rejection when the function fails after the call has ended',
    verify: ignoresLateFailures,
  },
  { name: 'runs each attempt in the asynchronous context of its caller', verify: keepsContexts },
  { name: 'describes itself in words, and has stats() of plain numbers and strings', verify: describesItself },
];

async function passesValues({ clock, policy }: ContractSubject): Promise<void> {
  for (const value of ['value', 0, '', null, undefined, false]) {
    assert.equal(await clock.runUntil(policy.execute(() => value)), value);
    assert.equal(await clock.runUntil(policy.execute(() => Promise.resolve(value))), value);
  }
}

async function passesErrors({ clock, policy }: ContractSubject, synchronously: boolean): Promise<void> {
  const thrown = new Error('thrown by the function under the contract');
  const call = policy.execute(() => {
    if (synchronously) throw thrown;
    return Promise.reject(thrown);
  });
  const received = await rejectionOf(clock.runUntil(call));
  assert.ok(
    causes(received).includes(thrown),
    `expected the error of the function, itself or as a cause: ${String(received)}`,
  );
}

async function rejectsIfAborted({ clock, policy }: ContractSubject): Promise<void> {
  const reason = new Error('aborted before');
  let called = false;
  const call = policy.execute(() => (called = true), { signal: AbortSignal.abort(reason) });
  assert.equal(await rejectionOf(clock.runUntil(call)), reason);
  assert.equal(called, false, 'the function was called');
}

async function rejectsOnAbort({ clock, policy }: ContractSubject): Promise<void> {
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

async function abortsTheSignalOfFunction({ clock, policy }: ContractSubject): Promise<void> {
  const reason = new Error('aborted by the caller');
  const controller = new AbortController();
  let observed: AbortSignal | undefined;
  const call = watch(
    policy.execute(
      (context) => {
        observed = context.signal;
        return new Promise<never>(() => {});
      },
      { signal: controller.signal },
    ),
  );
  await clock.settle();
  assert.equal(observed?.aborted, false, 'the signal of the function is missing, or aborted from the start');
  controller.abort(reason);
  await clock.settle();
  assert.equal(observed.aborted, true, `the signal of the function has not aborted; the call is ${call.state}`);
}

async function leavesNoListeners({ clock, policy, concurrency }: ContractSubject): Promise<void> {
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

async function leavesNoTimers({ clock, policy }: ContractSubject): Promise<void> {
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

async function ignoresLateFailures({ clock, policy }: ContractSubject): Promise<void> {
  const unhandled: unknown[] = [];
  const onUnhandled = (error: unknown): void => void unhandled.push(error);
  process.on('unhandledRejection', onUnhandled);
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
    process.off('unhandledRejection', onUnhandled);
  }
}

async function keepsContexts({ clock, policy, concurrency }: ContractSubject): Promise<void> {
  const storage = new AsyncLocalStorage<number>();
  const observed: [caller: number, store: number | undefined][] = [];
  const call = (caller: number): Promise<unknown> =>
    storage.run(caller, () =>
      policy.execute(async ({ attempt }) => {
        observed.push([caller, storage.getStore()]);
        await clock.sleep(caller);
        observed.push([caller, storage.getStore()]);
        if (attempt === 1) throw new Error('the first attempt fails');
      }),
    );
  const callers = Array.from({ length: concurrency }, (_, caller) => caller);
  await clock.runUntil(Promise.allSettled(callers.map(call)));
  assert.deepEqual(new Set(observed.map(([caller]) => caller)), new Set(callers), 'some function was never called');
  for (const [caller, store] of observed)
    assert.equal(store, caller, `an attempt of caller ${caller} ran for ${store}`);
}

async function describesItself({ clock, policy }: ContractSubject): Promise<void> {
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

/** Returns the error and its causes, outermost first. */
function causes(error: unknown): unknown[] {
  const chain: unknown[] = [];
  for (let link = error; link !== undefined && !chain.includes(link); link = (link as Error | null)?.cause)
    chain.push(link);
  return chain;
}

/** Returns the state of a promise, which is updated when it settles. */
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
