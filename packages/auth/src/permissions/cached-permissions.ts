import {
  assertClock,
  assertFunction,
  assertKnownOptions,
  assertObject,
  type Clock,
  systemClock,
  underPath,
} from '@macadam/core';
import { type Decision, type Permissions, createPermissions } from './decision.ts';
import { cacheKey, DecisionCache, type DecisionCacheOptions } from './decision-cache.ts';

/** Options of {@link cachedPermissions}. */
export interface CachedPermissionsOptions<P, R> extends DecisionCacheOptions {
  /**
   * Returns everything that a decision depends on besides the rules and the action: `[user.id, order.id,
   * order.version]`. Parts instead of one string, so that they cannot run into each other. `undefined` for a request
   * that must not be cached.
   */
  keyOf: (principal: P, resource: R | undefined) => readonly (string | number | boolean | null)[] | undefined;
  /** Source of time. Default: the system clock. */
  clock?: Clock;
}

/** Permissions with a cache. Created by {@link cachedPermissions}. */
export interface CachedPermissions<P, R, A extends string = string> extends Permissions<P, R, A> {
  /** Returns what the cache has counted. */
  stats(): {
    /** Decisions from the cache. */
    readonly hits: number;
    /** Decisions not found in the cache. */
    readonly misses: number;
    /** Decisions in the cache now. */
    readonly entries: number;
  };
}

/**
 * Caches the decisions of permissions that are slow to evaluate: those of Cedar, or with slow conditions. The cache
 * belongs to `version`: permissions of another version never see its decisions.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`)
 * @example
 * ```ts
 * import { cachedPermissions, definePermissions } from '@macadam/auth';
 *
 * interface User {
 *   id: string;
 *   roles: string[];
 * }
 * const rules = [{ id: 'readers', actions: ['order:read'], roles: ['reader'] }] as const;
 * const can = cachedPermissions(definePermissions<User>({ rules }), { keyOf: ({ id, roles }) => [id, ...roles] });
 * if (!can({ id: 'u1', roles: ['reader'] }, 'order:read').allowed) throw new Error('a reader reads');
 * ```
 */
export function cachedPermissions<P, R, A extends string = string>(
  permissions: Permissions<P, R, A>,
  options: CachedPermissionsOptions<P, R>,
): CachedPermissions<P, R, A> {
  assertObject('cachedPermissions', options);
  return underPath('cachedPermissions', () => makeCachedPermissions(permissions, options));
}

function makeCachedPermissions<P, R, A extends string = string>(
  permissions: Permissions<P, R, A>,
  options: CachedPermissionsOptions<P, R>,
): CachedPermissions<P, R, A> {
  assertFunction('permissions', permissions);
  assertKnownOptions('', options, ['keyOf', 'ttlMs', 'maxEntries', 'clock']);
  const { keyOf, clock = systemClock, ...limits } = options;
  assertFunction('keyOf', keyOf);
  assertClock('clock', clock);
  const cache = new DecisionCache('', limits, clock);
  const decide = (principal: P, action: A, resource?: R): Decision => {
    const parts = keyOf(principal, resource);
    if (parts === undefined) return permissions(principal, action, resource);
    const key = cacheKey(permissions.version, action, parts);
    const cachedDecision = cache.get(key);
    if (cachedDecision !== undefined) return cachedDecision;
    const askedAt = clock.monotonic();
    const decision = permissions(principal, action, resource);
    cache.set(key, decision, askedAt);
    return decision;
  };
  const cached = createPermissions(permissions.version, decide, permissions.explain);
  return Object.assign(cached, {
    stats: () => ({ hits: cache.hits, misses: cache.misses, entries: cache.size }),
  });
}
