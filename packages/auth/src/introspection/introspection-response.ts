// Validates an introspection response (RFC 7662 section 2.2), as pure functions.
import { TokenError } from '../errors.ts';
import { type JsonObject, own } from '../jwt/strict-json.ts';
import { scopesOf, stringClaim } from '../jwt/principal.ts';

/** The principal of a token, as the introspection endpoint describes it. Frozen, including `claims`. */
export interface IntrospectedToken {
  /** The claim `sub`, if there is one. */
  readonly subject: string | undefined;
  /** The claim `iss`, or the configured issuer. */
  readonly issuer: string | undefined;
  /** The claim `aud`, always as a list; empty when the response has none. */
  readonly audience: readonly string[];
  /** The claim `client_id`, if there is one. */
  readonly clientId: string | undefined;
  /** The claim `scope`, split at spaces. */
  readonly scopes: readonly string[];
  /** The claim `jti`, if there is one. */
  readonly tokenId: string | undefined;
  /** The claim `exp`, in epoch milliseconds, if there is one. */
  readonly expiresAtMs: number | undefined;
  /** The whole response. */
  readonly claims: JsonObject;
}

/** What a response must match. */
export interface IntrospectionRules {
  readonly issuer: string | undefined;
  readonly audiences: readonly string[];
  readonly clockToleranceMs: number;
}

/** @throws TokenError `inactive`, `issuer`, `audience`, `claim`, `expired` or `notYetValid` */
export function validateIntrospectionResponse(
  response: JsonObject,
  rules: IntrospectionRules,
  now: number,
): IntrospectedToken {
  const { issuer } = rules;
  const names = issuer === undefined ? {} : { issuer };
  if (own(response, 'active') !== true) throw new TokenError('inactive', names);
  const claimed = own(response, 'iss');
  if (issuer !== undefined && claimed !== undefined && claimed !== issuer)
    throw new TokenError('issuer', { claim: 'iss' });
  const audience = audienceIn(response);
  if (rules.audiences.length > 0 && !audience.some((one) => rules.audiences.includes(one))) {
    throw new TokenError('audience', { claim: 'aud', ...names });
  }
  const expiresAtMs = timeIn(response, 'exp', names);
  const notBeforeMs = timeIn(response, 'nbf', names);
  checkTimes(expiresAtMs, notBeforeMs, rules.clockToleranceMs, now, names);
  return Object.freeze({
    subject: stringClaim(response, 'sub', issuer),
    issuer: typeof claimed === 'string' ? claimed : issuer,
    audience: Object.freeze(audience),
    clientId: stringClaim(response, 'client_id', issuer),
    scopes: Object.freeze(scopesOf(response)),
    tokenId: stringClaim(response, 'jti', issuer),
    expiresAtMs,
    claims: deepFrozen(response),
  });
}

/**
 * `expiresAtMs` is checked again each time the cached response is used.
 * @throws TokenError `expired` or `notYetValid`
 */
export function checkTimes(
  expiresAtMs: number | undefined,
  notBeforeMs: number | undefined,
  clockToleranceMs: number,
  now: number,
  names: { issuer?: string },
): void {
  if (expiresAtMs !== undefined && !(now < expiresAtMs + clockToleranceMs)) {
    throw new TokenError('expired', { claim: 'exp', ...names });
  }
  if (notBeforeMs !== undefined && !(now >= notBeforeMs - clockToleranceMs)) {
    throw new TokenError('notYetValid', { claim: 'nbf', ...names });
  }
}

function timeIn(response: JsonObject, claim: string, names: { issuer?: string }): number | undefined {
  const value = own(response, claim);
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'number' || !Number.isFinite(value)) throw new TokenError('claim', { claim, ...names });
  return value * 1_000;
}

function audienceIn(response: JsonObject): string[] {
  const value = own(response, 'aud');
  const values = Array.isArray(value) ? (value as unknown[]) : [value];
  return values.filter((one): one is string => typeof one === 'string' && one !== '');
}

function deepFrozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  for (const item of Object.values(value)) deepFrozen(item);
  return Object.freeze(value);
}
