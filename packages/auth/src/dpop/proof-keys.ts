import { RecencyMap } from '@macadam/core';
import type { JwtAlgorithm } from '../jwt/algorithms.ts';
import type { JsonWebKey } from '../jwt/key-rules.ts';
import { readKeySet } from '../jwt/key-set.ts';
import type { SignatureCheck } from '../jwt/signature.ts';
import { thumbprintOf } from './proof-target.ts';

/** A key that came with a proof, ready to verify it. */
export interface ProofKey {
  readonly check: SignatureCheck;
  readonly thumbprint: string;
}

/**
 * Reads the keys that come with proofs, and remembers those that have made a good one: a caller has the same key for a long
 * time, and reading it costs a good part of what verifying does.
 */
export class ProofKeys {
  readonly #maxKeys: number;
  /** By their text and algorithm, the last used last. */
  readonly #known = new RecencyMap<string, ProofKey>();

  constructor(maxKeys: number) {
    this.#maxKeys = maxKeys;
  }

  get size(): number {
    return this.#known.size;
  }

  /** A key is believed to be its maker's, whoever that is, and must be as sound as any other; `undefined` if it is not. */
  read(jwk: unknown, algorithm: JwtAlgorithm): ProofKey | undefined {
    if (typeof jwk !== 'object' || jwk === null) return undefined;
    const known = this.#known.get(nameOf(jwk, algorithm));
    if (known !== undefined) return known;
    try {
      const check = readKeySet({ keys: [jwk as JsonWebKey] }, [algorithm])
        .find(undefined, algorithm)
        ?.checks.get(algorithm);
      const thumbprint = thumbprintOf(jwk as JsonWebKey);
      return check === undefined || thumbprint === undefined ? undefined : { check, thumbprint };
    } catch {
      return undefined;
    }
  }

  /** The key has made a good proof. */
  remember(jwk: object, algorithm: JwtAlgorithm, key: ProofKey): void {
    this.#known.set(nameOf(jwk, algorithm), key);
    if (this.#known.size > this.#maxKeys) this.#known.deleteOldest();
  }
}

/** All of it: whatever else is in the key takes part in whether it is sound. */
function nameOf(jwk: object, algorithm: JwtAlgorithm): string {
  return `${algorithm} ${JSON.stringify(jwk)}`;
}
