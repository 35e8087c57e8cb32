import { constants, createHmac, createSecretKey, KeyObject, sign, timingSafeEqual, verify } from 'node:crypto';
import type { JsonWebKey } from '../jwt/key-rules.ts';
import { judgeKey } from '../jwt/key-rules.ts';
import { isPublished } from '../published-key.ts';

/** An algorithm to sign with (RFC 9421 section 3.3). */
export type SigningAlgorithm = 'ed25519' | 'ecdsa-p256-sha256' | 'ecdsa-p384-sha384' | 'rsa-pss-sha512' | 'hmac-sha256';

/** An algorithm that is accepted. `rsa-v1_5-sha256` is for senders that support no other. */
export type SignatureAlgorithm = SigningAlgorithm | 'rsa-v1_5-sha256';

/**
 * A key: a `KeyObject` of `node:crypto`, or the bytes of a secret for `hmac-sha256`. Strings are rejected on purpose.
 */
export type SignatureKey = KeyObject | Uint8Array;

/** A key that was found fit for one algorithm. */
export interface BoundKey {
  /** False for a public key, which only verifies. */
  readonly signs: boolean;
  sign(base: Buffer): Buffer;
  verify(base: Buffer, signature: Buffer): boolean;
}

/** Which keys an algorithm works with, and how. */
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

/** As long as the hash (RFC 2104 section 3). */
const MIN_SECRET_BYTES = 32;

/** What became of a key before. A key object never changes, and judging an RSA key takes longer than using it. */
const bound = new WeakMap<KeyObject, Map<SignatureAlgorithm, BoundKey | string>>();
/** Key objects of secrets that came as bytes, which may have been changed since. */
const secrets = new WeakMap<Uint8Array, { readonly bytes: Buffer; readonly key: KeyObject }>();

/** Binds a key to an algorithm; a text tells why it does not fit, and nothing of the key. */
export function bindKey(key: SignatureKey, algorithm: SignatureAlgorithm): BoundKey | string {
  const object = algorithm === 'hmac-sha256' && key instanceof Uint8Array ? secretOf(key) : key;
  if (!(object instanceof KeyObject)) {
    return algorithm === 'hmac-sha256'
      ? 'bytes (a Uint8Array), or a secret KeyObject'
      : 'a private or public KeyObject';
  }
  const known = bound.get(object) ?? new Map<SignatureAlgorithm, BoundKey | string>();
  bound.set(object, known);
  const verdict =
    known.get(algorithm) ?? (algorithm === 'hmac-sha256' ? bindSecret(object) : bindPair(object, algorithm));
  known.set(algorithm, verdict);
  return verdict;
}

function secretOf(bytes: Uint8Array): KeyObject {
  const known = secrets.get(bytes);
  if (known?.bytes.equals(bytes) === true) return known.key;
  const key = createSecretKey(bytes);
  secrets.set(bytes, { bytes: Buffer.from(bytes), key });
  return key;
}

function bindSecret(key: KeyObject): BoundKey | string {
  if (key.type !== 'secret') return 'bytes (a Uint8Array), or a secret KeyObject';
  if ((key.symmetricKeySize ?? 0) < MIN_SECRET_BYTES) return `a secret of at least ${MIN_SECRET_BYTES} bytes`;
  if (isPublished(key.export())) return 'a secret: these are the bytes of a public key';
  const mac = (base: Buffer): Buffer => createHmac('sha256', key).update(base).digest();
  return {
    signs: true,
    sign: mac,
    verify: (base, signature) => signature.length === 32 && timingSafeEqual(mac(base), signature),
  };
}

function bindPair(key: KeyObject, algorithm: Exclude<SignatureAlgorithm, 'hmac-sha256'>): BoundKey | string {
  const { types, curve, hash, options } = SCHEMES[algorithm];
  if (key.type === 'secret') return 'a private or public KeyObject';
  if (!types.includes(key.asymmetricKeyType ?? '')) return `a key of the type ${types.join(' or ')}`;
  if (curve !== undefined && key.asymmetricKeyDetails?.namedCurve !== curve) return `a key on the curve ${curve}`;
  const fault = faultOf(key);
  if (fault !== undefined) return `a sound key: ${fault}`;
  const how = options === undefined ? key : { key, ...options };
  return {
    signs: key.type === 'private',
    sign: (base) => sign(hash, base, how),
    verify: (base, signature) => verify(hash, base, how, signature),
  };
}

/** Keys obey the rules that keys of tokens do. A key that is restricted to PSS cannot be written as a JWK. */
function faultOf(key: KeyObject): string | undefined {
  const { modulusLength, publicExponent } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === 'rsa-pss') {
    return (modulusLength ?? 0) < 2_048 || (publicExponent ?? 0n) < 3n ? 'RSA of fewer than 2048 bits' : undefined;
  }
  // Only what is public: of a private key the members that judge it are the same.
  const { kty, crv, x, y, n, e } = key.export({ format: 'jwk' }) as JsonWebKey;
  const verdict = judgeKey({ kty, crv, x, y, n, e });
  return verdict.kind === 'usable' ? undefined : verdict.why;
}
