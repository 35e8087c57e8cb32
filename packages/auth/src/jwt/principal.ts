import { TokenError } from '../errors.ts';
import { type JsonObject, own } from './strict-json.ts';
import type { JwtProfile } from './profiles.ts';

/** The principal of a verified token. Deeply frozen, since all callers who send the same token share the object. */
export interface Principal {
  /** The claim `sub`; undefined when a `generic` token has none. */
  readonly subject: string | undefined;
  /** The configured issuer. */
  readonly issuer: string;
  /** The claim `aud`, always as a list. */
  readonly audience: readonly string[];
  /** The claim `client_id`, else `azp`. */
  readonly clientId: string | undefined;
  /** The claim `scope`, split at spaces, else `scp`. */
  readonly scopes: readonly string[];
  /** The claim `jti`, if there is one. */
  readonly tokenId: string | undefined;
  /** The claim `exp`, in epoch milliseconds. */
  readonly expiresAtMs: number;
  /** The algorithm that the token is signed with. */
  readonly algorithm: string;
  /** The `kid` of the key that signed it, if it has one. */
  readonly kid: string | undefined;
  /** The profile of its issuer. */
  readonly profile: JwtProfile;
  /** All claims of the token. */
  readonly claims: Readonly<Record<string, unknown>>;
}

/** A token that passed all checks. */
export interface VerifiedToken {
  readonly issuer: string;
  readonly audience: readonly string[];
  readonly expiresAtMs: number;
  readonly algorithm: string;
  readonly kid: string | undefined;
  readonly profile: JwtProfile;
  readonly payload: JsonObject;
}

/** @throws TokenError `claim` for `sub`, `client_id`, `azp` or `jti` that is not a string */
export function principalOf(token: VerifiedToken): Principal {
  const { payload, issuer, audience, expiresAtMs, algorithm, kid, profile } = token;
  return Object.freeze({
    subject: stringClaim(payload, 'sub', issuer),
    issuer,
    audience: Object.freeze(audience),
    clientId: stringClaim(payload, 'client_id', issuer) ?? stringClaim(payload, 'azp', issuer),
    scopes: Object.freeze(scopesOf(payload)),
    tokenId: stringClaim(payload, 'jti', issuer),
    expiresAtMs,
    algorithm,
    kid,
    profile,
    claims: payload,
  });
}

/**
 * The value of a string claim; `undefined` when it is missing or null.
 * @throws TokenError `claim` for any other type: treated as missing, two different principals would become equal.
 */
export function stringClaim(payload: JsonObject, claim: string, issuer: string | undefined): string | undefined {
  const value = own(payload, claim);
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string') throw new TokenError('claim', { claim, issuer });
  return value;
}

/** `scope` (RFC 9068) or `scp`, as a list. */
export function scopesOf(payload: JsonObject): string[] {
  const value = own(payload, 'scope') ?? own(payload, 'scp');
  const parts = typeof value === 'string' ? value.split(' ') : Array.isArray(value) ? value : [];
  return parts.filter((scope): scope is string => typeof scope === 'string' && scope !== '');
}
