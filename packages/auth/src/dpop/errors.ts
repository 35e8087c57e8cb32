import { MacadamError } from '@macadam/core';

/** Why a proof of possession was refused. */
export type DpopReason =
  /** There is no proof, or the token came without the DPoP scheme. */
  | 'missing'
  /** Several proofs, not a strict compact JWT, or a claim that is not of its type. */
  | 'malformed'
  /** A token of another kind. */
  | 'type'
  | 'algorithm'
  /** Its key is private, weak, or not one for its algorithm. */
  | 'key'
  | 'signature'
  /** Made for another method. */
  | 'method'
  /** Made for another address. */
  | 'url'
  | 'too_old'
  | 'too_new'
  /** Made for another token. */
  | 'token'
  /** The token is bound to another key, or to none. */
  | 'binding'
  /** It lacks the nonce that was asked for, or has an old one: the client tries again with `nonce`. */
  | 'nonce'
  /** It was received before. */
  | 'replayed'
  /** `seen` failed. Says nothing about the proof: `retryable`. */
  | 'replay_unknown';

const SENTENCES: Readonly<Record<DpopReason, string>> = {
  missing: 'there is none',
  malformed: 'it is not one strict compact JWT',
  type: 'it is a token of another kind',
  algorithm: 'its algorithm is not allowed',
  key: 'its key is not one to use',
  signature: 'its signature is wrong',
  method: 'it was made for another method',
  url: 'it was made for another address',
  too_old: 'it was made too long ago',
  too_new: 'it was made in the future',
  token: 'it was made for another token',
  binding: 'the token is not bound to its key',
  nonce: 'it has to be made with a nonce',
  replayed: 'it was received before',
  replay_unknown: 'whether it was received before could not be found out',
};

/** All of them. */
export const DPOP_REASONS = Object.keys(SENTENCES) as readonly DpopReason[];

/** The challenges of RFC 9449 sections 7.1 and 9: faults of the proof, of the token, and the nonce. */
const CODES: Readonly<Partial<Record<DpopReason, string>>> = {
  token: 'invalid_token',
  binding: 'invalid_token',
  nonce: 'use_dpop_nonce',
};

/**
 * A proof of possession (RFC 9449) that was refused. Code `MAC_DPOP_INVALID`. Holds nothing of proof or token. Answer 401
 * with `challenge` as `WWW-Authenticate` and, where there is one, `nonce` as `DPoP-Nonce`; 503 where it is `retryable`.
 */
export class DpopError extends MacadamError {
  readonly reason: DpopReason;
  /** The value of `WWW-Authenticate`. */
  readonly challenge: string;
  /** The value of `DPoP-Nonce`. */
  readonly nonce: string | undefined;

  constructor(
    reason: DpopReason,
    { algorithms, nonce, cause }: { algorithms: readonly string[]; nonce?: string | undefined; cause?: unknown },
  ) {
    super(`The proof of possession was refused: ${SENTENCES[reason]}.`, {
      code: 'MAC_DPOP_INVALID',
      retryable: reason === 'replay_unknown',
      cause,
      // Refusals are answers, not accidents, and an attacker decides how many there are.
      stack: false,
    });
    this.reason = reason;
    const error = reason === 'missing' ? '' : `error="${CODES[reason] ?? 'invalid_dpop_proof'}", `;
    this.challenge = `DPoP ${error}algs="${algorithms.join(' ')}"`;
    this.nonce = nonce;
  }
}
DpopError.prototype.name = 'DpopError';
