import { RecencyMap } from '@macadam/core';

/** Fetches for one `kid` before the backoff starts. With the default cooldown they take a minute. */
const FETCHES_BEFORE_BACKOFF = 6;
/**
 * By then the key was probably withdrawn or made up. The backoff starts small, since the key may also be published late: a
 * cache between us and the issuer can delay it.
 */
const FIRST_BACKOFF_MS = 30_000;
const MAX_BACKOFF_MS = 300_000;
/** Bounds the memory against made-up names. A name that was dropped starts from zero; the cooldown still applies. */
const MAX_KIDS = 1_000;

/** How often the key set was fetched because of one `kid`, and when it may be fetched again. */
interface KidHistory {
  readonly fetches: number;
  readonly notBefore: number;
}

/**
 * Backs off fetches for each `kid` that the issuer does not have. Otherwise a client that keeps sending tokens of a
 * withdrawn key would cause a fetch per cooldown in every process, for ever.
 */
export class UnknownKids {
  readonly #histories = new RecencyMap<string, KidHistory>();

  /** Whether the key set may be fetched because of this `kid`. All tokens without a `kid` share one history. */
  mayFetch(kid: string | undefined, now: number): boolean {
    return now >= (this.#histories.peek(kid ?? '')?.notBefore ?? -Infinity);
  }

  /** Records a fetch because of this `kid`. If the fetch finds the key, the entry is never read again and ages out. */
  recordFetch(kid: string | undefined, now: number): void {
    const key = kid ?? '';
    const fetches = (this.#histories.peek(key)?.fetches ?? 0) + 1;
    const backoffMs = Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** (fetches - FETCHES_BEFORE_BACKOFF));
    this.#histories.set(key, { fetches, notBefore: fetches < FETCHES_BEFORE_BACKOFF ? now : now + backoffMs });
    if (this.#histories.size > MAX_KIDS) this.#histories.deleteOldest();
  }
}
