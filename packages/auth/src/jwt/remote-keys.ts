import { abortable, type Clock, ClosedError, type Random } from '@macadam/core';
import { TokenError } from '../errors.ts';
import type { FetchLike } from '../fetch/bounded-fetch.ts';
import { type Obtained, RefreshedValue } from '../refresh/refreshed-value.ts';
import type { JwtAlgorithm } from './algorithms.ts';
import { requestJwks } from './jwks-request.ts';
import type { KeySet, VerificationKey } from './key-set.ts';
import type { KeySource, KeySourceStats } from './key-source.ts';
import { UnknownKids } from './unknown-kids.ts';

/** What the keys of one issuer are fetched with; all checked. */
export interface RemoteKeysSettings {
  /** For its errors. */
  readonly issuer: string | undefined;
  readonly uri: string;
  readonly algorithms: readonly JwtAlgorithm[];
  readonly fetch: FetchLike;
  readonly clock: Clock;
  readonly random: Random;
  readonly timeoutMs: number;
  readonly staleIfErrorMs: number;
  readonly unknownKeyCooldownMs: number;
}

const LONGEST_BACKOFF_MS = 60_000;

/** The keys behind a `jwks_uri`. Neither a broken answer nor a token with a key nobody knows takes a good key away. */
export class RemoteKeys implements KeySource {
  readonly #settings: RemoteKeysSettings;
  readonly #set: RefreshedValue<KeySet>;
  #etag: string | undefined;
  /** No fetch for the sake of an unknown key before this: one a cooldown, whoever made it up. */
  #unknownKeyAt = -Infinity;
  readonly #unknownKids = new UnknownKids();
  #unknownKeys = 0;

  constructor(settings: RemoteKeysSettings) {
    this.#settings = settings;
    this.#set = new RefreshedValue<KeySet>({
      clock: settings.clock,
      random: settings.random,
      obtain: (signal, before, startedAt) => this.#fetch(signal, before, startedAt),
      backoff: () => ({ longestMs: LONGEST_BACKOFF_MS }),
      closed: () => new ClosedError(`Verifier of ${settings.issuer ?? settings.uri}`),
    });
  }

  peek(kid: string | undefined, algorithm: string): VerificationKey | undefined {
    return this.#set.peek()?.find(kid, algorithm);
  }

  async find(kid: string | undefined, algorithm: string, signal: AbortSignal | undefined): Promise<VerificationKey> {
    const { clock, issuer, unknownKeyCooldownMs } = this.#settings;
    const arrivedAt = clock.monotonic();
    let key = (await this.#keys(signal)).find(kid, algorithm);
    if (key !== undefined) return key;
    // A key that is there, only not for this algorithm, does not change by asking; nor does a set asked for just now.
    const named = kid !== undefined && this.#set.current?.has(kid) === true;
    if (!named && !(this.#set.obtainedAt >= arrivedAt)) {
      const asks = this.#set.flight === undefined && arrivedAt >= this.#unknownKeyAt && this.#set.mayAsk;
      if (asks && this.#unknownKids.mayAsk(kid, arrivedAt)) {
        this.#unknownKeyAt = arrivedAt + unknownKeyCooldownMs;
        this.#unknownKids.asked(kid, arrivedAt);
        this.#set.refreshInBackground();
      }
      // A failure to ask leaves the answer as it was: there is no such key in the set we have.
      const { flight } = this.#set;
      if (flight !== undefined) {
        await abortable(
          flight.catch(() => {}),
          signal,
        );
      }
      key = this.#set.current?.find(kid, algorithm);
      if (key !== undefined) return key;
    }
    this.#unknownKeys++;
    throw new TokenError('keyUnknown', { claim: 'kid', issuer });
  }

  async ready(signal: AbortSignal | undefined): Promise<void> {
    await this.#keys(signal);
  }

  stats(): KeySourceStats {
    const { ageMs, attempts, failures, failuresInARow } = this.#set.stats();
    return {
      keys: this.#set.current?.keys.length ?? 0,
      ageMs,
      fetches: attempts,
      fetchFailures: failures,
      failuresInARow,
      unknownKeys: this.#unknownKeys,
    };
  }

  close(): void {
    this.#set.close();
  }

  async #keys(signal: AbortSignal | undefined): Promise<KeySet> {
    try {
      return await this.#set.get(signal);
    } catch (cause) {
      if (signal?.aborted === true && cause === signal.reason) throw cause;
      throw new TokenError('keysUnavailable', { issuer: this.#settings.issuer, cause });
    }
  }

  async #fetch(signal: AbortSignal, before: KeySet | undefined, startedAt: number): Promise<Obtained<KeySet>> {
    const { uri, algorithms, fetch, clock, random, timeoutMs, staleIfErrorMs } = this.#settings;
    const known = { before, etag: this.#etag };
    const answer = await requestJwks({ uri, algorithms, fetch, clock, timeoutMs, signal, ...known });
    if (answer.kind === 'changed') this.#etag = answer.etag;
    const staleAt = startedAt + answer.freshMs;
    return {
      // Only what was there can be unchanged.
      value: answer.kind === 'changed' ? answer.keys : (before as KeySet),
      lifespan: {
        // At 80 % of its freshness, 10 % earlier or later, so that a fleet does not ask all at once.
        refreshAt: startedAt + answer.freshMs * (0.72 + 0.16 * random()),
        staleAt,
        deadAt: staleAt + staleIfErrorMs,
      },
    };
  }
}
