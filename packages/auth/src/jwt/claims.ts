// The claims that every profile has in common: the times (`exp`, `nbf`, `iat`) and the audience (RFC 7519 section 4.1).
import { TokenError } from '../errors.ts';
import { type JsonObject, own } from './strict-json.ts';

/** FAPI 2.0 section 5.3.2.1: an `iat` more than a minute in the future is not explained by differing clocks. */
const MAX_IAT_AHEAD_MS = 60_000;
/** The last second of the year 9999. Larger values are mistakes, such as milliseconds. */
const MAX_NUMERIC_DATE = 253_402_300_799;

/** The times of a token, in epoch milliseconds. */
export interface TokenTimes {
  readonly expiresAtMs: number;
  readonly notBeforeMs: number | undefined;
  readonly issuedAtMs: number | undefined;
}

/** How strictly the times of a token are checked. */
export interface TimeRules {
  readonly clockToleranceMs: number;
  readonly maxTokenAgeMs: number | undefined;
  readonly issuer: string;
}

/**
 * @throws TokenError `claim` for a required time that is missing, or one that is not a NumericDate (RFC 7519 section
 * 2).
 */
export function readTokenTimes(payload: JsonObject, iatRequired: boolean, issuer: string): TokenTimes {
  const expiresAtMs = numericDate(payload, 'exp', issuer);
  const issuedAtMs = numericDate(payload, 'iat', issuer);
  if (expiresAtMs === undefined) throw new TokenError('claim', { claim: 'exp', issuer });
  if (iatRequired && issuedAtMs === undefined) throw new TokenError('claim', { claim: 'iat', issuer });
  return { expiresAtMs, notBeforeMs: numericDate(payload, 'nbf', issuer), issuedAtMs };
}

function numericDate(payload: JsonObject, claim: string, issuer: string): number | undefined {
  const seconds = own(payload, claim);
  if (seconds === undefined) return undefined;
  if (typeof seconds !== 'number' || !(seconds >= 0 && seconds <= MAX_NUMERIC_DATE)) {
    throw new TokenError('claim', { claim, issuer });
  }
  return seconds * 1_000;
}

/**
 * Runs when a token is verified and each time it is served from the cache, so both give the same result at every instant.
 * @throws TokenError `expired`, `notYetValid` or `tooOld`.
 */
export function checkTokenTimes(times: TokenTimes, now: number, rules: TimeRules): void {
  const { clockToleranceMs: tolerance, maxTokenAgeMs, issuer } = rules;
  const { expiresAtMs, notBeforeMs, issuedAtMs } = times;
  // Negated comparisons: if the clock returns NaN, the token is rejected.
  if (!(now < expiresAtMs + tolerance)) throw new TokenError('expired', { claim: 'exp', issuer });
  if (notBeforeMs !== undefined && !(now >= notBeforeMs - tolerance)) {
    throw new TokenError('notYetValid', { claim: 'nbf', issuer });
  }
  if (issuedAtMs !== undefined && !(now >= issuedAtMs - MAX_IAT_AHEAD_MS)) {
    throw new TokenError('notYetValid', { claim: 'iat', issuer });
  }
  // A verifier with `maxTokenAgeMs` requires `iat`, so it is there.
  if (maxTokenAgeMs !== undefined && !(now < (issuedAtMs as number) + maxTokenAgeMs + tolerance)) {
    throw new TokenError('tooOld', { claim: 'iat', issuer });
  }
}

/**
 * @throws TokenError `claim` unless `aud` is a string or a list of strings, `audience` unless it contains one of
 * `audiences`.
 */
export function checkAudience(payload: JsonObject, audiences: readonly string[], issuer: string): readonly string[] {
  const value = own(payload, 'aud');
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (values.length === 0 || !values.every((one) => typeof one === 'string' && one !== '')) {
    throw new TokenError('claim', { claim: 'aud', issuer });
  }
  if (!audiences.some((audience) => values.includes(audience))) {
    throw new TokenError('audience', { claim: 'aud', issuer });
  }
  return values as readonly string[];
}
