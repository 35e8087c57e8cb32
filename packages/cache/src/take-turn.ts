import type { Clock, Random } from '@macadam/core';
import { newHead } from './wire/head.ts';
import type { Entry } from './entry.ts';
import type { FoundValue } from './found.ts';
import type { SharedTier } from './shared-tier.ts';

/** Whose turn it is to load a key, among all processes. */
export type Turn<T> =
  /** Ours, and what it brings is stored if we have the lease by then. `spare` may serve if that fails. */
  | { readonly kind: 'load'; readonly lease: Uint8Array | undefined; readonly spare: FoundValue<T> | undefined }
  /** Nobody's: another process has loaded it. */
  | { readonly kind: 'loaded'; readonly found: FoundValue<T> }
  /** Somebody else's, and there is a stale value: ours, or this one. */
  | { readonly kind: 'waived'; readonly found: FoundValue<T> | undefined };

export interface TurnOrder<T> {
  readonly id: string;
  readonly stale: Entry<T> | undefined;
  /** Nothing that was loaded before will do. */
  readonly fresh: boolean;
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
 * Waits for the turn to load a key. One process has the lease and loads; the others look again now and then, each once for all
 * its callers, and load for themselves when it takes too long: what they bring is then not stored, since only the lease
 * tells that nothing was invalidated meanwhile. Who has a stale value does not wait.
 */
export async function takeTurn<T>(
  shared: SharedTier<T>,
  order: TurnOrder<T>,
  clock: Clock,
  random: Random,
): Promise<Turn<T>> {
  const { id, stale, fresh, isOpen, onWait } = order;
  const lease = newHead('lease');
  const alone = { kind: 'load', lease: undefined, spare: undefined } as const;
  if (fresh) return { ...alone, lease: (await shared.take(id, lease, true)) ? lease : undefined };
  const { softTimeoutMs, timeoutMs } = shared.tier;
  const until = clock.monotonic() + WAIT_MS;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    const found = await shared.read(id, lease, stale === undefined ? timeoutMs : softTimeoutMs);
    if (found.state === 'unavailable') return alone;
    if (found.state === 'leased') return { kind: 'load', lease, spare: undefined };
    const spare = found.state === 'value' ? found : undefined;
    if (spare !== undefined && isNews(spare, stale, clock.monotonic())) return { kind: 'loaded', found: spare };
    if (found.state !== 'held' && (await shared.take(id, lease, false))) return { kind: 'load', lease, spare };
    if (stale !== undefined || spare !== undefined) return { kind: 'waived', found: spare };
    if (clock.monotonic() >= until) return alone;
    onWait();
    await clock.sleep(pauseMs * (0.5 + random() / 2));
    if (!isOpen()) return alone;
  }
}

function isNews(found: FoundValue<unknown>, stale: Entry<unknown> | undefined, now: number): boolean {
  if (found.freshForMs <= 0) return false;
  return stale === undefined || found.freshForMs > Math.max(0, stale.freshUntil - now) + NEWER_BY_MS;
}
