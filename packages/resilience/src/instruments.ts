/**
 * What this package tells a metrics collector. Policies count with plain integers; the numbers are read when a collector
 * asks, so that counting costs a call nothing, and nothing at all happens while no collector is set up.
 *
 * Policies are held weakly: being observed keeps none alive.
 */
import {
  metrics,
  type Attributes,
  type BatchObservableResult,
  type Meter,
  type MeterProvider,
  type Observable,
} from '@opentelemetry/api';
import type { PolicyKind, PolicyStats } from './policy.ts';

/** A policy with a name, as far as counting goes. */
export interface Observed {
  readonly kind: PolicyKind;
  stats(): PolicyStats;
}

/** What there is to read, under which name. */
export type Observe = () => Iterable<readonly [name: string, policy: Observed]>;

/** More names than this are counted together as `_other`: names may come from hosts, and a collector pays for each. */
const MOST_NAMES = 1_000;
const METER_NAME = '@macadam/resilience';

/** Every metric of this package: one row an instrument, and the statistic it reads. */
const INSTRUMENTS = [
  [
    'circuitBreaker',
    'state',
    'gauge',
    'macadam.circuit_breaker.state',
    '{state}',
    '0 closed, 1 half open, 2 open, 3 isolated',
  ],
  ['circuitBreaker', 'successes', 'counter', 'macadam.circuit_breaker.calls', '{call}', 'Calls by outcome', 'success'],
  ['circuitBreaker', 'failures', 'counter', 'macadam.circuit_breaker.calls', '{call}', 'Calls by outcome', 'failure'],
  ['circuitBreaker', 'neutral', 'counter', 'macadam.circuit_breaker.calls', '{call}', 'Calls by outcome', 'neutral'],
  ['circuitBreaker', 'rejected', 'counter', 'macadam.circuit_breaker.calls', '{call}', 'Calls by outcome', 'rejected'],
  ['circuitBreaker', 'opens', 'counter', 'macadam.circuit_breaker.opens', '{open}', 'How often it opened'],
  ['retry', 'calls', 'counter', 'macadam.retry.calls', '{call}', 'Calls under a retry'],
  ['retry', 'retries', 'counter', 'macadam.retry.retries', '{attempt}', 'Attempts after the first'],
  ['timeout', 'timedOut', 'counter', 'macadam.timeout.timeouts', '{call}', 'Calls and attempts out of time'],
  ['hedge', 'hedges', 'counter', 'macadam.hedge.hedges', '{attempt}', 'Attempts sent beside a slow one'],
  ['hedge', 'wins', 'counter', 'macadam.hedge.wins', '{attempt}', 'Hedges that answered first'],
  ['hedge', 'refused', 'counter', 'macadam.hedge.refused', '{attempt}', 'Hedges the budget did not allow'],
  ['bulkhead', 'inFlight', 'gauge', 'macadam.bulkhead.in_flight', '{call}', 'Calls in flight'],
  ['bulkhead', 'queued', 'gauge', 'macadam.bulkhead.queued', '{call}', 'Calls waiting for a place'],
  ['bulkhead', 'rejected', 'counter', 'macadam.bulkhead.rejected', '{call}', 'Calls refused for want of a place'],
  ['bulkhead', 'timedOut', 'counter', 'macadam.bulkhead.timeouts', '{call}', 'Calls that waited in vain'],
  ['adaptiveConcurrency', 'limit', 'gauge', 'macadam.adaptive_concurrency.limit', '{call}', 'The limit found'],
  ['adaptiveConcurrency', 'inFlight', 'gauge', 'macadam.adaptive_concurrency.in_flight', '{call}', 'Calls in flight'],
  [
    'adaptiveConcurrency',
    'rejected',
    'counter',
    'macadam.adaptive_concurrency.rejected',
    '{call}',
    'Calls above the limit',
  ],
  ['fallback', 'used', 'counter', 'macadam.fallback.used', '{call}', 'Answers that were replaced'],
] as const satisfies readonly (readonly [PolicyKind, string, 'counter' | 'gauge', string, string, string, string?])[];

const STATES: readonly string[] = ['closed', 'halfOpen', 'open', 'isolated'];

const owners = new Set<WeakRef<object>>();
/** Held as long as the owner lives, and no longer, although the functions refer to it. */
const readers = new WeakMap<object, Observe>();
const collected = new FinalizationRegistry<WeakRef<object>>((ref) => owners.delete(ref));
const names = new Set<string>();
let provider: MeterProvider | undefined;

/** Has `reader` asked whenever a collector asks, for as long as `owner` lives. */
export function observe(owner: object, reader: Observe): void {
  const ref = new WeakRef(owner);
  owners.add(ref);
  readers.set(owner, reader);
  collected.register(owner, ref);
  // The SDK may be set up after this module was loaded, or again in a test: a new provider gets its instruments.
  const current = metrics.getMeterProvider();
  if (current === provider) return;
  provider = current;
  instrument(current.getMeter(METER_NAME));
}

function instrument(meter: Meter): void {
  const observables = new Map<string, Observable>();
  for (const [, , type, name, unit, description] of INSTRUMENTS) {
    if (observables.has(name)) continue;
    const options = { unit, description };
    const made =
      type === 'gauge' ? meter.createObservableGauge(name, options) : meter.createObservableCounter(name, options);
    observables.set(name, made);
  }
  meter.addBatchObservableCallback((result) => read(observables, result), [...observables.values()]);
}

/** Policies that share a name are added up; of their states the worst is told. */
function read(observables: ReadonlyMap<string, Observable>, result: BatchObservableResult): void {
  const sums = new Map<string, { observable: Observable; attributes: Attributes; value: number }>();
  for (const ref of owners) {
    const owner = ref.deref();
    for (const [name, policy] of (owner && readers.get(owner)?.()) ?? []) {
      const stats = policy.stats();
      for (const [kind, statistic, , metric, , , outcome] of INSTRUMENTS) {
        const told = kind === policy.kind ? stats[statistic] : undefined;
        if (told === undefined) continue;
        const known = bounded(name);
        const key = `${metric}\u0000${known}\u0000${outcome ?? ''}`;
        const value = statistic === 'state' ? STATES.indexOf(String(told)) : Number(told);
        const sum = sums.get(key);
        if (sum === undefined) {
          const attributes = {
            'macadam.policy.name': known,
            ...(outcome !== undefined && { 'macadam.outcome': outcome }),
          };
          sums.set(key, { observable: observables.get(metric) as Observable, attributes, value });
        } else sum.value = statistic === 'state' ? Math.max(sum.value, value) : sum.value + value;
      }
    }
  }
  for (const { observable, attributes, value } of sums.values()) result.observe(observable, value, attributes);
}

function bounded(name: string): string {
  if (names.has(name)) return name;
  if (names.size >= MOST_NAMES) return '_other';
  names.add(name);
  return name;
}
