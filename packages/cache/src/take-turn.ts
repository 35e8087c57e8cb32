import type { Clock, Random } from '@macadam/core';
import type { Entry } from './entry.ts';
import { HELD, type Found, type FoundValue } from './found.ts';
import type { SharedTier } from './shared-tier.ts';
import type { Lease } from './tier.ts';

/** Whose turn it is to load a key, among all processes. */
export type Turn<T> =
  /** Ours, and what it brings is stored if we have the lease by then. `spare` may serve if that fails. */
  | { readonly kind: 'load'; readonly lease: Lease | undefined; readonly spare: FoundValue<T> | undefined }
  /** Nobody's: another process has loaded it. */
  | { readonly kind: 'loaded'; readonly found: FoundValue<T> }
  /** Somebody else's, and there is a stale value: ours, or this one. */
  | { readonly kind: 'waived'; readonly found: FoundValue<T> | undefined };

export interface TurnOrder<T> {
  readonly id: string;
  readonly stale: Entry<T> | undefined;
  /** Whether the result is still wanted. */
  readonly isOpen: () => boolean;
  /** Called when it has to wait for another process. */
  readonly onWait: () => void;
}

/** How long to wait for what another process loads, and how long between two looks. */
const WAIT_MS = 1_000;
const FIRST_PAUSE_MS = 25;
const LONGEST_PAUSE_MS = 250;
/** A value that is fresh for less than this longer than ours is ours. */
const NEWER_BY_MS = 50;

/**
 * Waits for the turn to load a key, after a first look at it. One process has the lease and loads; the others look again now and then, each once for all
 * its callers, and load for themselves when it takes too long: what they bring is then not stored, since only the lease
 * tells that nothing was invalidated meanwhile. Who has a stale value does not wait.
 */
export async function takeTurn<T>(
  shared: SharedTier<T>,
  order: TurnOrder<T>,
  first: Found<T>,
  clock: Clock,
  random: Random,
): Promise<Turn<T>> {
  const { id, stale, isOpen, onWait } = order;
  const alone = { kind: 'load', lease: undefined, spare: undefined } as const;
  const until = clock.monotonic() + WAIT_MS;
  let found = first;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    if (found.state === 'unavailable') return alone;
    if (found.state === 'leased') return { kind: 'load', lease: found.lease, spare: undefined };
    const spare = found.state === 'value' ? found : undefined;
    if (spare !== undefined && isNews(spare, stale, clock)) return { kind: 'loaded', found: spare };
    const taken = found.state === 'held' ? HELD : await shared.take(id, false);
    if (taken.state === 'leased') return { kind: 'load', lease: taken.lease, spare };
    // A server that answers but takes nothing, as one that is full, must not keep what it has from being loaded anew.
    if (taken.state === 'unavailable') return { kind: 'load', lease: undefined, spare };
    if (stale !== undefined || spare !== undefined) return { kind: 'waived', found: spare };
    if (clock.monotonic() >= until) return alone;
    onWait();
    await clock.sleep(pauseMs * (0.5 + random() / 2));
    if (!isOpen()) return alone;
    found = await new Promise((resolve) => lookForTurn(shared, id, stale, resolve));
  }
}

/** One look of somebody who would load the key. Who has a stale value does not wait long for it. */
export function lookForTurn<T>(
  shared: SharedTier<T>,
  id: string,
  stale: Entry<T> | undefined,
  onFound: (found: Found<T>) => void,
): void {
  const { softTimeoutMs, timeoutMs } = shared.tier;
  shared.look(id, true, stale === undefined ? timeoutMs : softTimeoutMs, onFound);
}

/** Whether somebody has loaded it since: there is nothing to wait for. */
export function isNews(found: FoundValue<unknown>, stale: Entry<unknown> | undefined, clock: Clock): boolean {
  if (found.freshForMs <= 0) return false;
  return stale === undefined || found.freshForMs > Math.max(0, stale.freshUntil - clock.monotonic()) + NEWER_BY_MS;
}
