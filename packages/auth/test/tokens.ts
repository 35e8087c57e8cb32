// Issuers, keys and tokens for the tests, including tokens that no real issuer would create.
import { createHmac, type JsonWebKey as NodeJsonWebKey, type KeyObject, generateKeyPairSync, sign } from 'node:crypto';
import type { Clock } from '@macadam/core';
import type { FetchLike, JsonWebKey, JwtAlgorithm, TokenReason } from '../src/index.ts';

export const ISSUER = 'https://id.example.com';
export const AUDIENCE = 'https://orders.example.com';

export interface TestKey {
  readonly kid: string | undefined;
  readonly algorithm: JwtAlgorithm;
  readonly privateKey: KeyObject;
  /** The public key, as an issuer publishes it. */
  readonly jwk: JsonWebKey;
}

/** Generating keys is slow, RSA above all: each type is generated once per file and reused under other kids. */
const made = new Map<string, { privateKey: KeyObject; publicKey: KeyObject }[]>();

export function testKey(kid?: string, algorithm: JwtAlgorithm = 'ES256', place = 0): TestKey {
  const kind = algorithm.startsWith('E') ? algorithm : 'RSA';
  const pairs = made.get(kind) ?? [];
  made.set(kind, pairs);
  const { privateKey, publicKey } = (pairs[place] ??= makePair(kind));
  const jwk = { ...publicKey.export({ format: 'jwk' }), ...(kid !== undefined && { kid }), use: 'sig' } as JsonWebKey;
  return { kid, algorithm, privateKey, jwk };
}

function makePair(kind: string): { privateKey: KeyObject; publicKey: KeyObject } {
  if (kind === 'RSA') return generateKeyPairSync('rsa', { modulusLength: 2048 });
  if (kind.startsWith('ES')) {
    return generateKeyPairSync('ec', { namedCurve: { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' }[kind]! });
  }
  return generateKeyPairSync('ed25519');
}

export function privateJwk({ privateKey, kid }: TestKey): JsonWebKey {
  return { ...(privateKey.export({ format: 'jwk' }) as NodeJsonWebKey & JsonWebKey), kid };
}

export const base64url = (text: string | Uint8Array): string => Buffer.from(text).toString('base64url');

/** Claims of an access token that is valid for five minutes. */
export function accessClaims(clock: Pick<Clock, 'now'>, more: object = {}): Record<string, unknown> {
  const now = Math.floor(clock.now() / 1_000);
  return {
    iss: ISSUER,
    aud: AUDIENCE,
    sub: 'user-1',
    client_id: 'shop',
    jti: 'token-1',
    iat: now,
    exp: now + 300,
    scope: 'orders:read orders:write',
    ...more,
  };
}

/** A token with any header and payload: objects, or JSON text as it should be sent. */
export function makeToken(key: TestKey, payload: object | string, header: object | string = {}): string {
  const head =
    typeof header === 'string'
      ? header
      : JSON.stringify({
          alg: key.algorithm,
          typ: 'at+jwt',
          ...(key.kid !== undefined && { kid: key.kid }),
          ...header,
        });
  const input = `${base64url(head)}.${base64url(typeof payload === 'string' ? payload : JSON.stringify(payload))}`;
  return `${input}.${base64url(signBytes(key, input))}`;
}

function signBytes({ algorithm, privateKey }: TestKey, input: string): Buffer {
  const data = Buffer.from(input);
  const hash = `sha${algorithm.slice(2)}`;
  if (algorithm === 'EdDSA' || algorithm === 'Ed25519') return sign(null, data, privateKey);
  if (algorithm.startsWith('ES')) return sign(hash, data, { key: privateKey, dsaEncoding: 'ieee-p1363' });
  // 6 is RSA_PKCS1_PSS_PADDING, -1 a salt as long as the hash.
  if (algorithm.startsWith('PS')) return sign(hash, data, { key: privateKey, padding: 6, saltLength: -1 });
  return sign(hash, data, privateKey);
}

export function hmacToken(secret: Uint8Array, payload: object, header: object = {}): string {
  const head = { alg: 'HS256', typ: 'at+jwt', ...header };
  const input = `${base64url(JSON.stringify(head))}.${base64url(JSON.stringify(payload))}`;
  const { alg } = head;
  return `${input}.${createHmac(`sha${alg.slice(2)}`, secret)
    .update(input)
    .digest('base64url')}`;
}

/** The reason of the error that a promise rejects with; `accepted` when it resolves. */
export async function reasonOf(promise: Promise<unknown>): Promise<TokenReason | 'accepted'> {
  return await promise.then(
    () => 'accepted',
    (error: unknown) => {
      if (typeof error === 'object' && error !== null && 'reason' in error) return error.reason as TokenReason;
      throw error;
    },
  );
}

/** A JWKS endpoint without a network, whose responses a test can replace at any time. */
export class KeyEndpoint {
  keys: readonly JsonWebKey[];
  calls = 0;
  readonly requests: { url: string; headers: Record<string, string>; redirect: string }[] = [];
  /** Replaces the default response. */
  respond: (() => Response | Promise<Response>) | undefined;
  headers: Record<string, string> = {};

  constructor(keys: readonly JsonWebKey[]) {
    this.keys = keys;
  }

  readonly fetch: FetchLike = async (url, { headers, redirect }) => {
    this.calls++;
    this.requests.push({ url, headers, redirect });
    await Promise.resolve();
    return (await this.respond?.()) ?? Response.json({ keys: this.keys }, { headers: this.headers });
  };

  fail(status = 503): void {
    this.respond = () => new Response('down', { status });
  }
}
