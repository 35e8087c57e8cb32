import { MacadamError } from '@macadam/core';
import type { Decision, DecisionReason } from './permissions/decision.ts';
import { rejected } from './rejected.ts';

/** Why a token was rejected. Stable values, for metrics and for the `error_description` you choose to send. */
export type TokenReason =
  /** Not a compact JWS: three canonical base64url parts with a strict JSON header and, for a JWT, strict JSON claims. */
  | 'malformed'
  /** Longer than `maxTokenLength`. */
  | 'tooLarge'
  /** The header uses `crit`, `b64` or `zip`, or carries its own key (`jwk`, `jku`, `x5c`, `x5u`). None is supported. */
  | 'unsupportedHeader'
  /** `alg` is not one of the `algorithms` of its issuer. */
  | 'algorithm'
  /** `typ` is not that of the profile: a token of another kind. */
  | 'type'
  /** `iss` is not one of the configured issuers. */
  | 'issuer'
  /** `aud` does not contain the configured audience. */
  | 'audience'
  /** A claim that the profile requires is missing or has the wrong type. */
  | 'claim'
  /** `exp` has passed. */
  | 'expired'
  /** `nbf` or `iat` is in the future. */
  | 'notYetValid'
  /** `iat` is longer ago than `maxTokenAgeMs`. */
  | 'tooOld'
  /** No key of the issuer matches the `kid`, or the token has no `kid` and several keys match. */
  | 'keyUnknown'
  /** The keys of the issuer could not be fetched. The token itself was not judged: `retryable`. */
  | 'keysUnavailable'
  /** The signature is wrong. */
  | 'signature'
  /** The token is bound to a key or certificate (`cnf`), and the sender did not prove that it holds it. */
  | 'binding'
  /** `isRevoked` returned true. */
  | 'revoked'
  /** `isRevoked` failed. The token itself was not judged: `retryable`. */
  | 'revocationUnknown'
  /** Introspection says that the token is not active (RFC 7662). */
  | 'inactive'
  /** The introspection endpoint could not be reached. The token itself was not judged: `retryable`. */
  | 'introspectionUnavailable';

const SENTENCES: Readonly<Record<TokenReason, string>> = {
  malformed: 'it is not three parts of strict base64url, or does not come alone: without `Bearer`',
  tooLarge: 'it is longer than allowed',
  unsupportedHeader: 'its header asks for something that is never done',
  algorithm: 'its algorithm is not allowed for the issuer',
  type: 'it is a token of another kind',
  issuer: 'its issuer is not one of those configured',
  audience: 'it is meant for another audience',
  claim: 'a claim is missing or not of its type',
  expired: 'it has expired',
  notYetValid: 'it is not valid yet',
  tooOld: 'it was issued too long ago',
  keyUnknown: 'the issuer has no such key',
  keysUnavailable: "the issuer's keys could not be fetched",
  signature: 'its signature is wrong',
  binding: 'it is bound to something that was not shown with it',
  revoked: 'it was revoked',
  revocationUnknown: 'whether it was revoked could not be found out',
  inactive: 'its issuer says that it is not active',
  introspectionUnavailable: 'its issuer could not be asked about it',
};

/** All of them. */
export const TOKEN_REASONS = Object.keys(SENTENCES) as readonly TokenReason[];

const NOT_THE_TOKENS_FAULT: readonly TokenReason[] = [
  'keysUnavailable',
  'revocationUnknown',
  'introspectionUnavailable',
];

/** Details of a {@link TokenError}. */
export interface TokenErrorDetails {
  /** The name of the header or claim at fault. */
  claim?: string | undefined;
  /** The configured issuer, once it is known. */
  issuer?: string | undefined;
  /** The underlying error. */
  cause?: unknown;
}

/**
 * A token was rejected. Code `MAC_TOKEN_INVALID`. Contains no part of the token, neither its text nor a claim value.
 * `retryable` only when the token could not be judged (`keysUnavailable`, `revocationUnknown`,
 * `introspectionUnavailable`): respond to those with 503, to all others with 401.
 */
export class TokenError extends MacadamError {
  /** Why the token was rejected. */
  readonly reason: TokenReason;
  /** The name of the header or claim at fault, if there is one. */
  readonly claim: string | undefined;
  /** The configured issuer of the token, once it is known. */
  readonly issuer: string | undefined;

  constructor(reason: TokenReason, { claim, issuer, cause }: TokenErrorDetails = {}) {
    const unjudged = NOT_THE_TOKENS_FAULT.includes(reason);
    super(
      `The token was refused: ${SENTENCES[reason]}${claim === undefined ? '' : ` (${claim})`}.`,
      rejected('MAC_TOKEN_INVALID', unjudged, cause),
    );
    this.reason = reason;
    this.claim = claim;
    this.issuer = issuer;
  }
}
TokenError.prototype.name = 'TokenError';

