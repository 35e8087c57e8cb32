import { abortable, type Clock, ClosedError, type Random } from '@macadam/core';
import { TokenError } from '../errors.ts';
import type { FetchLike } from '../fetch/bounded-fetch.ts';
import { endpointName } from '../fetch/endpoint-url.ts';
import { type Obtained, RefreshedValue } from '../refresh/refreshed-value.ts';
import type { JwtAlgorithm } from './algorithms.ts';
import { fetchJwks } from './fetch-jwks.ts';
import type { KeySet, VerificationKey } from './key-set.ts';
import type { KeySource, KeySourceStats } from './key-source.ts';
import { UnknownKids } from './unknown-kids.ts';

/** How the key set of one issuer is fetched; validated. */
export interface RemoteKeySourceSettings {
  /** For errors. `undefined` for a JWS verifier, which has no issuer. */
  readonly issuer: string | undefined;
  readonly url: URL;
  readonly algorithms: readonly JwtAlgorithm[];
  readonly fetch: FetchLike;
  readonly clock: Clock;
  readonly random: Random;
  readonly timeoutMs: number;
  readonly staleIfErrorMs: number;
  readonly unknownKeyCooldownMs: number;
}

const MAX_BACKOFF_MS = 60_000;

/**
 * The key set behind a `jwks_uri`. It is refreshed in the background; a failed fetch or an invalid response leaves the
 * current set in place. A token with an unknown `kid` causes a fetch, since the issuer may have just published that
 * key, but only one per cooldown, however many such tokens are sent.
 */
export class RemoteKeySource implements KeySource {
  readonly #settings: RemoteKeySourceSettings;
  readonly #urlName: string;
  readonly #keySet: RefreshedValue<KeySet>;
  #etag: string | undefined;
  /** No fetch because of an unknown `kid` before this time. */
  #nextUnknownKeyFetchAt = -Infinity;
  readonly #unknownKids = new UnknownKids();
  #unknownKeys = 0;

  constructor(settings: RemoteKeySourceSettings) {
    this.#settings = settings;
    this.#urlName = endpointName(settings.url);
    this.#keySet = new RefreshedValue<KeySet>({
      clock: settings.clock,
      random: settings.random,
      obtain: (signal, previous, startedAt) => this.#fetchKeySet(signal, previous, startedAt),
      backoff: () => ({ maxMs: MAX_BACKOFF_MS }),
      closed: () => new ClosedError(`Verifier of ${settings.issuer ?? this.#urlName}`),
    });
  }

  peek(kid: string | undefined, algorithm: string): VerificationKey | undefined {
    return this.#keySet.peek()?.find(kid, algorithm);
  }

  async find(kid: string | undefined, algorithm: string, signal: AbortSignal | undefined): Promise<VerificationKey> {
    const arrivedAt = this.#settings.clock.monotonic();
    let key = (await this.#currentKeySet(signal)).find(kid, algorithm);
    // Twice: an attempt in flight may have been answered before the key was published.
    for (let wait = 1; wait <= 2 && key === undefined && this.#fetchMayHelp(kid, arrivedAt); wait++) {
      const attempt = this.#attemptFor(kid);
      if (attempt === undefined) break;
      // If it fails, the current set decides first.
      await abortable(
        attempt.catch(() => {}),
        signal,
      );
      key = this.#keySet.current?.find(kid, algorithm);
    }
    if (key !== undefined) return key;
    const { lastFailure } = this.#keySet;
    if (lastFailure !== undefined && this.#fetchMayHelp(kid, arrivedAt)) throw this.#unavailable(lastFailure.cause);
    this.#unknownKeys++;
    throw new TokenError('keyUnknown', { claim: 'kid', issuer: this.#settings.issuer });
  }

  async ready(signal: AbortSignal | undefined): Promise<void> {
    await this.#currentKeySet(signal);
  }

  stats(): KeySourceStats {
    const { ageMs, attempts, failures, failuresInARow } = this.#keySet.stats();
    return {
      keys: this.#keySet.current?.keys.length ?? 0,
      ageMs,
      fetches: attempts,
      fetchFailures: failures,
      failuresInARow,
      unknownKeys: this.#unknownKeys,
    };
  }

  close(): void {
    this.#keySet.close();
  }

  /** Not when the set has the `kid` (for another algorithm), or was requested after the token came. */
  #fetchMayHelp(kid: string | undefined, arrivedAt: number): boolean {
    const hasKid = kid !== undefined && this.#keySet.current?.has(kid) === true;
    return !hasKid && !(this.#keySet.obtainedAt >= arrivedAt);
  }

  /** The attempt in flight, or a new one because of this `kid`, unless the backoff or a cooldown forbids it. */
  #attemptFor(kid: string | undefined): Promise<KeySet> | undefined {
    const { attemptInFlight, mayAttempt } = this.#keySet;
    if (attemptInFlight !== undefined) return attemptInFlight;
    const { clock, unknownKeyCooldownMs } = this.#settings;
    const now = clock.monotonic();
    if (!mayAttempt || now < this.#nextUnknownKeyFetchAt || !this.#unknownKids.mayFetch(kid, now)) return undefined;
    this.#nextUnknownKeyFetchAt = now + unknownKeyCooldownMs;
    this.#unknownKids.recordFetch(kid, now);
    return this.#keySet.refresh();
  }

  #unavailable(cause: unknown): TokenError {
    return new TokenError('keysUnavailable', { issuer: this.#settings.issuer, jwksUri: this.#urlName, cause });
  }

  async #currentKeySet(signal: AbortSignal | undefined): Promise<KeySet> {
    try {
      return await this.#keySet.get(signal);
    } catch (cause) {
      if (signal?.aborted === true && cause === signal.reason) throw cause;
      throw this.#unavailable(cause);
    }
  }

  async #fetchKeySet(signal: AbortSignal, previous: KeySet | undefined, startedAt: number): Promise<Obtained<KeySet>> {
    const { url, algorithms, fetch, clock, random, timeoutMs, staleIfErrorMs } = this.#settings;
    const known = { previous, etag: this.#etag };
    const response = await fetchJwks({ url, algorithms, fetch, clock, timeoutMs, signal, ...known });
    if (response.kind === 'modified') this.#etag = response.etag;
    const staleAt = startedAt + response.freshnessMs;
    return {
      // Without a previous set no `If-None-Match` is sent, so a 304 is rejected.
      value: response.kind === 'modified' ? response.keys : (previous as KeySet),
      lifespan: {
        // At 80 % of its freshness, up to 8 percentage points earlier or later, so that instances do not fetch all at once.
        refreshAt: startedAt + response.freshnessMs * (0.72 + 0.16 * random()),
        staleAt,
        unusableAt: staleAt + staleIfErrorMs,
      },
    };
  }
}
