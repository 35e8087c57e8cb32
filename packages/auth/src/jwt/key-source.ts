// Where a verifier looks up keys: given at construction (here), or fetched from a URL (remote-key-source.ts).
import { TokenError } from '../errors.ts';
import type { KeySet, VerificationKey } from './key-set.ts';

/** Looks up the keys of an issuer. */
export interface KeySource {
  /** The key, if it is in the current key set. `undefined` does not mean that `find` will fail. Never waits. */
  peek(kid: string | undefined, algorithm: string): VerificationKey | undefined;
  /** The key; waits for a fetch if needed. @throws TokenError `keyUnknown` or `keysUnavailable`. */
  find(kid: string | undefined, algorithm: string, signal: AbortSignal | undefined): Promise<VerificationKey>;
  /** Resolves once there is a key set. @throws TokenError `keysUnavailable`. */
  ready(signal: AbortSignal | undefined): Promise<void>;
  stats(): KeySourceStats;
  close(): void;
}

/** Numbers of the keys of one issuer. */
export interface KeySourceStats {
  /** Keys that can be used now. */
  readonly keys: number;
  /** Age of the current key set, in milliseconds; `undefined` for given keys, and before the first fetch. */
  readonly ageMs: number | undefined;
  /** Fetches of the key set. */
  readonly fetches: number;
  /** Fetches that failed. */
  readonly fetchFailures: number;
  /** Failures since the last success. */
  readonly failuresInARow: number;
  /** Tokens with a key that the issuer does not have. */
  readonly unknownKeys: number;
}

/** Keys that were given at construction: `jwks`, or shared secrets. */
export class StaticKeySource implements KeySource {
  readonly #keys: KeySet;
  readonly #issuer: string | undefined;
  #unknownKeys = 0;

  constructor(issuer: string | undefined, keys: KeySet) {
    this.#issuer = issuer;
    this.#keys = keys;
  }

  peek(kid: string | undefined, algorithm: string): VerificationKey | undefined {
    return this.#keys.find(kid, algorithm);
  }

  find(kid: string | undefined, algorithm: string): Promise<VerificationKey> {
    const key = this.#keys.find(kid, algorithm);
    if (key !== undefined) return Promise.resolve(key);
    this.#unknownKeys++;
    return Promise.reject(new TokenError('keyUnknown', { claim: 'kid', issuer: this.#issuer }));
  }

  ready(): Promise<void> {
    return Promise.resolve();
  }

  stats(): KeySourceStats {
    const keys = this.#keys.keys.length;
    return { keys, ageMs: undefined, fetches: 0, fetchFailures: 0, failuresInARow: 0, unknownKeys: this.#unknownKeys };
  }

  close(): void {}
}
