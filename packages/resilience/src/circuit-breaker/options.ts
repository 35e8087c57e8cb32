import {
  assertBoolean,
  assertClock,
  assertDurationMs,
  assertFunction,
  assertInteger,
  assertKnownOptions,
  assertNumber,
  assertObject,
  assertText,
  OptionsError,
  systemClock,
  systemRandom,
  type Clock,
  type Random,
} from '@macadam/core';
import type { Outcome } from '../policy.ts';
import { CountingRule } from './counting-rule.ts';
import { DEFAULT_PROBE_LEASE_MS } from './defaults.ts';
import type { CircuitState, StateRules, Verdict } from './state.ts';
import { consecutiveFailures, failureRate, type TripRule } from './trip-rule.ts';

/** A breaker went from one state to another. */
export interface StateChange {
  readonly name: string;
  readonly from: CircuitState;
  readonly to: CircuitState;
  /** What caused it, in words. */
  readonly reason: string;
}

export interface CircuitBreakerOptions {
  /** Stands in errors and statistics. Default: `default`. */
  name?: string;
  /**
   * Rules, any of which opens the circuit. Default: 50 % failures in 30 s given 20 calls, or 5 failures in a row that are
   * as many as the calls of the second before them.
   */
  trip?: readonly TripRule[];
  /** How long it stays open the first time, in milliseconds, above 0. Default: 5 000 (Polly). */
  openMs?: number;
  /** Each time it opens again the time doubles, up to this. At least `openMs`. Default: 60 000, or `openMs`. */
  maxOpenMs?: number;
  /** Spreads the open time by this share both ways, 0 to 1, so that instances do not probe together. Default: 0.2. */
  openJitter?: number;
  /** Calls let through while half open; as many successes close the circuit. 1 to 1 000. Default: 3. */
  halfOpenProbes?: number;
  /**
   * A probe that takes longer gives up its place, in milliseconds; its outcome no longer counts. Default: 11 000 (an
   * attempt of 10 s, and a second), and in `standardPipeline` the attempt timeout and a second.
   */
  probeLeaseMs?: number;
  /**
   * What an outcome says of the dependency. Default: a value is a success; an error is a failure, but a call that was
   * cancelled, refused on this side (breaker, bulkhead, limit) or made wrongly is neutral.
   */
  classify?: (outcome: Outcome) => Verdict;
  /** Called after each change; what it throws becomes a process warning and changes nothing. */
  onStateChange?: (change: StateChange) => void;
  /** Whether a refusal carries a stack, which costs more than all the rest of it. Default: false. */
  captureStack?: boolean;
  /** Default: the system clock. */
  clock?: Clock;
  /** Default: `Math.random`. */
  random?: Random;
}

/** The options with every default filled in, checked. */
export interface CircuitBreakerSettings extends StateRules {
  readonly name: string;
  readonly trip: readonly TripRule[];
  /** The rules that count in a list of the breaker's, at the places of these; undefined for the others. */
  readonly counting: readonly (CountingRule | undefined)[];
  /** Where in that list the numbers of each rule begin, and how many there are. */
  readonly places: readonly number[];
  readonly numbers: number;
  readonly classify: ((outcome: Outcome) => Verdict) | undefined;
  readonly onStateChange: ((change: StateChange) => void) | undefined;
  readonly captureStack: boolean;
  readonly clock: Clock;
  readonly random: Random;
  /** Whether a rule needs to know when, or how long after its start, a call succeeded. */
  readonly timesSuccesses: boolean;
  /** The strictest slow-call limit among the rules: a probe slower than that has failed. */
  readonly slowerThanMs: number;
}

/** On a busy service five failures in a row happen by chance: a run must also fill a second. */
const BUSY_WINDOW_MS = 1_000;

/** The rules of a breaker that was given none; `windowMs` is that of the failure rate. */
export function defaultTrip(windowMs = 30_000): readonly TripRule[] {
  return [failureRate({ windowMs }), consecutiveFailures({ busyWindowMs: BUSY_WINDOW_MS })];
}

export const CIRCUIT_BREAKER_OPTIONS = [
  'name',
  'trip',
  'openMs',
  'maxOpenMs',
  'openJitter',
  'halfOpenProbes',
  'probeLeaseMs',
  'classify',
  'onStateChange',
  'captureStack',
  'clock',
  'random',
] as const;

export function circuitBreakerSettings(
  options: CircuitBreakerOptions,
  path = 'circuitBreaker',
): CircuitBreakerSettings {
  assertObject(path, options);
  assertKnownOptions(path, options, CIRCUIT_BREAKER_OPTIONS);
  const {
    name = 'default',
    trip = defaultTrip(),
    openMs = 5_000,
    maxOpenMs = Math.max(60_000, openMs),
    openJitter = 0.2,
    halfOpenProbes = 3,
    probeLeaseMs = DEFAULT_PROBE_LEASE_MS,
    captureStack = false,
    classify,
    onStateChange,
    clock = systemClock,
    random = systemRandom,
  } = options;
  assertText(`${path}.name`, name);
  assertClock(`${path}.clock`, clock);
  assertFunction(`${path}.random`, random);
  if (!Array.isArray(trip) || trip.length === 0)
    throw new OptionsError(`${path}.trip`, trip, 'a list of at least one rule');
  for (const [i, rule] of (trip as readonly TripRule[]).entries()) {
    if (typeof rule?.start !== 'function') {
      throw new OptionsError(`${path}.trip[${i}]`, rule, 'a rule such as consecutiveFailures()');
    }
  }
  assertDurationMs(`${path}.openMs`, openMs);
  assertDurationMs(`${path}.maxOpenMs`, maxOpenMs);
  if (maxOpenMs < openMs) throw new OptionsError(`${path}.maxOpenMs`, maxOpenMs, `at least openMs (${openMs})`);
  assertNumber(`${path}.openJitter`, openJitter, { min: 0, max: 1 });
  assertInteger(`${path}.halfOpenProbes`, halfOpenProbes, { min: 1, max: 1_000 });
  assertDurationMs(`${path}.probeLeaseMs`, probeLeaseMs);
  assertBoolean(`${path}.captureStack`, captureStack);
  if (classify !== undefined) assertFunction(`${path}.classify`, classify);
  if (onStateChange !== undefined) assertFunction(`${path}.onStateChange`, onStateChange);
  const slowerThanMs = Math.min(...trip.map((rule: TripRule) => rule.slowerThanMs ?? Infinity));
  const counting = (trip as readonly TripRule[]).map((rule) => (rule instanceof CountingRule ? rule : undefined));
  const sizes = counting.map((rule) => rule?.size ?? 0);
  const places = sizes.map((_, i) => sizes.slice(0, i).reduce((sum, size) => sum + size, 0));
  return {
    name,
    trip,
    counting,
    places,
    numbers: sizes.reduce((sum, size) => sum + size, 0),
    openMs,
    maxOpenMs,
    openJitter,
    halfOpenProbes,
    probeLeaseMs,
    captureStack,
    classify,
    onStateChange,
    clock,
    random,
    timesSuccesses: trip.some((rule: TripRule) => rule.timesSuccesses ?? false),
    slowerThanMs,
  };
}
