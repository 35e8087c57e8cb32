import type { Clock, Random } from '@macadam/core';
import type { Entry } from './entry.ts';
import { HELD, type LookupResult, type TierValue } from './lookup-result.ts';
import type { SharedTier } from './shared-tier.ts';
import type { Lease } from './tier.ts';

/** Which process loads a key, as decided by its lease. */
export type LoadDecision<T> =
  /**
   * This process loads, and may store the result if it has the lease by then. `fallback` may be served if the load
   * fails.
   */
  | { readonly kind: 'load'; readonly lease: Lease | undefined; readonly fallback: TierValue<T> | undefined }
  /** Nobody: another process has loaded it in the meantime. */
  | { readonly kind: 'loaded'; readonly found: TierValue<T> }
  /** Another process loads it, and a stale value is served meanwhile: `found`, or the one this process has. */
  | { readonly kind: 'waived'; readonly found: TierValue<T> | undefined };

export interface LoadDecisionInput<T> {
  readonly id: string;
  readonly stale: Entry<T> | undefined;
  /** Whether the load is still in flight. */
  readonly isInFlight: () => boolean;
  /** Called when it has to wait for another process. */
  readonly onWait: () => void;
}

/** How long to wait for another process, and the pauses between two lookups. */
const MAX_WAIT_MS = 1_000;
const MIN_PAUSE_MS = 25;
const MAX_PAUSE_MS = 250;
/** A value counts as newer than ours if it is fresh for at least this much longer. */
const MIN_NEWER_BY_MS = 50;

/**
 * Decides which process loads a key, given the result of a first lookup. One process has the lease and loads. The
 * others look again after growing pauses, each once for all its callers. After a second they load for themselves,
 * without storing the result in the tier: only the lease proves that nothing was invalidated during the load. A process
 * that has a stale value does not wait.
 */
export async function decideLoad<T>(
  shared: SharedTier<T>,
  input: LoadDecisionInput<T>,
  first: LookupResult<T>,
  clock: Clock,
  random: Random,
): Promise<LoadDecision<T>> {
  const { id, stale, isInFlight, onWait } = input;
  const loadWithoutLease = { kind: 'load', lease: undefined, fallback: undefined } as const;
  const waitUntil = clock.monotonic() + MAX_WAIT_MS;
  let found = first;
  for (let pauseMs = MIN_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, MAX_PAUSE_MS)) {
    if (found.state === 'unavailable') return loadWithoutLease;
    if (found.state === 'leased') return { kind: 'load', lease: found.lease, fallback: undefined };
    const fallback = found.state === 'value' ? found : undefined;
    if (fallback !== undefined && isNewer(fallback, stale, clock)) return { kind: 'loaded', found: fallback };
    const leaseResult = found.state === 'held' ? HELD : await shared.takeLease(id, false);
    if (leaseResult.state === 'leased') return { kind: 'load', lease: leaseResult.lease, fallback };
    // A server that accepts no writes, such as a full one, must not prevent stale values from being reloaded.
    if (leaseResult.state === 'unavailable') return { kind: 'load', lease: undefined, fallback };
    if (stale !== undefined || fallback !== undefined) return { kind: 'waived', found: fallback };
    if (clock.monotonic() >= waitUntil) return loadWithoutLease;
    onWait();
    await clock.sleep(pauseMs * (0.5 + random() / 2));
    if (!isInFlight()) return loadWithoutLease;
    found = await new Promise((resolve) => lookupForLoad(shared, id, stale, resolve));
  }
}

/**
 * One lookup by a process that wants to load the key. With a stale value, it waits only for the soft timeout of the
 * tier.
 */
export function lookupForLoad<T>(
  shared: SharedTier<T>,
  id: string,
  stale: Entry<T> | undefined,
  onFound: (found: LookupResult<T>) => void,
): void {
  const { softTimeoutMs, timeoutMs } = shared.tier;
  shared.lookup(id, true, stale === undefined ? timeoutMs : softTimeoutMs, onFound);
}

/** Whether the value was loaded after ours, so that no load is needed. */
export function isNewer(found: TierValue<unknown>, stale: Entry<unknown> | undefined, clock: Clock): boolean {
  if (found.freshForMs <= 0) return false;
  return stale === undefined || found.freshForMs > Math.max(0, stale.freshUntil - clock.monotonic()) + MIN_NEWER_BY_MS;
}
