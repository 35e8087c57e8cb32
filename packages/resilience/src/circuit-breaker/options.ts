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

/** A change of the state of a circuit breaker. */
export interface StateChange {
  /** The name of the breaker. */
  readonly name: string;
  /** The state before. */
  readonly from: CircuitState;
  /** The state after. */
  readonly to: CircuitState;
  /** The cause in words, for logs; not meant to be matched on. */
  readonly reason: string;
}

/** Options of {@link circuitBreaker}. */
export interface CircuitBreakerOptions {
  /** The name of the breaker in errors, statistics and telemetry. Default: `default`. */
  name?: string;
  /**
   * The rules, at least one, any of which opens the circuit. Default: `failureRate()` (50 % failures within 30 s, given 20 calls) and
   * `consecutiveFailures({ busyWindowMs: 1_000 })` (5 failures in a row, and at least as many as there were calls in the second before
   * the first of them).
   */
  trip?: readonly TripRule[];
  /** How long the circuit stays open the first time, in milliseconds, above 0. Default: 5 000 (Polly). */
  openMs?: number;
  /** Maximum open time in milliseconds, at least `openMs`; each failed probe doubles the open time. Default: 60 000, or `openMs` if that is more. */
  maxOpenMs?: number;
  /** Randomizes the open time by up to this share in both directions, 0 to 1, so that instances do not probe together. Default: 0.2. */
  openJitter?: number;
  /** Number of calls admitted while half open, 1 to 1 000; as many successes close the circuit. Default: 3. */
  halfOpenProbes?: number;
  /**
   * How long a probe may take, in milliseconds, above 0; after that another call takes its place and its outcome is ignored. Default:
   * 11 000, and in `standardPipeline()` and HTTP clients the attempt timeout plus 1 000.
   */
  probeLeaseMs?: number;
  /**
   * Judges an outcome as `success`, `failure` or `neutral` (ignored). If it throws or returns anything else, the call fails with that
   * error (`MAC_INVALID_OPTIONS` for a wrong value). Default: a value is a success and an error a failure, except that a call that was
   * cancelled, refused on this side (breaker, bulkhead, limit) or made with wrong options is neutral.
   */
  classify?: (outcome: Outcome) => Verdict;
  /** Called after each change of state. An error it throws is emitted as a process warning. Default: none. */
  onStateChange?: (change: StateChange) => void;
  /** Whether `CircuitOpenError` has a stack trace, which costs more than the rest of a refusal. Default: false. */
  captureStack?: boolean;
  /** The clock for all waits and durations. Default: `systemClock`. */
  clock?: Clock;
  /** The source of randomness, for jitter. Default: `systemRandom`. */
  random?: Random;
}

/** The options with every default filled in, checked. */
export interface CircuitBreakerSettings extends StateRules {
  readonly name: string;
  readonly trip: readonly TripRule[];
  /** For each of `trip`, the rule if it is a counting rule, whose numbers are in a list of the breaker. */
  readonly counting: readonly (CountingRule | undefined)[];
  /** Where in that list the numbers of each rule start. */
  readonly offsets: readonly number[];
  /** The length of that list. */
  readonly numberCount: number;
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

/** On a busy service five failures in a row happen by chance: they must also be as many as the calls of a second. */
const BUSY_WINDOW_MS = 1_000;

/** The default trip rules. `windowMs` is that of the failure rate. */
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
  const offsets = sizes.map((_, i) => sizes.slice(0, i).reduce((sum, size) => sum + size, 0));
  return {
    name,
    trip,
    counting,
    offsets,
    numberCount: sizes.reduce((sum, size) => sum + size, 0),
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
