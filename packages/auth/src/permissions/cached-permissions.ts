import { assertClock, assertFunction, assertKnownOptions, assertObject, type Clock, systemClock } from '@macadam/core';
import { type Decision, type Permissions, permissionsOf } from './decision.ts';
import { cacheKey, DecisionCache, type DecisionCacheOptions } from './decision-cache.ts';

/** Options of {@link cachedPermissions}. */
export interface CachedPermissionsOptions<P, R> extends DecisionCacheOptions {
  /**
   * All that a decision rests on besides the rules and the action: `[user.id, order.id, order.version]`. Parts, not one
   * text, so that they cannot run into each other. `undefined` for a question that is decided anew each time.
   */
  keyOf: (principal: P, resource: R | undefined) => readonly (string | number | boolean | null)[] | undefined;
  /** Default: the clock of the machine. */
  clock?: Clock;
}

/** Permissions that remember, with numbers about it. */
export interface CachedPermissions<P, R, A extends string = string> extends Permissions<P, R, A> {
  stats(): { readonly hits: number; readonly misses: number; readonly entries: number };
}

/**
 * Remembers decisions of permissions that cost more than a look-up: those of Cedar, or with slow conditions. What is
 * remembered belongs to `version`: permissions of another version never see it.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`)
 */
export function cachedPermissions<P, R, A extends string = string>(
  permissions: Permissions<P, R, A>,
  options: CachedPermissionsOptions<P, R>,
): CachedPermissions<P, R, A> {
  assertFunction('permissions', permissions);
  assertObject('options', options);
  assertKnownOptions('', options, ['keyOf', 'ttlMs', 'maxEntries', 'clock']);
  const { keyOf, clock = systemClock, ...bounds } = options;
  assertFunction('keyOf', keyOf);
  assertClock('clock', clock);
  const cache = new DecisionCache('', bounds, clock);
  const can = (principal: P, action: A, resource?: R): Decision => {
    const parts = keyOf(principal, resource);
    if (parts === undefined) return permissions(principal, action, resource);
    const key = cacheKey(permissions.version, action, parts);
    const known = cache.get(key);
    if (known !== undefined) return known;
    const decision = permissions(principal, action, resource);
    cache.set(key, decision);
    return decision;
  };
  const cached = permissionsOf(permissions.version, can, permissions.explain);
  return Object.assign(cached, {
    stats: () => ({ hits: cache.hits, misses: cache.misses, entries: cache.size }),
  });
}
