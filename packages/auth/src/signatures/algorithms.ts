import { constants, createHmac, createSecretKey, KeyObject, sign, timingSafeEqual, verify } from 'node:crypto';
import type { JsonWebKey } from '../jwt/jwk.ts';
import { validateJwk } from '../jwt/jwk.ts';
import { isPublicKeyMaterial } from '../public-key-material.ts';

/** An algorithm to sign with (RFC 9421 section 3.3). */
export type SigningAlgorithm = 'ed25519' | 'ecdsa-p256-sha256' | 'ecdsa-p384-sha384' | 'rsa-pss-sha512' | 'hmac-sha256';

/** An algorithm that is accepted. `rsa-v1_5-sha256` is for senders that support no other. */
export type SignatureAlgorithm = SigningAlgorithm | 'rsa-v1_5-sha256';

/**
 * A key: a `KeyObject` of `node:crypto`, or the bytes of a secret for `hmac-sha256`. Strings are rejected on purpose.
 */
export type SignatureKey = KeyObject | Uint8Array;

/** A key that was validated for one algorithm, and can be used only with that one. */
export interface BoundKey {
  /** False for a public key, which only verifies. */
  readonly signs: boolean;
  sign(base: Buffer): Buffer;
  verify(base: Buffer, signature: Buffer): boolean;
}

/** The key types an algorithm works with, and its parameters. */
interface Scheme {
  readonly types: readonly string[];
  readonly curve?: string;
  readonly hash: string | null;
  readonly options?:
    { readonly dsaEncoding: 'ieee-p1363' } | { readonly padding: number; readonly saltLength?: number };
}

const ecdsa = (curve: string, hash: string): Scheme => ({
  types: ['ec'],
  curve,
  hash,
  options: { dsaEncoding: 'ieee-p1363' },
});
const SCHEMES: Readonly<Record<Exclude<SignatureAlgorithm, 'hmac-sha256'>, Scheme>> = {
  ed25519: { types: ['ed25519'], hash: null },
  'ecdsa-p256-sha256': ecdsa('prime256v1', 'sha256'),
  'ecdsa-p384-sha384': ecdsa('secp384r1', 'sha384'),
  'rsa-pss-sha512': {
    types: ['rsa', 'rsa-pss'],
    hash: 'sha512',
    options: { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 64 },
  },
  'rsa-v1_5-sha256': { types: ['rsa'], hash: 'sha256', options: { padding: constants.RSA_PKCS1_PADDING } },
};

export const SIGNATURE_ALGORITHMS: readonly SignatureAlgorithm[] = [
  'hmac-sha256',
  ...(Object.keys(SCHEMES) as SignatureAlgorithm[]),
];
export const SIGNING_ALGORITHMS: readonly SigningAlgorithm[] = SIGNATURE_ALGORITHMS.filter(
  (one): one is SigningAlgorithm => one !== 'rsa-v1_5-sha256',
);

/** The length of the hash (RFC 2104 section 3). */
const MIN_SECRET_BYTES = 32;

/** Results of validation. A `KeyObject` is immutable, and validating an RSA key takes longer than verifying with it. */
const boundKeys = new WeakMap<KeyObject, Map<SignatureAlgorithm, BoundKey | string>>();
/** Key objects of secrets that were passed as bytes. The bytes are compared, since an array may have been changed since. */
const secretKeys = new WeakMap<Uint8Array, { readonly bytes: Buffer; readonly key: KeyObject }>();

/** Binds a key to an algorithm. Returns a text for an `OptionsError`, without the key, when the key does not fit. */
export function bindKey(key: SignatureKey, algorithm: SignatureAlgorithm): BoundKey | string {
  const object = algorithm === 'hmac-sha256' && key instanceof Uint8Array ? secretOf(key) : key;
  if (!(object instanceof KeyObject)) {
    return algorithm === 'hmac-sha256'
      ? 'bytes (a Uint8Array), or a secret KeyObject'
      : 'a private or public KeyObject';
  }
  const cached = boundKeys.get(object) ?? new Map<SignatureAlgorithm, BoundKey | string>();
  boundKeys.set(object, cached);
  const verdict =
    cached.get(algorithm) ?? (algorithm === 'hmac-sha256' ? bindSecret(object) : bindAsymmetric(object, algorithm));
  cached.set(algorithm, verdict);
  return verdict;
}

function secretOf(bytes: Uint8Array): KeyObject {
  const cached = secretKeys.get(bytes);
  if (cached?.bytes.equals(bytes) === true) return cached.key;
  const key = createSecretKey(bytes);
  secretKeys.set(bytes, { bytes: Buffer.from(bytes), key });
  return key;
}

function bindSecret(key: KeyObject): BoundKey | string {
  if (key.type !== 'secret') return 'bytes (a Uint8Array), or a secret KeyObject';
  if ((key.symmetricKeySize ?? 0) < MIN_SECRET_BYTES) return `a secret of at least ${MIN_SECRET_BYTES} bytes`;
  if (isPublicKeyMaterial(key.export())) return 'a random secret: these are the bytes of a public key';
  const mac = (base: Buffer): Buffer => createHmac('sha256', key).update(base).digest();
  return {
    signs: true,
    sign: mac,
    verify: (base, signature) => signature.length === 32 && timingSafeEqual(mac(base), signature),
  };
}

function bindAsymmetric(key: KeyObject, algorithm: Exclude<SignatureAlgorithm, 'hmac-sha256'>): BoundKey | string {
  const { types, curve, hash, options } = SCHEMES[algorithm];
  if (key.type === 'secret') return 'a private or public KeyObject';
  if (!types.includes(key.asymmetricKeyType ?? '')) return `a key of the type ${types.join(' or ')}`;
  if (curve !== undefined && key.asymmetricKeyDetails?.namedCurve !== curve) return `a key on the curve ${curve}`;
  if (!allowsPss512(key)) return 'a key that is not restricted, or to SHA-512 with a salt of 64 bytes';
  const weakness = weaknessOf(key);
  if (weakness !== undefined) return `a sound key: ${weakness}`;
  const how = options === undefined ? key : { key, ...options };
  return {
    signs: key.type === 'private',
    sign: (base) => sign(hash, base, how),
    verify: (base, signature) => verify(hash, base, how, signature),
  };
}

/** Whether a key of the type `rsa-pss`, which can be restricted to other parameters, can be used with `rsa-pss-sha512`. */
function allowsPss512({ asymmetricKeyDetails }: KeyObject): boolean {
  const { hashAlgorithm = 'sha512', mgf1HashAlgorithm = 'sha512', saltLength = 64 } = asymmetricKeyDetails ?? {};
  return hashAlgorithm === 'sha512' && mgf1HashAlgorithm === 'sha512' && saltLength <= 64;
}

/**
 * Applies the rules for keys of tokens. A key of type `rsa-pss` cannot be exported as a JWK, so its rules are repeated
 * here.
 */
function weaknessOf(key: KeyObject): string | undefined {
  const { modulusLength, publicExponent } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === 'rsa-pss') {
    return (modulusLength ?? 0) < 2_048 || (publicExponent ?? 0n) < 3n ? 'RSA of fewer than 2048 bits' : undefined;
  }
  // Only the public members: a private key is valid here, and its strength depends on them alone.
  const { kty, crv, x, y, n, e } = key.export({ format: 'jwk' }) as JsonWebKey;
  const verdict = validateJwk({ kty, crv, x, y, n, e });
  return verdict.kind === 'usable' ? undefined : verdict.reason;
}
