import { TokenError } from '../errors.ts';
import { type JsonObject, own } from './strict-json.ts';
import type { JwtProfile } from './profiles.ts';

/**
 * Who a verified token speaks for. Frozen to the bottom: the same object is handed to every caller who brings the token,
 * and none of them can make another one an administrator.
 */
export interface Principal {
  /** `sub`; undefined where a `generic` token has none. */
  readonly subject: string | undefined;
  /** The configured issuer. */
  readonly issuer: string;
  /** `aud`, always as a list. */
  readonly audience: readonly string[];
  /** `client_id`, or `azp` where there is none. */
  readonly clientId: string | undefined;
  /** `scope`, split at spaces; `scp` where there is none. */
  readonly scopes: readonly string[];
  /** `jti`. */
  readonly tokenId: string | undefined;
  /** `exp`, in epoch milliseconds. */
  readonly expiresAtMs: number;
  readonly algorithm: string;
  /** The key that signed it. */
  readonly kid: string | undefined;
  readonly profile: JwtProfile;
  /** All claims, as they are in the token. */
  readonly claims: Readonly<Record<string, unknown>>;
}

/** What is known once everything was checked. */
export interface VerifiedToken {
  readonly issuer: string;
  readonly audience: readonly string[];
  readonly expiresAtMs: number;
  readonly algorithm: string;
  readonly kid: string | undefined;
  readonly profile: JwtProfile;
  readonly payload: JsonObject;
}

/** @throws TokenError `claim` for a name that is no text. */
export function principalOf(token: VerifiedToken): Principal {
  const { payload, issuer, audience, expiresAtMs, algorithm, kid, profile } = token;
  return Object.freeze({
    subject: textIn(payload, 'sub', issuer),
    issuer,
    audience: Object.freeze(audience),
    clientId: textIn(payload, 'client_id', issuer) ?? textIn(payload, 'azp', issuer),
    scopes: Object.freeze(scopesIn(payload)),
    tokenId: textIn(payload, 'jti', issuer),
    expiresAtMs,
    algorithm,
    kid,
    profile,
    claims: payload,
  });
}

/**
 * A claim that is a text, if it is there.
 * @throws TokenError `claim` for one that is something else: taken for none, it would make two principals one.
 */
export function textIn(payload: JsonObject, claim: string, issuer: string | undefined): string | undefined {
  const value = own(payload, claim);
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string') throw new TokenError('claim', { claim, issuer });
  return value;
}

/** `scope` or `scp`, as a list. */
export function scopesIn(payload: JsonObject): string[] {
  const value = own(payload, 'scope') ?? own(payload, 'scp');
  const parts = typeof value === 'string' ? value.split(' ') : Array.isArray(value) ? value : [];
  return parts.filter((scope): scope is string => typeof scope === 'string' && scope !== '');
}
