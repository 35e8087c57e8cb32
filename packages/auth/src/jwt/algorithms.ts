/** An algorithm with a public and a private key (RFC 7518 section 3, RFC 9864). */
export type JwtAlgorithm =
  'RS256' | 'RS384' | 'RS512' | 'PS256' | 'PS384' | 'PS512' | 'ES256' | 'ES384' | 'ES512' | 'EdDSA' | 'Ed25519';

/** An algorithm with a shared secret. Accepted only by `createHmacJwtVerifier` and `createHmacJwsVerifier`. */
export type HmacAlgorithm = 'HS256' | 'HS384' | 'HS512';

/** The WebCrypto parameters with which a key is imported. They bind it to one algorithm. */
export type ImportParameters =
  | { readonly name: 'RSASSA-PKCS1-v1_5' | 'RSA-PSS'; readonly hash: string }
  | { readonly name: 'ECDSA'; readonly namedCurve: string }
  | { readonly name: 'Ed25519' };

/** Which keys an algorithm works with, and how a signature is verified with them. */
interface AlgorithmRule {
  readonly kty: 'RSA' | 'EC' | 'OKP';
  readonly crv?: string;
  readonly importParameters: ImportParameters;
  /** The salt of PSS is as long as the hash, and each curve has one hash (RFC 7518 sections 3.4 and 3.5). */
  readonly verifyParameters: VerifyParameters;
}

export interface VerifyParameters {
  readonly name: string;
  readonly saltLength?: number;
  readonly hash?: string;
}

const rsa = (hash: string): AlgorithmRule => {
  const name = 'RSASSA-PKCS1-v1_5';
  return { kty: 'RSA', importParameters: { name, hash }, verifyParameters: { name } };
};
const pss = (hash: string, saltLength: number): AlgorithmRule => {
  const name = 'RSA-PSS';
  return { kty: 'RSA', importParameters: { name, hash }, verifyParameters: { name, saltLength } };
};
const ec = (crv: string, hash: string): AlgorithmRule => {
  const name = 'ECDSA';
  return { kty: 'EC', crv, importParameters: { name, namedCurve: crv }, verifyParameters: { name, hash } };
};
const ed25519: AlgorithmRule = {
  ...{ kty: 'OKP', crv: 'Ed25519' },
  importParameters: { name: 'Ed25519' },
  verifyParameters: { name: 'Ed25519' },
};

/** Every supported asymmetric algorithm, with the only type of key it works with. */
export const ALGORITHMS: Readonly<Record<JwtAlgorithm, AlgorithmRule>> = {
  RS256: rsa('SHA-256'),
  RS384: rsa('SHA-384'),
  RS512: rsa('SHA-512'),
  PS256: pss('SHA-256', 32),
  PS384: pss('SHA-384', 48),
  PS512: pss('SHA-512', 64),
  ES256: ec('P-256', 'SHA-256'),
  ES384: ec('P-384', 'SHA-384'),
  ES512: ec('P-521', 'SHA-512'),
  EdDSA: ed25519,
  Ed25519: ed25519,
};

/**
 * The hash of each HMAC algorithm by its name in `node:crypto`, and its length in bytes: the minimum length of a secret
 * (RFC 7518 section 3.2).
 */
export const HMAC_ALGORITHMS: Readonly<Record<HmacAlgorithm, { readonly hash: string; readonly bytes: number }>> = {
  HS256: { hash: 'sha256', bytes: 32 },
  HS384: { hash: 'sha384', bytes: 48 },
  HS512: { hash: 'sha512', bytes: 64 },
};
