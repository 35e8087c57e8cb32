import {
  assertClock,
  assertDurationMs,
  assertKnownOptions,
  assertObject,
  assertText,
  type Clock,
  systemClock,
  underPath,
} from '@macadam/core';
import { randomUUID } from 'node:crypto';
import { observeTokens } from '../instruments.ts';
import { signCompact } from '../jwt/signature.ts';
import { grantClient } from './grant-client.ts';
import { resolveProvided } from './oauth.ts';
import type { Provided, TokenClientOptions } from './options.ts';
import { type PrivateKeyOptions, parsePrivateKey } from './private-key.ts';
import { assertProvided, tokenClientSettings } from './settings.ts';
import type { TokenClient } from './token-client.ts';

/** Options of {@link jwtBearer}. */
export interface JwtBearerOptions extends TokenClientOptions {
  /**
   * The assertion that is exchanged for a token. A function, such as {@link jwtAssertion} returns, is called for each
   * request.
   */
  assertion: Provided;
}

const GRANT_TYPE = 'urn:ietf:params:oauth:grant-type:jwt-bearer';

/**
 * Creates a client for tokens by an assertion (JWT bearer, RFC 7523 section 2.1), such as those of a cloud service
 * account. Refreshed as those of `clientCredentials`.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`)
 * @example
 * ```ts
 * import { jwtBearer } from '@macadam/auth';
 *
 * const tokens = jwtBearer({
 *   tokenUrl: 'https://login.example.com/token',
 *   clientId: 'orders',
 *   clientAuth: 'none',
 *   assertion: () => 'an assertion',
 * });
 * await tokens.close();
 * ```
 */
export function jwtBearer(options: JwtBearerOptions): TokenClient {
  assertObject('jwtBearer', options);
  return underPath('jwtBearer', () => makeJwtBearer(options));
}

function makeJwtBearer(options: JwtBearerOptions): TokenClient {
  const settings = tokenClientSettings(options, ['assertion']);
  const { assertion } = options;
  assertProvided('assertion', assertion);
  const client = grantClient(settings, GRANT_TYPE, 'a JWT assertion', async () => [
    ['assertion', await resolveProvided(assertion, settings.endpoint)],
  ]);
  observeTokens(settings.name, client);
  return client;
}

/** Options of {@link jwtAssertion}. */
export interface JwtAssertionOptions {
  /** The key that signs the assertion. */
  privateKey: PrivateKeyOptions;
  /** The claim `iss`. */
  issuer: string;
  /** The claim `sub`: whom the assertion is about. Default: the issuer. */
  subject?: string;
  /** The claim `aud`: the authorization server, as it names itself. */
  audience: string;
  /** Additional claims, such as the `scope` that some servers require. Default: none. */
  claims?: Readonly<Record<string, unknown>>;
  /** How long an assertion is valid, in milliseconds. Default: 60_000. */
  lifetimeMs?: number;
  /** Source of time. Default: the system clock. */
  clock?: Clock;
}

/**
 * Creates assertions for {@link jwtBearer}: a new one, with an id of its own, for each request.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) which never shows the key
 * @example
 * ```ts
 * import { jwtAssertion } from '@macadam/auth';
 * import { generateKeyPairSync } from 'node:crypto';
 *
 * const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
 * const assertion = jwtAssertion({
 *   privateKey: { key: privateKey, algorithm: 'ES256' },
 *   issuer: 'service@example.com',
 *   audience: 'https://login.example.com',
 * });
 * console.log((await assertion()).split('.').length);
 * ```
 */
export function jwtAssertion(options: JwtAssertionOptions): () => Promise<string> {
  assertObject('jwtAssertion', options);
  return underPath('jwtAssertion', () => makeJwtAssertion(options));
}

function makeJwtAssertion(options: JwtAssertionOptions): () => Promise<string> {
  assertKnownOptions('', options, ['privateKey', 'issuer', 'subject', 'audience', 'claims', 'lifetimeMs', 'clock']);
  const { issuer, subject = issuer, audience, claims = {}, lifetimeMs = 60_000, clock = systemClock } = options;
  for (const [path, value] of Object.entries({ issuer, subject, audience })) assertText(path, value);
  assertObject('claims', claims);
  assertClock('clock', clock);
  assertDurationMs('lifetimeMs', lifetimeMs, { min: 1_000, max: 3_600_000 });
  const { algorithm, kid, cryptoKey } = parsePrivateKey('privateKey', options.privateKey);
  const header = { alg: algorithm, typ: 'JWT', ...(kid !== undefined && { kid }) };
  return () => {
    const iat = Math.floor(clock.now() / 1_000);
    const exp = iat + Math.floor(lifetimeMs / 1_000);
    return signCompact(
      header,
      { ...claims, iss: issuer, sub: subject, aud: audience, iat, exp, jti: randomUUID() },
      cryptoKey,
    );
  };
}
