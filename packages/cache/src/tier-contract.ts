import { ListeningInstance } from './listening-instance.ts';
import * as cases from './tier-contract-cases.ts';
import type { Coherence, Tier } from './tier.ts';

/** One test of the contract. */
export interface TierCase {
  /** What a tier has to do, as a sentence. */
  readonly name: string;
  /** Runs the test. Rejects when the tier does not do it. */
  run(): Promise<void>;
}

/**
 * Returns what every {@link Tier} has to do, as named tests for any test runner. Two tiers made by `makeTier` must
 * share their entries, as two processes do. `coherence` is the kind that is tested. Default: `log`.
 *
 * @example
 * ```ts
 * import { memoryTier, tierContract } from '@macadam/cache/testing';
 *
 * const shared = memoryTier();
 * for (const { run } of tierContract(() => shared)) await run();
 * ```
 */
export function tierContract(makeTier: () => Tier, coherence: Coherence = 'log'): TierCase[] {
  let opened = 0;
  const runs: Record<string, (open: () => ListeningInstance, coherence: Coherence) => Promise<void>> = {
    'returns the bytes that were written, and their remaining time': cases.returnsBytes,
    'reads many keys in one call, in their order': cases.readsManyKeys,
    'gives one lease per key at a time': cases.givesOneLease,
    'stores an entry that is filled under a lease, once': cases.fillsOnce,
    'refuses a fill after the key was removed, expired or written': cases.refusesFills,
    'releases a lease only for its holder': cases.releasesLeases,
    'takes a lease away from another holder with `always`': cases.takesLeaseAway,
    'expire replaces the head of an entry and shortens its remaining time to `staleForMs`': cases.expiresEntries,
    'removes many keys, and drops entries at the end of their time': cases.removesEntries,
    'gives marks increasing positions, and returns all of them to a space opened later': cases.ordersMarks,
    'keeps keys of any form apart': cases.separatesKeys,
    'keeps caches of different names apart': cases.separatesNames,
  };
  if (coherence !== 'none') runs['reports changes to other instances, and not to their author'] = cases.reportsChanges;
  return Object.entries(runs).map(([name, runCase]) => ({
    name,
    run: async () => {
      const namespace = `contract-${++opened}`;
      const instances: ListeningInstance[] = [];
      const open = (suffix = ''): ListeningInstance => {
        const instance = new ListeningInstance(makeTier(), namespace + suffix, coherence);
        instances.push(instance);
        return instance;
      };
      try {
        await runCase(open, coherence);
      } finally {
        await Promise.all(instances.map(({ space }) => space.close()));
      }
    },
  }));
}
