import { RecencyMap } from '@macadam/core';

/** As many fetches as a key is given to turn up: with the usual cooldown, a minute. */
const TRIES = 6;
/**
 * Then it is one that was withdrawn or made up, and is asked for ever less; but at first not much less, for it may be one
 * that is published late, by a cache on the way, or that somebody knew of before it was.
 */
const FIRST_PAUSE_MS = 30_000;
const LONGEST_PAUSE_MS = 300_000;
/** Made-up names must not fill the memory; what is forgotten is tried anew, within the cooldown. */
const MAX_KIDS = 1_000;

/** Of one name: how often the issuer was asked for its sake, and from when on it may be asked again. */
interface Asked {
  readonly times: number;
  readonly againAt: number;
}

/**
 * Names of keys that the issuer was asked about and does not have. A client that goes on with a key that was withdrawn
 * would otherwise cause a fetch in each cooldown, in every process, for as long as it lives.
 */
export class UnknownKids {
  readonly #asked = new RecencyMap<string, Asked>();

  /** Whether the issuer may be asked for the sake of this one. A token that names no key counts as one name. */
  mayAsk(kid: string | undefined, now: number): boolean {
    return now >= (this.#asked.peek(kid ?? '')?.againAt ?? -Infinity);
  }

  /** The issuer is asked for the sake of this one. Should it be there then, nobody will look here for it again. */
  asked(kid: string | undefined, now: number): void {
    const name = kid ?? '';
    const times = (this.#asked.peek(name)?.times ?? 0) + 1;
    const pauseMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (times - TRIES));
    this.#asked.set(name, { times, againAt: times < TRIES ? now : now + pauseMs });
    if (this.#asked.size > MAX_KIDS) this.#asked.deleteOldest();
  }
}
