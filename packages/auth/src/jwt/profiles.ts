import { TokenError } from '../errors.ts';
import { type JsonObject, own } from './strict-json.ts';

/**
 * Which kind of token an issuer's are: RFC 8725 section 3.12 asks for rules that exclude each other, so that a token of
 * one kind never passes for another.
 *
 * - `rfc9068`: OAuth access tokens. `typ` must be `at+jwt`; `sub`, `client_id`, `iat` and `jti` must be there.
 * - `oidc-id`: OpenID Connect ID tokens, at the client they were made for. With several audiences, `azp` must be the
 * client.
 * - `spiffe-jwt-svid`: SPIFFE identities. `issuer` is the trust domain, `spiffe://example.org`, and `sub` lies below
 * it.
 * - `generic`: anything else with `iss`, `aud` and `exp`. `typ` must be the one configured, or else absent or `JWT`.
 */
export type JwtProfile = 'rfc9068' | 'oidc-id' | 'spiffe-jwt-svid' | 'generic';

/** The configuration of the issuer that the checks of a profile use. */
export interface ProfileContext {
  readonly issuer: string;
  readonly audiences: readonly string[];
  /** The `typ` of a `generic` token, in lower case. */
  readonly typ: string | undefined;
}

interface ProfileRules {
  /** Values of `typ`, in lower case and without `application/` (RFC 7515 section 4.1.9); `undefined` is none at all. */
  readonly allowedTypes: readonly (string | undefined)[];
  /** Claims that must be non-empty strings, besides those that every profile requires. */
  readonly requiredStrings: readonly string[];
  readonly requiresIat: boolean;
  /** The claim that identifies the issuer: `iss` equals it, or `sub` is a SPIFFE ID in its trust domain. */
  readonly issuerClaim: 'iss' | 'sub';
  check?(payload: JsonObject, context: ProfileContext): void;
}

export const PROFILES: Readonly<Record<JwtProfile, ProfileRules>> = {
  rfc9068: {
    allowedTypes: ['at+jwt'],
    requiredStrings: ['sub', 'client_id', 'jti'],
    requiresIat: true,
    issuerClaim: 'iss',
  },
  'oidc-id': {
    allowedTypes: [undefined, 'jwt'],
    requiredStrings: ['sub'],
    requiresIat: true,
    issuerClaim: 'iss',
    check: checkIdToken,
  },
  'spiffe-jwt-svid': {
    allowedTypes: [undefined, 'jwt', 'jose'],
    requiredStrings: ['sub'],
    requiresIat: false,
    issuerClaim: 'sub',
  },
  generic: {
    allowedTypes: [undefined, 'jwt'],
    requiredStrings: [],
    requiresIat: false,
    issuerClaim: 'iss',
  },
};

/** @throws TokenError `type` when `typ` is that of another kind of token */
export function checkType(header: JsonObject, profile: JwtProfile, { typ, issuer }: ProfileContext): void {
  const value = own(header, 'typ');
  const { allowedTypes } = PROFILES[profile];
  const mediaType = typeof value === 'string' ? value.toLowerCase().replace(/^application\//, '') : value;
  const isAllowed = typ === undefined ? allowedTypes.includes(mediaType as string | undefined) : mediaType === typ;
  if (!isAllowed) throw new TokenError('type', { claim: 'typ', issuer });
}

/** @throws TokenError `claim` or `audience` when a claim that the profile requires is missing or wrong */
export function checkProfile(payload: JsonObject, profile: JwtProfile, context: ProfileContext): void {
  const rules = PROFILES[profile];
  for (const claim of rules.requiredStrings) {
    const value = own(payload, claim);
    if (typeof value !== 'string' || value === '') throw new TokenError('claim', { claim, issuer: context.issuer });
  }
  rules.check?.(payload, context);
}

/**
 * OpenID Connect Core section 3.1.3.7. A logout token looks like an ID token but has `events` (Back-Channel Logout
 * section 2.4).
 */
function checkIdToken(payload: JsonObject, { audiences, issuer }: ProfileContext): void {
  if (own(payload, 'events') !== undefined) throw new TokenError('type', { claim: 'events', issuer });
  const audience = own(payload, 'aud');
  const authorizedParty = own(payload, 'azp');
  const hasSeveralAudiences = Array.isArray(audience) && audience.length > 1;
  if (authorizedParty === undefined ? hasSeveralAudiences : !audiences.includes(authorizedParty as string)) {
    throw new TokenError('audience', { claim: 'azp', issuer });
  }
}