/** Why a signed message or webhook was rejected. Stable values, for metrics. */
export type SignatureReason =
  /** A header that carries the signature is missing. */
  | 'missing'
  /** A signature header occurs twice, or does not follow the standard. */
  | 'malformed'
  /** Signed longer ago than `maxAgeMs` (webhooks: `toleranceMs`). */
  | 'tooOld'
  /** Signed in the future, by more than the clock tolerance. */
  | 'tooNew'
  /** The `expires` parameter has passed. */
  | 'expired'
  /** A required signature parameter is missing or has the wrong type. */
  | 'parameter'
  /** A component of `requiredComponents` is not signed. */
  | 'notCovered'
  /** A signed component is missing from the message, or occurs more than once. */
  | 'component'
  /** The `alg` parameter is not the algorithm of the key. */
  | 'algorithm'
  /** `resolveKey` does not know the key. */
  | 'keyUnknown'
  /** `resolveKey` failed. The message itself was not judged: `retryable`. */
  | 'keyUnavailable'
  /** The signature is wrong. */
  | 'signature'
  /** The content does not match the signed digest. */
  | 'digest'
  /** `seen` says that this message was received before. */
  | 'replayed'
  /** `seen` failed. The message itself was not judged: `retryable`. */
  | 'replayUnknown';

const SIGNATURE_SENTENCES: Readonly<Record<SignatureReason, string>> = {
  missing: 'a header is missing',
  malformed: 'a header is not as the standard says',
  tooOld: 'it was signed too long ago',
  tooNew: 'it was signed in the future',
  expired: 'it has expired',
  parameter: 'a parameter is missing or not of its type',
  notCovered: 'a component that must be signed is not',
  component: 'a component that was signed is not there',
  algorithm: 'its algorithm is not that of the key',
  keyUnknown: 'there is no such key',
  keyUnavailable: 'the key could not be looked up',
  signature: 'no signature is right',
  digest: 'its content is not the one that was signed',
  replayed: 'it was received before',
  replayUnknown: 'whether it was received before could not be found out',
};

/**
 * A signed message or webhook was rejected. Code `MAC_SIGNATURE_INVALID`. Contains nothing of the message or the signature.
 * Respond with 401; with 503 where it is `retryable` (`keyUnavailable`, `replayUnknown`).
 */
export class SignatureError extends MacadamError {
  /** Why the message was rejected. */
  readonly reason: SignatureReason;
  /** The name of the header, component or parameter at fault, if there is one. */
  readonly header: string | undefined;

  constructor(reason: SignatureReason, { header, cause }: { header?: string; cause?: unknown } = {}) {
    const unjudged = reason === 'replayUnknown' || reason === 'keyUnavailable';
    super(
      `The message was refused: ${SIGNATURE_SENTENCES[reason]}${header === undefined ? '' : ` (${header})`}.`,
      rejected('MAC_SIGNATURE_INVALID', unjudged, cause),
    );
    this.reason = reason;
    this.header = header;
  }
}
SignatureError.prototype.name = 'SignatureError';

/**
 * The principal may not do what was asked for. Code `MAC_FORBIDDEN`. Respond with 403; with 503 where it is `retryable`
 * (`reason` is `unavailable`; `cause` says why). Contains the action and the rule, and neither the principal nor the resource.
 */
export class ForbiddenError extends MacadamError {
  /** The action that was asked for. */
  readonly action: string;
  /** Why it is denied. */
  readonly reason: DecisionReason;
  /** The id of the rule that decided; undefined when none did. */
  readonly rule: string | undefined;
  /** The version of the permissions that decided. */
  readonly policyVersion: string;

  constructor(action: string, decision: Omit<Decision, 'allowed'>) {
    super(`${action} is not allowed: ${whyNot(decision)}.`, {
      code: 'MAC_FORBIDDEN',
      retryable: decision.reason === 'unavailable',
      // A rule that cannot be evaluated is a bug in the rules, although the answer is the same.
      refusalStatus: decision.reason === 'unavailable' || decision.reason === 'ruleFailed' ? undefined : 403,
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

function whyNot({ reason, rule = 'no rule allows it' }: Omit<Decision, 'allowed'>): string {
  if (reason === 'unavailable') return 'whoever decides did not answer';
  return reason === 'ruleFailed' ? `${rule} could not be evaluated` : rule;
}
