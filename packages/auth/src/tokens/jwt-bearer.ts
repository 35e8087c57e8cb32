import {
  assertClock,
  assertDurationMs,
  assertKnownOptions,
  assertObject,
  assertText,
  type Clock,
  systemClock,
} from '@macadam/core';
import { randomUUID } from 'node:crypto';
import { observeTokens } from '../instruments.ts';
import { signCompact } from '../jwt/signature.ts';
import { grantClient } from './client-credentials.ts';
import { provided } from './oauth.ts';
import type { Provided, TokenClientOptions } from './options.ts';
import { type PrivateKeyOptions, readPrivateKey } from './private-key.ts';
import { assertProvided, tokenClientSettings } from './settings.ts';
import type { TokenClient } from './token-client.ts';

/** Options of {@link jwtBearer}. */
export interface JwtBearerOptions extends TokenClientOptions {
  /** The assertion that is exchanged for a token; a function, such as {@link jwtAssertion} makes, is asked each time. */
  assertion: Provided;
}

const GRANT_TYPE = 'urn:ietf:params:oauth:grant-type:jwt-bearer';

/**
 * Tokens for whom an assertion speaks for (RFC 7523 section 2.1), such as those of a cloud's service account. Refreshed
 * as those of `clientCredentials` are.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`), which never shows an assertion.
 */
export function jwtBearer(options: JwtBearerOptions): TokenClient {
  const settings = tokenClientSettings(options, ['assertion']);
  const { assertion } = options;
  assertProvided('assertion', assertion);
  const client = grantClient(settings, GRANT_TYPE, 'a JWT assertion', async () => [
    ['assertion', await provided(assertion, settings.endpoint)],
  ]);
  observeTokens(settings.name, client);
  return client;
}

/** Options of {@link jwtAssertion}. */
export interface JwtAssertionOptions {
  /** What the assertion is signed with. */
  privateKey: PrivateKeyOptions;
  /** `iss`. */
  issuer: string;
  /** `sub`: whom the assertion speaks for. Default: the issuer. */
  subject?: string;
  /** `aud`: the authorization server, as it calls itself. */
  audience: string;
  /** Further claims, such as the `scope` that some servers want in here. */
  claims?: Readonly<Record<string, unknown>>;
  /** How long an assertion is good, in milliseconds. Default: 60_000. */
  lifetimeMs?: number;
  /** Default: the clock of the machine. */
  clock?: Clock;
}

/**
 * Makes assertions for {@link jwtBearer}: a new one, with an id of its own, for each request.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`), which never shows a key.
 */
export function jwtAssertion(options: JwtAssertionOptions): () => Promise<string> {
  assertObject('options', options);
  assertKnownOptions('', options, ['privateKey', 'issuer', 'subject', 'audience', 'claims', 'lifetimeMs', 'clock']);
  const { issuer, subject = issuer, audience, claims = {}, lifetimeMs = 60_000, clock = systemClock } = options;
  for (const [path, value] of Object.entries({ issuer, subject, audience })) assertText(path, value);
  assertObject('claims', claims);
  assertClock('clock', clock);
  assertDurationMs('lifetimeMs', lifetimeMs, { min: 1_000, max: 3_600_000 });
  const { algorithm, kid, handle } = readPrivateKey('privateKey', options.privateKey);
  const header = { alg: algorithm, typ: 'JWT', ...(kid !== undefined && { kid }) };
  return () => {
    const iat = Math.floor(clock.now() / 1_000);
    const exp = iat + Math.floor(lifetimeMs / 1_000);
    return signCompact(
      header,
      { ...claims, iss: issuer, sub: subject, aud: audience, iat, exp, jti: randomUUID() },
      handle,
    );
  };
}
