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
 * What a key is good for. `unsuited`: a fair key, but not one for signatures we verify, so it is passed over. `bad`: no
 * sound issuer publishes such a key, and a set that has one is refused.
 */
export type KeyVerdict =
  | { readonly kind: 'usable' }
  | { readonly kind: 'unsuited'; readonly why: string }
  | { readonly kind: 'bad'; readonly why: string };

/** NIST SP 800-131A: shorter RSA keys are disallowed. The most is a bound on what one verification may cost. */
const MIN_RSA_BITS = 2_048;
const MAX_RSA_BITS = 16_384;
/** OpenSSL refuses longer exponents for long moduli, since they make verification as slow as an attacker likes. */
const MAX_EXPONENT_BITS = 64;
const MAX_KID = 256;
/** How long each coordinate of a point is, zeros before it included (RFC 7518 section 6.2.1.2, RFC 8037 section 2). */
const EC_BYTES: ReadonlyMap<unknown, number> = new Map([
  ['P-256', 32],
  ['P-384', 48],
  ['P-521', 66],
]);
const OKP_BYTES: ReadonlyMap<unknown, number> = new Map([['Ed25519', 32]]);

const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'priv'];

/** Judges a key by itself. Which algorithms it serves is another question. */
export function judgeKey(jwk: JsonWebKey): KeyVerdict {
  if (own(jwk, 'kty') === 'oct' || own(jwk, 'k') !== undefined) return bad('it is a shared secret');
  if (PRIVATE_MEMBERS.some((name) => own(jwk, name) !== undefined)) return bad('it is a private key');
  const kid = own(jwk, 'kid');
  if (kid !== undefined && !isKid(kid)) return bad(`its kid is not a text of at most ${MAX_KID} characters`);
  const use = own(jwk, 'use');
  // In the bundles of SPIFFE (Trust Domain and Bundle section 4.2) it says for which of its documents.
  if (use !== undefined && use !== 'sig' && use !== 'jwt-svid') return unsuited('it is not for signatures');
  const operations = own(jwk, 'key_ops');
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify'))) {
    return unsuited('it is not for verifying');
  }
  const alg = own(jwk, 'alg');
  if (alg !== undefined && typeof alg !== 'string') return bad('its alg is not a text');
  switch (own(jwk, 'kty')) {
    case 'RSA':
      return judgeRsa(own(jwk, 'n'), own(jwk, 'e'));
    case 'EC':
      return judgePoint(EC_BYTES, own(jwk, 'crv'), [own(jwk, 'x'), own(jwk, 'y')]);
    case 'OKP':
      return judgePoint(OKP_BYTES, own(jwk, 'crv'), [own(jwk, 'x')]);
    default:
      return unsuited('unknown kind of key');
  }
}

/** Whether a value may name a key: it is looked up, and never used for anything else. */
export function isKid(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= MAX_KID;
}

/** Whether a point lies on its curve is found out when the key is imported. */
function judgePoint(known: ReadonlyMap<unknown, number>, curve: unknown, coordinates: readonly unknown[]): KeyVerdict {
  const bytes = known.get(curve);
  if (bytes === undefined) return unsuited('unknown curve');
  const read = coordinates.map(bytesIn);
  if (!read.every((one) => one?.length === bytes)) return bad(`a coordinate is not ${bytes} bytes of base64url`);
  if (curve === 'Ed25519' && hasSmallOrder(read[0]!))
    return bad('its point is of small order: it accepts what nobody signed');
  return usable;
}

function judgeRsa(n: unknown, e: unknown): KeyVerdict {
  const modulus = integer(n);
  const exponent = integer(e);
  if (modulus === undefined || exponent === undefined) return bad('its modulus or exponent is not base64url');
  const bits = modulus.toString(2).length;
  if (bits < MIN_RSA_BITS) return bad(`RSA of fewer than ${MIN_RSA_BITS} bits`);
  if (bits > MAX_RSA_BITS) return bad(`RSA of more than ${MAX_RSA_BITS} bits`);
  if (modulus % 2n === 0n) return bad('its modulus is even');
  if (exponent < 3n || exponent % 2n === 0n) return bad('its exponent is even or below 3');
  if (exponent.toString(2).length > MAX_EXPONENT_BITS) return bad('its exponent is too long');
  if (hasRocaFingerprint(modulus)) return bad('it was made by a library whose keys can be factored (ROCA)');
  return usable;
}

function integer(text: unknown): bigint | undefined {
  const bytes = bytesIn(text);
  return bytes === undefined ? undefined : BigInt(`0x${bytes.toString('hex')}`);
}

function bytesIn(text: unknown): Buffer | undefined {
  // 4 characters hold 3 bytes; the limit keeps a huge text from becoming a huge number.
  if (typeof text !== 'string' || text.length === 0 || text.length > MAX_RSA_BITS / 4) return undefined;
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : undefined;
}

const usable: KeyVerdict = { kind: 'usable' };
const bad = (why: string): KeyVerdict => ({ kind: 'bad', why });
const unsuited = (why: string): KeyVerdict => ({ kind: 'unsuited', why });
