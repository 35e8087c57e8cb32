/**
 * What this package tells a metrics collector. Limiters, shapers and shedders count with plain integers; the numbers are
 * read when a collector asks, so that counting costs a decision nothing.
 *
 * They are held weakly: being observed keeps none alive.
 */
import {
  metrics,
  type Attributes,
  type BatchObservableResult,
  type Meter,
  type MeterProvider,
  type Observable,
} from '@opentelemetry/api';

type Kind = 'limiter' | 'shaper' | 'shedder';

/** Something that counts. */
export interface Counting {
  stats(): Readonly<Record<string, number>>;
}

const METER_NAME = '@macadam/ratelimit';
/** More names than this are counted together as `_other`: a collector pays for each. */
const MOST_NAMES = 1_000;

/** Every metric of this package: who counts it, the statistic it reads, and the attribute that tells its rows apart. */
const INSTRUMENTS = [
  ['limiter', 'allowed', 'counter', 'macadam.ratelimit.decisions', '{decision}', 'Decisions by outcome', 'allowed'],
  ['limiter', 'denied', 'counter', 'macadam.ratelimit.decisions', '{decision}', 'Decisions by outcome', 'denied'],
  ['limiter', 'shadowed', 'counter', 'macadam.ratelimit.decisions', '{decision}', 'Decisions by outcome', 'shadowed'],
  ['limiter', 'degraded', 'counter', 'macadam.ratelimit.degraded', '{decision}', 'Decisions without the shared store'],
  ['limiter', 'denyCacheHits', 'counter', 'macadam.ratelimit.deny_cache.hits', '{decision}', 'Denials repeated'],
  ['limiter', 'storeAway', 'gauge', 'macadam.ratelimit.store.away', '{store}', '1 while the shared store is not asked'],
  ['limiter', 'commands', 'counter', 'macadam.ratelimit.store.commands', '{command}', 'Commands sent to the store'],
  ['limiter', 'keys', 'gauge', 'macadam.ratelimit.keys', '{key}', 'Keys kept in memory'],
  ['limiter', 'evictions', 'counter', 'macadam.ratelimit.evictions', '{key}', 'Keys forgotten before their time'],
  ['limiter', 'tokensBorrowed', 'counter', 'macadam.ratelimit.lease.borrowed', '{token}', 'Tokens borrowed ahead'],
  ['limiter', 'tokensSpent', 'counter', 'macadam.ratelimit.lease.spent', '{token}', 'Borrowed tokens that were used'],
  ['shaper', 'begun', 'counter', 'macadam.shaper.begun', '{run}', 'Runs that had their turn'],
  ['shaper', 'queued', 'gauge', 'macadam.shaper.queued', '{run}', 'Runs that wait'],
  ['shaper', 'refused', 'counter', 'macadam.shaper.refused', '{run}', 'Runs refused at once'],
  ['shaper', 'expired', 'counter', 'macadam.shaper.expired', '{run}', 'Runs that waited in vain'],
  ['shedder', 'limit', 'gauge', 'macadam.shedder.limit', '{run}', 'The limit found'],
  ['shedder', 'inFlight', 'gauge', 'macadam.shedder.in_flight', '{run}', 'Runs at work'],
  ['shedder', 'queued', 'gauge', 'macadam.shedder.queued', '{run}', 'Runs that wait'],
  ['shedder', 'served', 'counter', 'macadam.shedder.served', '{run}', 'Runs that had their turn'],
  ['shedder', 'shedByPriority', 'counter', 'macadam.shedder.shed', '{run}', 'Runs refused, by reason', 'priority'],
  ['shedder', 'shedByFullQueue', 'counter', 'macadam.shedder.shed', '{run}', 'Runs refused, by reason', 'full'],
  ['shedder', 'shedByWait', 'counter', 'macadam.shedder.shed', '{run}', 'Runs refused, by reason', 'wait'],
  ['shedder', 'admittedShare', 'gauge', 'macadam.shedder.admitted_share', '1', 'Share of levels that are let in'],
] as const satisfies readonly (readonly [Kind, string, 'counter' | 'gauge', string, string, string, string?])[];

interface Owner {
  readonly ref: WeakRef<Counting>;
  readonly kind: Kind;
  readonly name: string;
}

const owners = new Set<Owner>();
const collected = new FinalizationRegistry<Owner>((owner) => owners.delete(owner));
const names = new Set<string>();
let provider: MeterProvider | undefined;

/** Has `counting` read whenever a collector asks, for as long as it lives. */
export function observe(kind: Kind, name: string, counting: Counting): void {
  const owner: Owner = { ref: new WeakRef(counting), kind, name: bounded(name) };
  owners.add(owner);
  collected.register(counting, owner);
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

/** Those that share a name are added up. */
function read(observables: ReadonlyMap<string, Observable>, result: BatchObservableResult): void {
  const sums = new Map<string, { observable: Observable; attributes: Attributes; value: number }>();
  for (const { ref, kind, name } of owners) {
    const stats = ref.deref()?.stats();
    for (const [of, statistic, , metric, , , outcome] of INSTRUMENTS) {
      const value = of === kind ? stats?.[statistic] : undefined;
      if (value === undefined) continue;
      const key = `${metric}\u0000${name}\u0000${outcome ?? ''}`;
      const sum = sums.get(key);
      if (sum !== undefined) sum.value += value;
      else {
        const observable = observables.get(metric) as Observable;
        const attributes = {
          'macadam.policy.name': name,
          ...(outcome !== undefined && { 'macadam.outcome': outcome }),
        };
        sums.set(key, { observable, attributes, value });
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
