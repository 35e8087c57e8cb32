import { createPublicKey, type JsonWebKeyInput } from 'node:crypto';
import { ALGORITHMS, type JwtAlgorithm } from './algorithms.ts';
import { own } from './strict-json.ts';
import { isKid, type JsonWebKey, validateJwk } from './jwk.ts';
import { publicKeyCheck, type SignatureCheck } from './signature.ts';

/** Maximum number of keys in a set. Issuers publish a handful. */
export const MAX_KEYS = 100;

/**
 * A public key or secret, bound to each algorithm it can be used with. Compared by identity: a cached token is valid only
 * as long as the lookup returns the same object.
 */
export interface VerificationKey {
  readonly kid: string | undefined;
  /** Verifies a signature, by algorithm. */
  readonly checks: ReadonlyMap<string, SignatureCheck>;
  /** Equal for two keys with the same material, `kid` and `alg`. */
  readonly fingerprint: string;
}

/** A key set that is rejected as a whole. The message contains nothing of a key but its index. */
export class KeySetError extends Error {}
KeySetError.prototype.name = 'KeySetError';

/** The keys of an issuer. Immutable: a refresh creates a new set. */
export class KeySet {
  readonly #byKid = new Map<string, VerificationKey>();
  /** For tokens without `kid`: the only key for the algorithm, or `undefined` when there are several. */
  readonly #soleKeys = new Map<string, VerificationKey | undefined>();
  readonly keys: readonly VerificationKey[];

  constructor(keys: readonly VerificationKey[]) {
    this.keys = keys;
    for (const key of keys) {
      if (key.kid !== undefined) this.#byKid.set(key.kid, key);
      for (const algorithm of key.checks.keys()) {
        this.#soleKeys.set(algorithm, this.#soleKeys.has(algorithm) ? undefined : key);
      }
    }
  }

  /** The key with this `kid`, or without one the only key for the algorithm. `undefined` if it is for another algorithm. */
  find(kid: string | undefined, algorithm: string): VerificationKey | undefined {
    const key = kid === undefined ? this.#soleKeys.get(algorithm) : this.#byKid.get(kid);
    return key?.checks.has(algorithm) === true ? key : undefined;
  }

  /** Whether a key has this `kid`, for whatever algorithm. */
  has(kid: string): boolean {
    return this.#byKid.has(kid);
  }
}

/**
 * Parses a JSON Web Key Set (RFC 7517 section 5) and imports its keys. Keys that do not verify signatures with one of
 * `algorithms` are skipped. Keys that were in `previous` keep their identity, so tokens verified with them stay cached.
 *
 * @throws KeySetError for too many keys, a duplicate `kid`, or a key that is private, symmetric, weak or malformed
 */
export function parseKeySet(value: unknown, algorithms: readonly JwtAlgorithm[], previous?: KeySet): KeySet {
  const keys = typeof value === 'object' && value !== null ? own(value as JsonWebKey, 'keys') : undefined;
  if (!Array.isArray(keys)) throw new KeySetError('it has no array of keys');
  if (keys.length > MAX_KEYS) throw new KeySetError(`it has more than ${MAX_KEYS} keys`);
  const previousKeys = new Map((previous?.keys ?? []).map((key) => [key.fingerprint, key]));
  const kids = new Set<string>();
  const imported = keys.flatMap((jwk: unknown, index) => {
    if (typeof jwk !== 'object' || jwk === null) throw new KeySetError(`key ${index} is not an object`);
    const key = importJwk(jwk as JsonWebKey, index, algorithms);
    if (key === undefined) return [];
    if (key.kid !== undefined && kids.has(key.kid)) throw new KeySetError(`key ${index} has the kid of another key`);
    if (key.kid !== undefined) kids.add(key.kid);
    return [previousKeys.get(key.fingerprint) ?? key];
  });
  return new KeySet(imported);
}

function importJwk(jwk: JsonWebKey, index: number, algorithms: readonly JwtAlgorithm[]): VerificationKey | undefined {
  const verdict = validateJwk(jwk);
  if (verdict.kind === 'invalid') throw new KeySetError(`key ${index}: ${verdict.reason}`);
  if (verdict.kind === 'unsuitable') return undefined;
  const usable = algorithms.filter((algorithm) => isKeyFor(jwk, algorithm));
  if (usable.length === 0) return undefined;
  const { kid, kty, crv, x, y, n, e, alg } = jwk as Record<string, string>;
  // Only known public members are passed on, so that no other member can influence the import.
  const publicMembers = Object.fromEntries(
    Object.entries({ kty, crv, x, y, n, e }).filter(([, v]) => typeof v === 'string'),
  );
  let keyObject;
  try {
    keyObject = createPublicKey({ key: publicMembers, format: 'jwk' } as JsonWebKeyInput);
  } catch {
    throw new KeySetError(`key ${index} cannot be read`);
  }
  return {
    kid: isKid(kid) ? kid : undefined,
    checks: new Map(
      usable.map((algorithm) => {
        const { importParameters, verifyParameters } = ALGORITHMS[algorithm];
        const cryptoKey = keyObject.toCryptoKey(importParameters as never, true, ['verify']);
        return [algorithm, publicKeyCheck(cryptoKey, verifyParameters)];
      }),
    ),
    fingerprint: JSON.stringify([kid, alg, publicMembers]),
  };
}

/** A key with `alg` is used with that algorithm only (RFC 8725 section 3.1). `EdDSA` and `Ed25519` are the same one. */
function isKeyFor(jwk: JsonWebKey, algorithm: JwtAlgorithm): boolean {
  const { kty, crv } = ALGORITHMS[algorithm];
  const alg = own(jwk, 'alg');
  const isAlgMatching =
    alg === undefined || alg === algorithm || (crv === 'Ed25519' && (alg === 'EdDSA' || alg === 'Ed25519'));
  return isAlgMatching && own(jwk, 'kty') === kty && (crv === undefined || own(jwk, 'crv') === crv);
}
