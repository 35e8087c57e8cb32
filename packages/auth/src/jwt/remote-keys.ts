import { abortable, type Clock, type Random, runDetached } from '@macadam/core';
import { TokenError } from '../errors.ts';
import type { JwtAlgorithm } from './algorithms.ts';
import { type FetchLike, requestJwks } from './jwks-request.ts';
import type { KeySet, VerificationKey } from './key-set.ts';
import type { KeySource, KeySourceStats } from './key-source.ts';
import { afterFailure, afterSuccess, freshnessAt, initialState, mayFetchForUnknownKey } from './refresh-plan.ts';

/** What the keys of one issuer are fetched with; all checked. */
export interface RemoteKeysSettings {
  readonly issuer: string;
  readonly uri: string;
  readonly algorithms: readonly JwtAlgorithm[];
  readonly fetch: FetchLike;
  readonly clock: Clock;
  readonly random: Random;
  readonly timeoutMs: number;
  readonly staleIfErrorMs: number;
  readonly unknownKeyCooldownMs: number;
}

/**
 * The keys behind a `jwks_uri`.
 *
 * A set in hand is only ever replaced by a whole better one: neither a failed fetch, nor a broken answer, nor a token
 * with a key nobody knows takes a good key away. All who wait for a fetch wait for the same one, and no timer runs: the
 * next token that needs a key looks at the clock.
 */
export class RemoteKeys implements KeySource {
  readonly #settings: RemoteKeysSettings;
  readonly #closed = new AbortController();
  #state = initialState;
  #keys: KeySet | undefined;
  #etag: string | undefined;
  #flight: Promise<void> | undefined;
  #fetches = 0;
  #fetchFailures = 0;
  #unknownKeys = 0;
  #lastFailure: unknown;

  constructor(settings: RemoteKeysSettings) {
    this.#settings = settings;
  }

  peek(kid: string | undefined, algorithm: string): VerificationKey | undefined {
    const now = this.#settings.clock.monotonic();
    if (now >= this.#state.refreshAt) {
      const freshness = freshnessAt(this.#state, now);
      if (freshness === 'refresh') this.#refreshInBackground();
      else if (freshness !== 'use') return undefined;
    }
    return this.#keys?.find(kid, algorithm);
  }

  async find(kid: string | undefined, algorithm: string, signal: AbortSignal | undefined): Promise<VerificationKey> {
    const { clock, issuer, unknownKeyCooldownMs } = this.#settings;
    const arrivedAt = clock.monotonic();
    let key = this.peek(kid, algorithm);
    if (key === undefined) {
      await this.ready(signal);
      key = this.#keys?.find(kid, algorithm);
    }
    if (key !== undefined) return key;
    // A key that is there, only not for this algorithm, does not change by asking; nor does a set asked for just now.
    const named = kid !== undefined && this.#keys?.has(kid) === true;
    if (!named && !((this.#state.fetchedAt ?? -Infinity) >= arrivedAt)) {
      if (this.#flight === undefined && mayFetchForUnknownKey(this.#state, arrivedAt)) {
        this.#state = { ...this.#state, unknownKeyAt: arrivedAt + unknownKeyCooldownMs };
        this.#refreshInBackground();
      }
      // A failure to ask leaves the answer as it was: there is no such key in the set we have.
      if (this.#flight !== undefined)
        await abortable(
          this.#flight.catch(() => {}),
          signal,
        );
      key = this.#keys?.find(kid, algorithm);
      if (key !== undefined) return key;
    }
    this.#unknownKeys++;
    throw new TokenError('key_unknown', { claim: 'kid', issuer });
  }

  async ready(signal: AbortSignal | undefined): Promise<void> {
    const freshness = freshnessAt(this.#state, this.#settings.clock.monotonic());
    if (freshness === 'refresh') this.#refreshInBackground();
    if (freshness === 'use' || freshness === 'refresh') return;
    let failure = this.#lastFailure;
    if (freshness === 'wait' || this.#flight !== undefined) {
      failure = await abortable(
        this.#refresh().then(
          () => undefined,
          (error: unknown) => error ?? new Error('the key set could not be fetched'),
        ),
        signal,
      );
      // Stale keys are kept for exactly this.
      if (failure === undefined || freshnessAt(this.#state, this.#settings.clock.monotonic()) === 'use') return;
    }
    throw new TokenError('keys_unavailable', { issuer: this.#settings.issuer, cause: failure });
  }

  stats(): KeySourceStats {
    const { fetchedAt, failures } = this.#state;
    return {
      keys: this.#keys?.keys.length ?? 0,
      ageMs: fetchedAt === undefined ? undefined : this.#settings.clock.monotonic() - fetchedAt,
      fetches: this.#fetches,
      fetchFailures: this.#fetchFailures,
      failuresInARow: failures,
      unknownKeys: this.#unknownKeys,
    };
  }

  close(): void {
    this.#closed.abort(new TokenError('keys_unavailable', { issuer: this.#settings.issuer }));
  }

  #refreshInBackground(): void {
    this.#refresh().catch(() => {});
  }

  /** The fetch in flight, or a new one. It belongs to nobody: the caller who caused it may leave. */
  #refresh(): Promise<void> {
    this.#flight ??= runDetached(() => this.#fetch()).finally(() => {
      this.#flight = undefined;
    });
    return this.#flight;
  }

  async #fetch(): Promise<void> {
    const { uri, algorithms, fetch, clock, random, timeoutMs, staleIfErrorMs } = this.#settings;
    const startedAt = clock.monotonic();
    this.#fetches++;
    try {
      const signal = this.#closed.signal;
      const known = { before: this.#keys, etag: this.#etag };
      const answer = await requestJwks({ uri, algorithms, fetch, clock, timeoutMs, signal, ...known });
      if (answer.kind === 'changed') {
        this.#keys = answer.keys;
        this.#etag = answer.etag;
      }
      this.#state = afterSuccess(this.#state, { startedAt, freshMs: answer.freshMs, staleIfErrorMs }, random);
      this.#lastFailure = undefined;
    } catch (error) {
      this.#fetchFailures++;
      this.#lastFailure = error;
      this.#state = afterFailure(this.#state, clock.monotonic(), random);
      throw error;
    }
  }
}
