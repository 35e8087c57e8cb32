import { MacadamError } from '@macadam/core';

/** Why a token was refused: stable words for metrics and for the `error_description` you choose to send. */
export type TokenReason =
  /** Not three canonical base64url parts, the first of strict JSON, and so is the second of a JWT. */
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
  /** It is bound to a key or a certificate (`cnf`) that whoever brings it has not shown, or that nobody has looked at. */
  | 'binding'
  | 'revoked'
  /** `isRevoked` failed. Says nothing about the token: `retryable`. */
  | 'revocation_unknown'
  /** The issuer, asked about it, says it is not active. */
  | 'inactive'
  /** The issuer could not be asked about it. Says nothing about the token: `retryable`. */
  | 'introspection_unavailable';

const SENTENCES: Readonly<Record<TokenReason, string>> = {
  malformed: 'it is not three parts of strict base64url, or does not come alone: without `Bearer`',
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
  binding: 'it is bound to something that was not shown with it',
  revoked: 'it was revoked',
  revocation_unknown: 'whether it was revoked could not be found out',
  inactive: 'its issuer says that it is not active',
  introspection_unavailable: 'its issuer could not be asked about it',
};

/** All of them. */
export const TOKEN_REASONS = Object.keys(SENTENCES) as readonly TokenReason[];

const NOT_THE_TOKENS_FAULT: readonly TokenReason[] = [
  'keys_unavailable',
  'revocation_unknown',
  'introspection_unavailable',
];

/** What a {@link TokenError} is made with. */
export interface TokenErrorDetails {
  /** The header or claim that is at fault. */
  claim?: string | undefined;
  /** The configured issuer, once known. */
  issuer?: string | undefined;
  cause?: unknown;
}

/**
 * A token that was refused. Code `MAC_TOKEN_INVALID`. Holds no part of the token: neither its text nor a value from it.
 * `retryable` only when the reason lies with us or the issuer (`keys_unavailable`, `revocation_unknown`,
 * `introspection_unavailable`): answer those with 503, all others with 401.
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
      retryable: NOT_THE_TOKENS_FAULT.includes(reason),
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

/** Why a signature was refused. */
export type SignatureReason =
  /** A header that carries the signature is missing. */
  | 'missing'
  /** A header is there twice, or is not written as the standard says. */
  | 'malformed'
  | 'too_old'
  /** Its time is ahead of ours by more than clocks differ. */
  | 'too_new'
  /** Its `expires` is over. */
  | 'expired'
  /** A parameter that is demanded is missing, or is not of its type. */
  | 'parameter'
  /** A component that must be signed is not. */
  | 'not_covered'
  /** A component that was signed is not in the message, or there more than once. */
  | 'component'
  /** Its algorithm is not that of the key. */
  | 'algorithm'
  /** There is no such key. */
  | 'key_unknown'
  /** `resolveKey` failed. Says nothing about the message: `retryable`. */
  | 'key_unavailable'
  | 'signature'
  /** The content is not the one whose digest was signed. */
  | 'digest'
  /** It was received before. */
  | 'replayed'
  /** `seen` failed. Says nothing about the message: `retryable`. */
  | 'replay_unknown';

const SIGNATURE_SENTENCES: Readonly<Record<SignatureReason, string>> = {
  missing: 'a header is missing',
  malformed: 'a header is not as the standard says',
  too_old: 'it was signed too long ago',
  too_new: 'it was signed in the future',
  expired: 'it has expired',
  parameter: 'a parameter is missing or not of its type',
  not_covered: 'a component that must be signed is not',
  component: 'a component that was signed is not there',
  algorithm: 'its algorithm is not that of the key',
  key_unknown: 'there is no such key',
  key_unavailable: 'the key could not be looked up',
  signature: 'no signature is right',
  digest: 'its content is not the one that was signed',
  replayed: 'it was received before',
  replay_unknown: 'whether it was received before could not be found out',
};

/** A signed message that was refused. Code `MAC_SIGNATURE_INVALID`. Holds nothing of the message or the signature. */
export class SignatureError extends MacadamError {
  readonly reason: SignatureReason;
  /** The header, component or parameter that is at fault, by name. */
  readonly header: string | undefined;

  constructor(reason: SignatureReason, { header, cause }: { header?: string; cause?: unknown } = {}) {
    super(`The message was refused: ${SIGNATURE_SENTENCES[reason]}${header === undefined ? '' : ` (${header})`}.`, {
      code: 'MAC_SIGNATURE_INVALID',
      retryable: reason === 'replay_unknown' || reason === 'key_unavailable',
      cause,
      stack: false,
    });
    this.reason = reason;
    this.header = header;
  }
}
SignatureError.prototype.name = 'SignatureError';

/** Why an API key was refused. */
export type ApiKeyReason =
  /** Not a key of ours: the form or the checksum is wrong. Found out without a look-up. */
  | 'malformed'
  /** Made for another prefix or environment. */
  | 'environment'
  /** No such id, or not its secret. */
  | 'unknown'
  | 'expired'
  | 'revoked'
  /** The look-up failed. Says nothing about the key: `retryable`. */
  | 'lookup_failed';

const API_KEY_SENTENCES: Readonly<Record<ApiKeyReason, string>> = {
  malformed: 'it is not a key of ours',
  environment: 'it is for another environment',
  unknown: 'there is no such key',
  expired: 'it has expired',
  revoked: 'it was revoked',
  lookup_failed: 'it could not be looked up',
};

/** An API key that was refused. Code `MAC_API_KEY_INVALID`. Holds no part of the key. */
export class ApiKeyError extends MacadamError {
  readonly reason: ApiKeyReason;

  constructor(reason: ApiKeyReason, cause?: unknown) {
    super(`The API key was refused: ${API_KEY_SENTENCES[reason]}.`, {
      code: 'MAC_API_KEY_INVALID',
      retryable: reason === 'lookup_failed',
      cause,
      stack: false,
    });
    this.reason = reason;
  }
}
ApiKeyError.prototype.name = 'ApiKeyError';

/** What a {@link ForbiddenError} is made of. */
interface Denial {
  readonly reason: string;
  readonly rule: string | undefined;
  readonly policyVersion: string;
  readonly cause?: unknown;
}

/**
 * Somebody may not do what they asked for. Code `MAC_FORBIDDEN`. Answer 403, and 503 where it is `retryable`: then nobody
 * who could say was to be asked, and `cause` tells why. Says what was asked and what decided, and neither who asked nor for
 * what.
 */
export class ForbiddenError extends MacadamError {
  readonly action: string;
  readonly reason: string;
  /** The rule that decided, if one did. */
  readonly rule: string | undefined;
  readonly policyVersion: string;

  constructor(action: string, decision: Denial) {
    super(`${action} is not allowed: ${whyNot(decision)}.`, {
      code: 'MAC_FORBIDDEN',
      retryable: decision.reason === 'unavailable',
      cause: decision.cause,
      stack: false,
    });
    this.action = action;
    this.reason = decision.reason;
    this.rule = decision.rule;
    this.policyVersion = decision.policyVersion;
  }
}
ForbiddenError.prototype.name = 'ForbiddenError';

function whyNot({ reason, rule = 'no rule allows it' }: Denial): string {
  if (reason === 'unavailable') return 'whoever decides did not answer';
  return reason === 'rule_failed' ? `${rule} could not be evaluated` : rule;
}
