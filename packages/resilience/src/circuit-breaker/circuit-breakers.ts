import { assertObject, OptionsError } from '@macadam/core';
import { observe } from '../instruments.ts';
import { Keyed, type KeyedOptions } from '../keyed.ts';
import { breakerOf, type CircuitBreaker } from './circuit-breaker.ts';
import { circuitBreakerSettings, type CircuitBreakerOptions } from './options.ts';

/** Options of {@link circuitBreakers}: those of each breaker except its name, and how many are kept. */
export interface CircuitBreakersOptions extends Omit<CircuitBreakerOptions, 'name'>, KeyedOptions {}

/** Circuit breakers with the same options, one per key. */
export interface CircuitBreakers {
  /** Returns the breaker of `key`, created on first use, with the key as its name. */
  for(key: string): CircuitBreaker;
  /** The number of keys kept now. */
  readonly size: number;
}

/**
 * Makes circuit breakers with the same options on demand, one per key (host, route, tenant, …), and keeps a bounded number of them.
 * Calls in flight on a breaker that is dropped end normally.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong option.
 * @example
 * ```ts
 * import { circuitBreakers } from '@macadam/resilience';
 *
 * const breakers = circuitBreakers({ maxKeys: 100 });
 * await breakers.for('billing.internal:443').execute(async () => 'ok');
 * ```
 */
export function circuitBreakers(options: CircuitBreakersOptions = {}): CircuitBreakers {
  assertObject('circuitBreakers', options);
  if ('name' in options) throw new OptionsError('circuitBreakers.name', options.name, 'left out: the key is the name');
  const { maxKeys, idleMs, ...each } = options;
  const settings = circuitBreakerSettings(each, 'circuitBreakers');
  const bounds: KeyedOptions = { ...(maxKeys !== undefined && { maxKeys }), ...(idleMs !== undefined && { idleMs }) };
  const breakers = new Keyed('circuitBreakers', bounds, settings.clock, (key) => breakerOf(settings, key));
  observe(breakers, () => Array.from(breakers.values(), (breaker) => [breaker.name, breaker]));
  return breakers;
}
