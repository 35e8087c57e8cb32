// Validates a single JSON Web Key (RFC 7517) before it is imported: type, use, length, and known weaknesses.
import { own } from './strict-json.ts';
import { hasRocaFingerprint } from './roca.ts';
import { hasSmallOrder } from './small-order.ts';

/** A JSON Web Key (RFC 7517). Untrusted input: it is validated when it is used. */
export type JsonWebKey = Readonly<Record<string, unknown>>;

/** A JSON Web Key Set (RFC 7517 section 5). */
export interface JsonWebKeySet {
  /** The keys. */
  readonly keys: readonly JsonWebKey[];
}

/**
 * Whether a key can verify signatures. `unsuitable`: a sound key for another purpose; the key set may contain it, and it is
 * skipped. `invalid`: a private, symmetric, weak or malformed key; a key set that contains one is rejected as a whole.
 */
export type JwkVerdict =
  | { readonly kind: 'usable' }
  | { readonly kind: 'unsuitable'; readonly reason: string }
  | { readonly kind: 'invalid'; readonly reason: string };

/** NIST SP 800-131A disallows shorter RSA keys. The maximum bounds the cost of one verification. */
const MIN_RSA_BITS = 2_048;
const MAX_RSA_BITS = 16_384;
/** A long exponent makes verification as slow as an attacker likes; OpenSSL rejects longer ones for long moduli. */
const MAX_EXPONENT_BITS = 64;
const MAX_KID_LENGTH = 256;
/** Length of a coordinate by curve, including leading zeros (RFC 7518 section 6.2.1.2, RFC 8037 section 2). */
const EC_BYTES: ReadonlyMap<unknown, number> = new Map([
  ['P-256', 32],
  ['P-384', 48],
  ['P-521', 66],
]);
const OKP_BYTES: ReadonlyMap<unknown, number> = new Map([['Ed25519', 32]]);

const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'priv'];

/** Validates a key by itself. Which algorithms it can be used with is decided in key-set.ts. */
export function validateJwk(jwk: JsonWebKey): JwkVerdict {
  if (own(jwk, 'kty') === 'oct' || own(jwk, 'k') !== undefined) return invalid('it is a shared secret');
  if (PRIVATE_MEMBERS.some((name) => own(jwk, name) !== undefined)) return invalid('it is a private key');
  const kid = own(jwk, 'kid');
  if (kid !== undefined && !isKid(kid)) return invalid(`its kid is not a text of at most ${MAX_KID_LENGTH} characters`);
  const use = own(jwk, 'use');
  // SPIFFE bundles mark the keys of JWT-SVIDs this way (SPIFFE Trust Domain and Bundle, section 4.2).
  if (use !== undefined && use !== 'sig' && use !== 'jwt-svid') return unsuitable('it is not for signatures');
  const operations = own(jwk, 'key_ops');
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify'))) {
    return unsuitable('it is not for verifying');
  }
  const alg = own(jwk, 'alg');
  if (alg !== undefined && typeof alg !== 'string') return invalid('its alg is not a text');
  switch (own(jwk, 'kty')) {
    case 'RSA':
      return validateRsa(own(jwk, 'n'), own(jwk, 'e'));
    case 'EC':
      return validatePoint(EC_BYTES, own(jwk, 'crv'), [own(jwk, 'x'), own(jwk, 'y')]);
    case 'OKP':
      return validatePoint(OKP_BYTES, own(jwk, 'crv'), [own(jwk, 'x')]);
    default:
      return unsuitable('its type (kty) is unknown');
  }
}

/** Whether a value is a valid `kid`: a string of bounded length, which is only ever used for a lookup. */
export function isKid(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= MAX_KID_LENGTH;
}

/** Whether the point lies on its curve is checked by the import in key-set.ts. */
function validatePoint(
  known: ReadonlyMap<unknown, number>,
  curve: unknown,
  coordinates: readonly unknown[],
): JwkVerdict {
  const bytes = known.get(curve);
  if (bytes === undefined) return unsuitable('its curve is unknown');
  const decoded = coordinates.map(decodeBase64url);
  if (!decoded.every((one) => one?.length === bytes)) return invalid(`a coordinate is not ${bytes} bytes of base64url`);
  if (curve === 'Ed25519' && hasSmallOrder(decoded[0]!))
    return invalid('its point has a small order: signatures that nobody made would verify');
  return usable;
}

function validateRsa(n: unknown, e: unknown): JwkVerdict {
  const modulus = decodeInteger(n);
  const exponent = decodeInteger(e);
  if (modulus === undefined || exponent === undefined) return invalid('its modulus or exponent is not base64url');
  const bits = modulus.toString(2).length;
  if (bits < MIN_RSA_BITS) return invalid(`RSA of fewer than ${MIN_RSA_BITS} bits`);
  if (bits > MAX_RSA_BITS) return invalid(`RSA of more than ${MAX_RSA_BITS} bits`);
  if (modulus % 2n === 0n) return invalid('its modulus is even');
  if (exponent < 3n || exponent % 2n === 0n) return invalid('its exponent is even or below 3');
  if (exponent.toString(2).length > MAX_EXPONENT_BITS) return invalid('its exponent is too long');
  if (hasRocaFingerprint(modulus)) return invalid('it was made by a library whose keys can be factored (ROCA)');
  return usable;
}

function decodeInteger(text: unknown): bigint | undefined {
  const bytes = decodeBase64url(text);
  return bytes === undefined ? undefined : BigInt(`0x${bytes.toString('hex')}`);
}

function decodeBase64url(text: unknown): Buffer | undefined {
  // Base64url has 6 bits per character, so this allows more than MAX_RSA_BITS; it bounds the size of the bigint.
  if (typeof text !== 'string' || text.length === 0 || text.length > MAX_RSA_BITS / 4) return undefined;
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : undefined;
}

const usable: JwkVerdict = { kind: 'usable' };
const invalid = (reason: string): JwkVerdict => ({ kind: 'invalid', reason });
const unsuitable = (reason: string): JwkVerdict => ({ kind: 'unsuitable', reason });
