import { AsyncResource } from 'node:async_hooks';
import { abortable, type Clock } from '@macadam/core';
import { describe, expect, test } from 'vitest';
import { policyContract } from './policy-contract.ts';
import type { ContractPolicy, PolicyContractTools } from './contract-case.ts';

type Execute = ContractPolicy['execute'];
type Maker = (tools: PolicyContractTools) => ContractPolicy;

/** A minimal retry that meets the contract, except for the members that `flaws` replaces. */
function makePolicy(
  clock: Clock,
  flaws: { execute?: Execute; stats?: () => object; describe?: () => string } = {},
): ContractPolicy {
  const execute: Execute = async (fn, { signal } = {}) => {
    signal?.throwIfAborted();
    const controller = new AbortController();
    const forward = (): void => controller.abort(signal?.reason);
    signal?.addEventListener('abort', forward);
    try {
      for (let attempt = 1; ; attempt++) {
        try {
          return await abortable((async () => fn({ attempt, signal: controller.signal }))(), controller.signal);
        } catch (error) {
          if (attempt === 2 || controller.signal.aborted) throw error;
          await clock.sleep(100, controller.signal);
        }
      }
    } finally {
      signal?.removeEventListener('abort', forward);
    }
  };
  return {
    execute,
    describe: () => 'tries twice',
    stats: () => ({ calls: 1, state: 'closed', inner: { failed: 0 } }),
    ...flaws,
  };
}

const sound: Maker = ({ clock }) => makePolicy(clock);

describe('a correct policy passes the contract', () => {
  for (const { name, run } of policyContract(sound)) test(name, run);
});

async function broken(maker: Maker): Promise<string[]> {
  const results = policyContract(maker).map(async ({ name, run }) => [
    name,
    await run().then(
      () => 'kept',
      () => 'broken',
    ),
  ]);
  return (await Promise.all(results)).filter(([, result]) => result === 'broken').map(([name]) => name!);
}

/** The correct policy, with its `execute` replaced by the result of `change`. */
const changed =
  (change: (execute: Execute, tools: PolicyContractTools) => Execute): Maker =>
  (tools) =>
    makePolicy(tools.clock, { execute: change(sound(tools).execute, tools) });

const flaws: [flaw: string, maker: Maker, cases: string[]][] = [
  [
    'takes a falsy value for a failure',
    changed((execute) => async (fn, options) => (await execute(fn, options)) || Promise.reject(new Error('empty'))),
    [
      'returns the value of the function, also a falsy one',
      'adds at most one listener per call to a signal, and leaves none',
    ],
  ],
  [
    'replaces errors and forgets the cause',
    changed(
      (execute) => async (fn, options) =>
        execute(fn, options).catch((error: unknown) => {
          throw options?.signal?.aborted === true ? error : new Error('failed');
        }),
    ),
    [
      'rejects with the error that the function rejects with, itself or as a cause',
      'rejects with the error that the function throws synchronously, itself or as a cause',
    ],
  ],
  [
    'calls the function before it looks at the signal',
    changed(
      (execute) => (fn, options) =>
        execute(fn, options?.signal?.aborted === true ? {} : options).then((value) => {
          options?.signal?.throwIfAborted();
          return value;
        }),
    ),
    ['never calls the function if the signal has already aborted'],
  ],
  [
    'hides the signal from the function',
    changed(
      (execute) => (fn, options) =>
        execute(({ attempt }) => fn({ attempt, signal: new AbortController().signal }), options),
    ),
    ['aborts the signal of the function when the signal of the caller aborts'],
  ],
  [
    'leaves a listener on the signal of every call',
    changed((execute) => (fn, options) => {
      options?.signal?.addEventListener('abort', () => {});
      return execute(fn, options);
    }),
    ['adds at most one listener per call to a signal, and leaves none'],
  ],
  [
    'forgets its timeout',
    changed((execute, { clock }) => (fn, options) => {
      clock.setTimer(() => {}, 30_000);
      return execute(fn, options);
    }),
    ['leaves no timer'],
  ],
  [
    'waits for the function although the caller has gone',
    changed((execute) => async (fn, options) => {
      let running: unknown;
      const call = execute((context) => (running = fn(context)) as never, options);
      await call.catch(() => running);
      return call;
    }),
    ['rejects with the reason as soon as the signal aborts, even if the function never settles', 'leaves no timer'],
  ],
  [
    'rejects with an error of its own instead of the reason',
    changed(
      (execute) => (fn, options) =>
        execute(fn, options).catch((error: unknown) => {
          throw options?.signal?.aborted === true ? new Error('aborted', { cause: error }) : error;
        }),
    ),
    [
      'never calls the function if the signal has already aborted',
      'rejects with the reason as soon as the signal aborts, even if the function never settles',
    ],
  ],
  [
    'counts NaN',
    ({ clock }) => makePolicy(clock, { stats: () => ({ share: 0 / 0 }) }),
    ['describes itself in words, and has stats() of plain numbers and strings'],
  ],
  [
    'says nothing about itself',
    ({ clock }) => makePolicy(clock, { describe: () => '' }),
    ['describes itself in words, and has stats() of plain numbers and strings'],
  ],
  [
    'runs every function in the context of the first caller',
    changed((execute) => {
      let first: AsyncResource | undefined;
      return (fn, options) =>
        execute((context) => (first ??= new AsyncResource('First')).runInAsyncScope(fn, undefined, context), options);
    }),
    ['runs each attempt in the asynchronous context of its caller'],
  ],
];

test.each(flaws)('the contract finds a policy that %s', async (_, maker, expected) => {
  expect(await broken(maker)).toEqual(expected);
});

test('the contract finds an unhandled rejection, and removes its listener afterwards', async () => {
  const before = process.listenerCount('unhandledRejection');
  const leaky = changed(
    (execute) => (fn, options) =>
      execute((context) => {
        const result = Promise.resolve(fn(context));
        void result.then(() => {});
        return result;
      }, options),
  );
  const late = policyContract(leaky).find(({ name }) => name.startsWith('causes no unhandled'))!;
  // The test runner listens too, and would fail the whole file because of the rejection that this test provokes.
  const others = process.listeners('unhandledRejection');
  process.removeAllListeners('unhandledRejection');
  try {
    await expect(late.run()).rejects.toThrow();
  } finally {
    for (const listener of others) process.on('unhandledRejection', listener);
  }
  expect(process.listenerCount('unhandledRejection')).toBe(before);
});

test('creates a policy for each case', async () => {
  let made = 0;
  const contract = policyContract(({ clock }) => {
    made++;
    return makePolicy(clock);
  });
  await contract[0]!.run();
  await contract[0]!.run();
  expect(made).toBe(2);
});

test('refuses wrong options', () => {
  expect(() => policyContract('retry' as never)).toThrow(
    expect.objectContaining({ path: 'policyContract.makePolicy' }),
  );
  expect(() => policyContract(sound, { concurrency: 1 })).toThrow(
    expect.objectContaining({ path: 'policyContract.concurrency' }),
  );
  expect(() => policyContract(sound, null as never)).toThrow(expect.objectContaining({ path: 'policyContract' }));
});
