import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import type { Contender } from '../../src/suite.ts';

export type Auth = typeof import('@macadam/auth');

export const ISSUER = 'https://id.example.com';
export const AUDIENCE = 'https://orders.example.com';
export const secret = Buffer.alloc(64, 7);
const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

function claimsFor(subject: string): object {
  const now = Math.floor(Date.now() / 1_000);
  const what = { iss: ISSUER, aud: AUDIENCE, sub: subject, client_id: 'shop', scope: 'orders:read orders:write' };
  return { ...what, jti: subject, iat: now, exp: now + 3_600 };
}

export interface Key {
  readonly jwk: object;
  readonly sign: (input: string) => string;
}

/** Signing keys of an issuer, by algorithm; each is generated once per process. */
export function keyFor(algorithm: string): Key {
  if (algorithm === 'HS256') {
    const mac = (input: string): string => createHmac('sha256', secret).update(input).digest('base64url');
    return { jwk: { kty: 'oct', k: secret.toString('base64url') }, sign: mac };
  }
  const pair = (
    {
      RS256: () => generateKeyPairSync('rsa', { modulusLength: 2_048 }),
      PS256: () => generateKeyPairSync('rsa', { modulusLength: 2_048 }),
      ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
      EdDSA: () => generateKeyPairSync('ed25519'),
    } as Record<string, () => ReturnType<typeof generateKeyPairSync>>
  )[algorithm]!();
  const key = pair.privateKey as unknown as import('node:crypto').KeyObject;
  const publicKey = pair.publicKey as unknown as import('node:crypto').KeyObject;
  const how = { key, dsaEncoding: 'ieee-p1363' as const, ...(algorithm === 'PS256' && { padding: 6, saltLength: 32 }) };
  const hash = algorithm === 'EdDSA' ? null : 'sha256';
  return {
    jwk: publicKey.export({ format: 'jwk' }),
    sign: (input) => sign(hash, Buffer.from(input), how).toString('base64url'),
  };
}

export function tokenBy(key: Key, algorithm: string, subject = 'u1'): string {
  const input = `${encode({ alg: algorithm, typ: 'at+jwt', kid: 'k1' })}.${encode(claimsFor(subject))}`;
  return `${input}.${key.sign(input)}`;
}

export function verifierOf(
  { createJwtVerifier, createHmacJwtVerifier }: Auth,
  algorithm: string,
  key: Key,
  cache?: false,
) {
  const rules = { issuer: ISSUER, audience: AUDIENCE, ...(cache === undefined ? {} : { cache }) };
  if (algorithm === 'HS256') {
    return createHmacJwtVerifier({ ...rules, algorithm, secrets: [{ secret: new Uint8Array(secret), kid: 'k1' }] });
  }
  const jwks = { keys: [{ ...key.jwk, kid: 'k1' }] };
  const { issuer, audience, ...more } = rules;
  return createJwtVerifier({ issuers: [{ issuer, audience, algorithms: [algorithm as 'ES256'], jwks }], ...more });
}

export const macadam = (name: string, setup: (auth: Auth) => () => unknown): Contender => ({
  name,
  from: '@macadam/auth',
  setup: async () => ({ run: setup(await import('@macadam/auth')) }),
});
