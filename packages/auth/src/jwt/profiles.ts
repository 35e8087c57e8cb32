import { TokenError } from '../errors.ts';
import { type JsonObject, own } from './strict-json.ts';

/**
 * Which kind of token an issuer's are: RFC 8725 section 3.12 asks for rules that exclude each other, so that a token of
 * one kind never passes for another.
 *
 * - `rfc9068`: OAuth access tokens. `typ` must be `at+jwt`; `sub`, `client_id`, `iat` and `jti` must be there.
 * - `oidc-id`: OpenID Connect ID tokens, at the client they were made for. With several audiences, `azp` must be the client.
 * - `spiffe-jwt-svid`: SPIFFE identities. `issuer` is the trust domain, `spiffe://example.org`, and `sub` lies below it.
 * - `generic`: anything else with `iss`, `aud` and `exp`. `typ` must be the one configured, or else absent or `JWT`.
 */
export type JwtProfile = 'rfc9068' | 'oidc-id' | 'spiffe-jwt-svid' | 'generic';

/** What the rules of a profile need to know. */
export interface ProfileContext {
  readonly issuer: string;
  readonly audiences: readonly string[];
  /** The `typ` of a `generic` token, in lower case. */
  readonly typ: string | undefined;
}

interface ProfileRules {
  /** Values of `typ`, in lower case and without `application/` (RFC 7515 section 4.1.9); `undefined` is none at all. */
  readonly types: readonly (string | undefined)[];
  /** Claims that must be texts, besides those that every profile demands. */
  readonly texts: readonly string[];
  readonly issuedAt: boolean;
  /** The claim that must be the issuer's name, or lie below it. */
  readonly identifiesIssuer: 'iss' | 'sub';
  check?(payload: JsonObject, context: ProfileContext): void;
}

export const PROFILES: Readonly<Record<JwtProfile, ProfileRules>> = {
  rfc9068: {
    types: ['at+jwt'],
    texts: ['sub', 'client_id', 'jti'],
    issuedAt: true,
    identifiesIssuer: 'iss',
  },
  'oidc-id': {
    types: [undefined, 'jwt'],
    texts: ['sub'],
    issuedAt: true,
    identifiesIssuer: 'iss',
    check: checkIdToken,
  },
  'spiffe-jwt-svid': {
    types: [undefined, 'jwt', 'jose'],
    texts: ['sub'],
    issuedAt: false,
    identifiesIssuer: 'sub',
  },
  generic: {
    types: [undefined, 'jwt'],
    texts: [],
    issuedAt: false,
    identifiesIssuer: 'iss',
  },
};

/** @throws TokenError `type` when the token says it is of another kind. */
export function checkType(header: JsonObject, profile: JwtProfile, { typ, issuer }: ProfileContext): void {
  const value = own(header, 'typ');
  const { types } = PROFILES[profile];
  const named = typeof value === 'string' ? value.toLowerCase().replace(/^application\//, '') : value;
  const allowed = typ === undefined ? types.includes(named as string | undefined) : named === typ;
  if (!allowed) throw new TokenError('type', { claim: 'typ', issuer });
}

/** @throws TokenError `claim` or `audience` when a claim that the profile demands is missing or wrong. */
export function checkProfile(payload: JsonObject, profile: JwtProfile, context: ProfileContext): void {
  const rules = PROFILES[profile];
  for (const claim of rules.texts) {
    const value = own(payload, claim);
    if (typeof value !== 'string' || value === '') throw new TokenError('claim', { claim, issuer: context.issuer });
  }
  rules.check?.(payload, context);
}

/** OpenID Connect Core section 3.1.3.7; a logout token, which looks alike, has `events` (Back-Channel Logout 2.4). */
function checkIdToken(payload: JsonObject, { audiences, issuer }: ProfileContext): void {
  if (own(payload, 'events') !== undefined) throw new TokenError('type', { claim: 'events', issuer });
  const audience = own(payload, 'aud');
  const party = own(payload, 'azp');
  const several = Array.isArray(audience) && audience.length > 1;
  if (party === undefined ? several : !audiences.includes(party as string)) {
    throw new TokenError('audience', { claim: 'azp', issuer });
  }
}
