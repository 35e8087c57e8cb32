import { TokenError } from '../errors.ts';
import { type JsonObject, own } from './strict-json.ts';

/** FAPI 2.0 section 5.3.2.1: a token from more than a minute ahead is not a matter of clocks any more. */
const MAX_AHEAD_MS = 60_000;
/** The last second of the year 9999: what lies beyond is not a date. */
const LAST_SECOND = 253_402_300_799;

/** When a token may be used, in epoch milliseconds. */
export interface ValidityTimes {
  readonly expiresAtMs: number;
  readonly notBeforeMs: number | undefined;
  readonly issuedAtMs: number | undefined;
}

/** How strictly times are judged. */
export interface TimeRules {
  readonly clockToleranceMs: number;
  readonly maxTokenAgeMs: number | undefined;
  readonly issuer: string;
}

/** @throws TokenError `claim` for a time that is missing or not a number that is a date. */
export function timesIn(payload: JsonObject, issuedAtDemanded: boolean, issuer: string): ValidityTimes {
  const expiresAtMs = dateIn(payload, 'exp', issuer);
  const issuedAtMs = dateIn(payload, 'iat', issuer);
  if (expiresAtMs === undefined) throw new TokenError('claim', { claim: 'exp', issuer });
  if (issuedAtDemanded && issuedAtMs === undefined) throw new TokenError('claim', { claim: 'iat', issuer });
  return { expiresAtMs, notBeforeMs: dateIn(payload, 'nbf', issuer), issuedAtMs };
}

function dateIn(payload: JsonObject, claim: string, issuer: string): number | undefined {
  const seconds = own(payload, claim);
  if (seconds === undefined) return undefined;
  if (typeof seconds !== 'number' || !(seconds >= 0 && seconds <= LAST_SECOND)) {
    throw new TokenError('claim', { claim, issuer });
  }
  return seconds * 1_000;
}

/**
 * Asked for a fresh token and again each time a cached one is used, so both give the same answer at every instant.
 * @throws TokenError `expired`, `notYetValid` or `tooOld`.
 */
export function checkTimes(times: ValidityTimes, now: number, rules: TimeRules): void {
  const { clockToleranceMs: tolerance, maxTokenAgeMs, issuer } = rules;
  const { expiresAtMs, notBeforeMs, issuedAtMs } = times;
  // Each says when it passes: with a clock that tells no time nothing does.
  if (!(now < expiresAtMs + tolerance)) throw new TokenError('expired', { claim: 'exp', issuer });
  if (notBeforeMs !== undefined && !(now >= notBeforeMs - tolerance)) {
    throw new TokenError('notYetValid', { claim: 'nbf', issuer });
  }
  if (issuedAtMs !== undefined && !(now >= issuedAtMs - MAX_AHEAD_MS)) {
    throw new TokenError('notYetValid', { claim: 'iat', issuer });
  }
  // With a limit on the age, `iat` is demanded at construction.
  if (maxTokenAgeMs !== undefined && !(now < (issuedAtMs as number) + maxTokenAgeMs + tolerance)) {
    throw new TokenError('tooOld', { claim: 'iat', issuer });
  }
}

/** @throws TokenError unless `aud` is a text, or a list of texts, and holds one of `audiences`. */
export function checkAudience(payload: JsonObject, audiences: readonly string[], issuer: string): readonly string[] {
  const value = own(payload, 'aud');
  const named: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (named.length === 0 || !named.every((one) => typeof one === 'string' && one !== '')) {
    throw new TokenError('claim', { claim: 'aud', issuer });
  }
  if (!audiences.some((audience) => named.includes(audience))) {
    throw new TokenError('audience', { claim: 'aud', issuer });
  }
  return named as readonly string[];
}
