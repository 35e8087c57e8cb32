import {
  circuitBreaker,
  circuitBreakers,
  pipeline,
  retry,
  standardPipeline,
  timeout,
  type CircuitBreaker,
  type ExecuteContext,
  type ExecuteFunction,
  type ExecuteOptions,
  type Outcome,
  type Pipeline,
  type Policy,
} from '@macadam/resilience';
import { expectTypeOf } from 'vitest';

interface Row {
  readonly id: number;
}
declare function query(sql: string, options: { signal: AbortSignal }): Promise<Row[]>;

// execute gives a promise of what the function gives, be it a promise or a value.
const policy = retry();
expectTypeOf(policy).toEqualTypeOf<Policy>();
expectTypeOf(policy.execute(({ signal }) => query('select', { signal }))).toEqualTypeOf<Promise<Row[]>>();
expectTypeOf(policy.execute(() => 5)).toEqualTypeOf<Promise<number>>();
expectTypeOf(policy.execute(() => {})).toEqualTypeOf<Promise<void>>();
void policy.execute((context) => {
  expectTypeOf(context).toEqualTypeOf<ExecuteContext>();
  expectTypeOf(context.attempt).toEqualTypeOf<number>();
  // @ts-expect-error -- The context is read only.
  context.attempt = 2;
});

// What execute takes can be named by who wraps a policy.
const wrapped = <T>(fn: ExecuteFunction<T>, options: ExecuteOptions): Promise<T> => policy.execute(fn, options);
expectTypeOf(wrapped(() => 5, { timeoutMs: 5 })).toEqualTypeOf<Promise<number>>();

expectTypeOf(pipeline(retry(), timeout({ timeoutMs: 5 }))).toEqualTypeOf<Pipeline>();
expectTypeOf(standardPipeline()).toEqualTypeOf<Pipeline>();
expectTypeOf(circuitBreakers().for('a')).toEqualTypeOf<CircuitBreaker>();
expectTypeOf(circuitBreaker().state).toEqualTypeOf<'closed' | 'halfOpen' | 'isolated' | 'open'>();

// An outcome is a value or an error, never both.
declare const outcome: Outcome;
if (outcome.ok) {
  expectTypeOf(outcome.value).toEqualTypeOf<unknown>();
  // @ts-expect-error -- A value has no error.
  void outcome.error;
} else {
  expectTypeOf(outcome.error).toEqualTypeOf<unknown>();
  // @ts-expect-error -- An error has no value.
  void outcome.value;
}
retry({ retryIf: (one) => !one.ok && one.attempt < 2 });

// @ts-expect-error -- The limit is not optional.
timeout({});
// @ts-expect-error -- An unknown option is refused.
retry({ retries: 3 });
// @ts-expect-error -- An unknown option is refused, inside of the standard pipeline too.
standardPipeline({ retry: { retries: 3 } });
// @ts-expect-error -- A layer is an object or false.
standardPipeline({ retry: true });
// @ts-expect-error -- The name of each breaker is its key.
circuitBreakers({ name: 'x' });
// @ts-expect-error -- A verdict is one of three words.
circuitBreaker({ classify: () => 'bad' });
// @ts-expect-error -- A pipeline is made of policies.
pipeline(() => 5);
