import { MacadamError } from '@macadam/core';
import { credentialErrorOptions } from '../credential-error.ts';

/** Why a DPoP proof was rejected. Stable values, for metrics. */
export type DpopReason =
  /** The request has no `DPoP` header, or `Authorization` does not use the DPoP scheme. */
  | 'missing'
  /** Several proofs, not a strict compact JWT, or a claim of the wrong type. */
  | 'malformed'
  /** `typ` is not `dpop+jwt`. */
  | 'type'
  /** `alg` is not one of `algorithms`. */
  | 'algorithm'
  /** The key in the proof is private, too weak, or not one for its algorithm. */
  | 'key'
  /** The signature is wrong. */
  | 'signature'
  /** `htm` is another method. */
  | 'method'
  /** `htu` is another URL. */
  | 'url'
  /** `iat` is longer ago than `maxAgeMs`. */
  | 'tooOld'
  /** `iat` is in the future, by more than `clockToleranceMs`. */
  | 'tooNew'
  /** `ath` is the hash of another access token. */
  | 'token'
  /** The access token is bound to another key, or to none. */
  | 'binding'
  /** The required server nonce is missing or too old. The client retries with the `nonce` of the error. */
  | 'nonce'
  /** `seen` says that this proof was received before. */
  | 'replayed'
  /** `seen` failed. The proof itself was not judged: `retryable`. */
  | 'replayUnknown';

const REASON_TEXTS: Readonly<Record<DpopReason, string>> = {
  missing: 'the request has none',
  malformed: 'it is not one strict compact JWT',
  type: 'it is a token of another kind',
  algorithm: 'its algorithm is not allowed',
  key: 'its key is private, too weak, or not one for its algorithm',
  signature: 'its signature is wrong',
  method: 'it was made for another method',
  url: 'it was made for another URL',
  tooOld: 'it was made too long ago',
  tooNew: 'it was made in the future',
  token: 'it was made for another access token',
  binding: 'the access token is not bound to its key',
  nonce: 'the nonce of the server is missing from it, or too old',
  replayed: 'it was received before',
  replayUnknown: 'the check whether it was received before failed',
};

/** Every reason. */
export const DPOP_REASONS = Object.keys(REASON_TEXTS) as readonly DpopReason[];

/**
 * The `error` of the challenge (RFC 9449 sections 7.1 and 9). For all other reasons the proof is at fault:
 * `invalid_dpop_proof`.
 */
const CHALLENGE_ERRORS: Readonly<Partial<Record<DpopReason, string>>> = {
  token: 'invalid_token',
  binding: 'invalid_token',
  nonce: 'use_dpop_nonce',
};

/**
 * A DPoP proof of possession (RFC 9449) was rejected. Code `MAC_DPOP_INVALID`. Contains nothing of the proof or the token.
 * Respond with 401, `challenge` as `WWW-Authenticate` and, if there is one, `nonce` as `DPoP-Nonce`; with 503 where it is
 * `retryable` (`replayUnknown`).
 */
export class DpopError extends MacadamError {
  /** Why the proof was rejected. */
  readonly reason: DpopReason;
  /** The value for the response header `WWW-Authenticate`. */
  readonly challenge: string;
  /** The value for the response header `DPoP-Nonce`; undefined when the verifier uses no nonces. */
  readonly nonce: string | undefined;

  constructor(
    reason: DpopReason,
    { algorithms, nonce, cause }: { algorithms: readonly string[]; nonce?: string | undefined; cause?: unknown },
  ) {
    const retryable = reason === 'replayUnknown';
    super(
      `The proof of possession was refused: ${REASON_TEXTS[reason]}.`,
      credentialErrorOptions('MAC_DPOP_INVALID', retryable, cause),
    );
    this.reason = reason;
    const error = reason === 'missing' ? '' : `error="${CHALLENGE_ERRORS[reason] ?? 'invalid_dpop_proof'}", `;
    this.challenge = `DPoP ${error}algs="${algorithms.join(' ')}"`;
    this.nonce = nonce;
  }
}
DpopError.prototype.name = 'DpopError';
