// Imports and caches the public keys of DPoP proofs.
import { RecencyMap } from '@macadam/core';
import type { JwtAlgorithm } from '../jwt/algorithms.ts';
import type { JsonWebKey } from '../jwt/jwk.ts';
import { parseKeySet } from '../jwt/key-set.ts';
import type { SignatureCheck } from '../jwt/signature.ts';
import { jwkThumbprint } from './proof-claims.ts';

/** The imported public key of a proof. */
export interface ProofKey {
  readonly check: SignatureCheck;
  readonly thumbprint: string;
}

/**
 * Caches keys whose proof was valid. A caller uses the same key for a long time, and importing it is a good part of the
 * cost of verifying a proof.
 */
export class ProofKeyCache {
  readonly #maxKeys: number;
  readonly #keys = new RecencyMap<string, ProofKey>();

  constructor(maxKeys: number) {
    this.#maxKeys = maxKeys;
  }

  get size(): number {
    return this.#keys.size;
  }

  /**
   * The key of a proof, validated like the keys of an issuer; `undefined` if it is not acceptable. Its owner is not
   * known yet.
   */
  get(jwk: unknown, algorithm: JwtAlgorithm): ProofKey | undefined {
    if (typeof jwk !== 'object' || jwk === null) return undefined;
    const cached = this.#keys.get(cacheKey(jwk, algorithm));
    if (cached !== undefined) return cached;
    try {
      const check = parseKeySet({ keys: [jwk as JsonWebKey] }, [algorithm])
        .find(undefined, algorithm)
        ?.checks.get(algorithm);
      const thumbprint = jwkThumbprint(jwk as JsonWebKey);
      return check === undefined || thumbprint === undefined ? undefined : { check, thumbprint };
    } catch {
      return undefined;
    }
  }

  /** Adds a key whose proof was valid. */
  add(jwk: object, algorithm: JwtAlgorithm, key: ProofKey): void {
    this.#keys.set(cacheKey(jwk, algorithm), key);
    if (this.#keys.size > this.#maxKeys) this.#keys.deleteOldest();
  }
}

/** The whole JWK, since any of its members can make it invalid. */
function cacheKey(jwk: object, algorithm: JwtAlgorithm): string {
  return `${algorithm} ${JSON.stringify(jwk)}`;
}
