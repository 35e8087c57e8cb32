import { createPublicKey, type JsonWebKeyInput } from 'node:crypto';
import { ALGORITHMS, type JwtAlgorithm } from './algorithms.ts';
import { own } from './strict-json.ts';
import { isKid, type JsonWebKey, judgeKey } from './key-rules.ts';
import { publicKeyCheck, type SignatureCheck } from './signature.ts';

/** The most keys a set may have. Issuers publish a handful. */
export const MAX_KEYS = 100;

/** One key of an issuer, bound to each algorithm it may serve. Its identity is what cached tokens hold on to. */
export interface VerificationKey {
  readonly kid: string | undefined;
  /** By algorithm. */
  readonly checks: ReadonlyMap<string, SignatureCheck>;
  /** The key in words that differ when the key does, or what it may be used for. */
  readonly fingerprint: string;
}

/** A set of keys that cannot be used as a whole. The message names the fault, and nothing of a key but its place. */
export class KeySetError extends Error {}
KeySetError.prototype.name = 'KeySetError';

/** The keys of an issuer at one moment. Never changed: a new set takes its place. */
export class KeySet {
  readonly #byKid = new Map<string, VerificationKey>();
  /** Where a token names no key: the only key for the algorithm, or `undefined` when there are several. */
  readonly #only = new Map<string, VerificationKey | undefined>();
  readonly keys: readonly VerificationKey[];

  constructor(keys: readonly VerificationKey[]) {
    this.keys = keys;
    for (const key of keys) {
      if (key.kid !== undefined) this.#byKid.set(key.kid, key);
      for (const algorithm of key.checks.keys()) {
        this.#only.set(algorithm, this.#only.has(algorithm) ? undefined : key);
      }
    }
  }

  /** The key for a token: the named one if it may serve the algorithm, or the only one that does. */
  find(kid: string | undefined, algorithm: string): VerificationKey | undefined {
    const key = kid === undefined ? this.#only.get(algorithm) : this.#byKid.get(kid);
    return key?.checks.has(algorithm) === true ? key : undefined;
  }

  /** Whether a key has this name, for whatever algorithm. */
  has(kid: string): boolean {
    return this.#byKid.has(kid);
  }
}

/**
 * Reads a JSON Web Key Set. Keys that are not for verifying with `algorithms` are passed over; keys of `before` that are
 * still there keep their identity.
 * @throws KeySetError for a set that no sound issuer publishes: too many keys, a name given twice, a private, symmetric
 * or weak key, or one that cannot be read.
 */
export function readKeySet(value: unknown, algorithms: readonly JwtAlgorithm[], before?: KeySet): KeySet {
  const keys = typeof value === 'object' && value !== null ? own(value as JsonWebKey, 'keys') : undefined;
  if (!Array.isArray(keys)) throw new KeySetError('it has no array of keys');
  if (keys.length > MAX_KEYS) throw new KeySetError(`it has more than ${MAX_KEYS} keys`);
  const known = new Map((before?.keys ?? []).map((key) => [key.fingerprint, key]));
  const kids = new Set<string>();
  const found = keys.flatMap((jwk: unknown, at) => {
    if (typeof jwk !== 'object' || jwk === null) throw new KeySetError(`key ${at} is not an object`);
    const key = readKey(jwk as JsonWebKey, at, algorithms);
    if (key === undefined) return [];
    if (key.kid !== undefined && kids.has(key.kid)) throw new KeySetError(`key ${at} has the kid of another key`);
    if (key.kid !== undefined) kids.add(key.kid);
    return [known.get(key.fingerprint) ?? key];
  });
  return new KeySet(found);
}

function readKey(jwk: JsonWebKey, at: number, algorithms: readonly JwtAlgorithm[]): VerificationKey | undefined {
  const verdict = judgeKey(jwk);
  if (verdict.kind === 'bad') throw new KeySetError(`key ${at}: ${verdict.why}`);
  if (verdict.kind === 'unsuited') return undefined;
  const served = algorithms.filter((algorithm) => serves(jwk, algorithm));
  if (served.length === 0) return undefined;
  const { kid, kty, crv, x, y, n, e, alg } = jwk as Record<string, string>;
  // Only what is public and known is handed on, so that nothing else in the key can steer the import.
  const members = Object.fromEntries(Object.entries({ kty, crv, x, y, n, e }).filter(([, v]) => typeof v === 'string'));
  let object;
  try {
    object = createPublicKey({ key: members, format: 'jwk' } as JsonWebKeyInput);
  } catch {
    throw new KeySetError(`key ${at} cannot be read`);
  }
  return {
    kid: isKid(kid) ? kid : undefined,
    checks: new Map(
      served.map((algorithm) => {
        const { parameters, checkedWith } = ALGORITHMS[algorithm];
        const bound = object.toCryptoKey(parameters as never, true, ['verify']);
        return [algorithm, publicKeyCheck(bound, checkedWith)];
      }),
    ),
    fingerprint: JSON.stringify([kid, alg, members]),
  };
}

/** A key that says its algorithm serves that one only (RFC 8725 section 3.1); Ed25519 has two names. */
function serves(jwk: JsonWebKey, algorithm: JwtAlgorithm): boolean {
  const { kty, crv } = ALGORITHMS[algorithm];
  const alg = own(jwk, 'alg');
  const named = alg === undefined || alg === algorithm || (crv === 'Ed25519' && (alg === 'EdDSA' || alg === 'Ed25519'));
  return named && own(jwk, 'kty') === kty && (crv === undefined || own(jwk, 'crv') === crv);
}
