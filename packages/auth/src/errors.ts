import { MacadamError } from '@macadam/core';

/** Why a token was refused: stable words for metrics and for the `error_description` you choose to send. */
export type TokenReason =
  /** Not three canonical base64url parts of strict JSON. */
  | 'malformed'
  | 'too_large'
  /** A header that asks for what is never done: `crit`, `b64`, `zip`, or a key that travels with the token. */
  | 'unsupported_header'
  | 'algorithm'
  | 'type'
  | 'issuer'
  | 'audience'
  /** A claim that the profile demands is missing, or is not of its type. */
  | 'claim'
  | 'expired'
  | 'not_yet_valid'
  /** Older than `maxTokenAgeMs`. */
  | 'too_old'
  /** No key of the issuer has the token's `kid`, or the token names none and several would do. */
  | 'key_unknown'
  /** The issuer's keys could not be fetched. Says nothing about the token: `retryable`. */
  | 'keys_unavailable'
  | 'signature'
  | 'revoked'
  /** `isRevoked` failed. Says nothing about the token: `retryable`. */
  | 'revocation_unknown';

const SENTENCES: Readonly<Record<TokenReason, string>> = {
  malformed: 'it is not a strict compact JWT',
  too_large: 'it is longer than allowed',
  unsupported_header: 'its header asks for something that is never done',
  algorithm: 'its algorithm is not allowed for the issuer',
  type: 'it is a token of another kind',
  issuer: 'its issuer is not one of those configured',
  audience: 'it is meant for another audience',
  claim: 'a claim is missing or not of its type',
  expired: 'it has expired',
  not_yet_valid: 'it is not valid yet',
  too_old: 'it was issued too long ago',
  key_unknown: 'the issuer has no such key',
  keys_unavailable: "the issuer's keys could not be fetched",
  signature: 'its signature is wrong',
  revoked: 'it was revoked',
  revocation_unknown: 'whether it was revoked could not be found out',
};

/** What a {@link TokenError} is made with. */
export interface TokenErrorDetails {
  /** The header or claim that is at fault. */
  claim?: string;
  /** The configured issuer, once known. */
  issuer?: string;
  cause?: unknown;
}

/**
 * A token that was refused. Code `MAC_TOKEN_INVALID`. Holds no part of the token: neither its text nor a value from it.
 * `retryable` only when the reason lies with us or the issuer (`keys_unavailable`, `revocation_unknown`): answer those
 * with 503, all others with 401.
 */
export class TokenError extends MacadamError {
  readonly reason: TokenReason;
  /** The header or claim that is at fault, by name. */
  readonly claim: string | undefined;
  /** The configured issuer that the token claims to be from, once that is known. */
  readonly issuer: string | undefined;

  constructor(reason: TokenReason, { claim, issuer, cause }: TokenErrorDetails = {}) {
    super(`The token was refused: ${SENTENCES[reason]}${claim === undefined ? '' : ` (${claim})`}.`, {
      code: 'MAC_TOKEN_INVALID',
      retryable: reason === 'keys_unavailable' || reason === 'revocation_unknown',
      cause,
      // Refusals are answers, not accidents, and an attacker decides how many there are.
      stack: false,
    });
    this.reason = reason;
    this.claim = claim;
    this.issuer = issuer;
  }
}
TokenError.prototype.name = 'TokenError';
