import type { Limit } from './algorithms/limit.ts';
import type { RateLimiterSettings } from './options.ts';

/** The `describe()` of a rate limiter. `limits`: those of the settings, or of the latest `setLimits`. */
export function describeLimiter(settings: RateLimiterSettings, limits: readonly Limit[]): string {
  const { name, store, enforce, onStoreFailure, expectedInstances } = settings;
  const words = limits.map((limit) => limit.describe() + describeEnforcement(limit.enforce)).join('; and ');
  const outage = store.kind === 'memory' ? '' : `; without the store: ${onStoreFailure}, 1/${expectedInstances} each`;
  const kept = `kept in ${store.describe()}${outage}`;
  return `rate limiter "${name}": ${words}; ${kept}${enforce === 1 ? '' : `;${describeEnforcement(enforce)}`}`;
}

/** The part about `enforce`; empty when every denial counts. */
function describeEnforcement(enforce: number): string {
  return enforce === 1 ? '' : enforce === 0 ? ' in shadow' : ` enforced for ${enforce * 100} % of keys`;
}
