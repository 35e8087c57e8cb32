import { assertObject, OptionsError } from '@macadam/core';
import { observe } from '../instruments.ts';
import { Keyed, type KeyedOptions } from '../keyed.ts';
import { breakerOf, type CircuitBreaker } from './circuit-breaker.ts';
import { circuitBreakerSettings, type CircuitBreakerOptions } from './options.ts';

export interface CircuitBreakersOptions extends Omit<CircuitBreakerOptions, 'name'>, KeyedOptions {}

/** Breakers of the same make, one for each key. */
export interface CircuitBreakers {
  /** The breaker of `key`, made when first asked for. Its name is the key. */
  for(key: string): CircuitBreaker;
  /** How many keys are kept now. */
  readonly size: number;
}

/**
 * A bounded family of circuit breakers, one for each host, route or tenant, with the same options. Calls in flight on a
 * breaker that is forgotten end as they would have.
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
