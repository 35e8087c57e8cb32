import { MacadamError } from '@macadam/core';
import type { Decision, DecisionReason } from './permissions/decision.ts';
import { credentialErrorOptions } from './credential-error.ts';

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
  /**
   * The keys of the issuer could not be fetched, or not since a key that is not known yet may have been published. The
   * token itself was not judged: `retryable`.
   */
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

const REASON_TEXTS: Readonly<Record<TokenReason, string>> = {
  malformed: 'it is not a compact JWS of strict base64url and JSON (pass it without `Bearer`)',
  tooLarge: 'it is longer than allowed',
  unsupportedHeader: 'its header has a parameter that is not supported',
  algorithm: 'its algorithm is not allowed for the issuer',
  type: 'it is a token of another kind',
  issuer: 'its issuer is not one of those configured',
  audience: 'it is meant for another audience',
  claim: 'a claim is missing or has the wrong type',
  expired: 'it has expired',
  notYetValid: 'it is not valid yet',
  tooOld: 'it was issued too long ago',
  keyUnknown: 'no key of the issuer matches it',
  keysUnavailable: "the issuer's keys could not be fetched",
  signature: 'its signature is wrong',
  binding: 'it is bound to a key or certificate that the sender did not prove to hold',
  revoked: 'it was revoked',
  revocationUnknown: 'the check whether it was revoked failed',
  inactive: 'its issuer says that it is not active',
  introspectionUnavailable: 'it could not be introspected',
};

/** Every reason. */
export const TOKEN_REASONS = Object.keys(REASON_TEXTS) as readonly TokenReason[];

/** The token could not be judged: the fault is ours or the issuer's, not the caller's. */
const RETRYABLE: readonly TokenReason[] = ['keysUnavailable', 'revocationUnknown', 'introspectionUnavailable'];

/** Details of a {@link TokenError}. */
export interface TokenErrorDetails {
  /** The name of the header or claim at fault. */
  claim?: string | undefined;
  /** The configured issuer, once it is known. */
  issuer?: string | undefined;
  /** The URL of the key set that could not be fetched, without its query. */
  jwksUri?: string | undefined;
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
  /**
   * The URL of the key set that could not be fetched (`keysUnavailable`), without its query, which may be a credential;
   * undefined for all other reasons.
   */
  readonly jwksUri: string | undefined;

  constructor(reason: TokenReason, { claim, issuer, jwksUri, cause }: TokenErrorDetails = {}) {
    const message =
      jwksUri === undefined
        ? `The token was refused: ${REASON_TEXTS[reason]}${claim === undefined ? '' : ` (${claim})`}.`
        : keysUnavailableMessage(issuer, jwksUri);
    super(message, credentialErrorOptions('MAC_TOKEN_INVALID', RETRYABLE.includes(reason), cause));
    this.reason = reason;
    this.claim = claim;
    this.issuer = issuer;
    this.jwksUri = jwksUri;
  }
}
TokenError.prototype.name = 'TokenError';

/** Without the word "token", since `ready()` rejects with it too, before any token was received. */
function keysUnavailableMessage(issuer: string | undefined, jwksUri: string): string {
  return `The keys ${issuer === undefined ? '' : `of ${issuer} `}could not be fetched from ${jwksUri}.`;
}

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

const SIGNATURE_REASON_TEXTS: Readonly<Record<SignatureReason, string>> = {
  missing: 'a header is missing',
  malformed: 'a header occurs twice or is malformed',
  tooOld: 'it was signed too long ago',
  tooNew: 'it was signed in the future',
  expired: 'it has expired',
  parameter: 'a parameter is missing or has the wrong type',
  notCovered: 'a component that must be signed is not',
  component: 'a signed component is missing from the message, or occurs more than once',
  algorithm: 'its algorithm is not that of the key',
  keyUnknown: 'its key is not known',
  keyUnavailable: 'its key could not be looked up',
  signature: 'its signature is wrong',
  digest: 'its content does not match the signed digest',
  replayed: 'it was received before',
  replayUnknown: 'the check whether it was received before failed',
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
    const retryable = reason === 'replayUnknown' || reason === 'keyUnavailable';
    super(
      `The message was refused: ${SIGNATURE_REASON_TEXTS[reason]}${header === undefined ? '' : ` (${header})`}.`,
      credentialErrorOptions('MAC_SIGNATURE_INVALID', retryable, cause),
    );
    this.reason = reason;
    this.header = header;
  }
}
SignatureError.prototype.name = 'SignatureError';

/**
 * The principal may not do what was asked for. Code `MAC_FORBIDDEN`. Respond with 403; with 503 where it is `retryable`
 * (`reason` is `unavailable`; `cause` says why). Contains the action and the rule, and neither the principal nor the
 * resource.
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
    super(`${action} is not allowed: ${denialText(decision)}.`, {
      code: 'MAC_FORBIDDEN',
      retryable: decision.reason === 'unavailable',
      // What cannot be evaluated is a bug in the rules or in how they are asked, not a refused caller, although denied.
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

function denialText({ reason, rule }: Omit<Decision, 'allowed'>): string {
  if (reason === 'unavailable') return 'the permission service did not decide';
  if (reason === 'ruleFailed') return `${rule ?? 'the request'} could not be evaluated`;
  return rule ?? 'no rule allows it';
}
