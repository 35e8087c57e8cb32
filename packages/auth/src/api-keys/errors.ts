import { MacadamError } from '@macadam/core';
import { rejected } from '../rejected.ts';

/** Why an API key was rejected. Stable values, for metrics. */
export type ApiKeyReason =
  /** The form or the checksum is wrong. Found without a lookup. */
  | 'malformed'
  /** Made for another prefix or environment. Found without a lookup. */
  | 'environment'
  /** There is no key with this id, or its secret is another one. */
  | 'unknown'
  /** `expiresAtMs` of the record has passed. */
  | 'expired'
  /** `revoked` of the record is true. */
  | 'revoked'
  /** `lookup` failed. The key itself was not judged: `retryable`. */
  | 'lookupFailed';

const API_KEY_SENTENCES: Readonly<Record<ApiKeyReason, string>> = {
  malformed: 'it is not a key of ours',
  environment: 'it is for another environment',
  unknown: 'there is no such key',
  expired: 'it has expired',
  revoked: 'it was revoked',
  lookupFailed: 'it could not be looked up',
};

/**
 * An API key was rejected. Code `MAC_API_KEY_INVALID`. Contains no part of the key. Respond with 401; with 503 where it is
 * `retryable` (`lookupFailed`).
 */
export class ApiKeyError extends MacadamError {
  /** Why the key was rejected. */
  readonly reason: ApiKeyReason;

  constructor(reason: ApiKeyReason, cause?: unknown) {
    const unjudged = reason === 'lookupFailed';
    super(`The API key was refused: ${API_KEY_SENTENCES[reason]}.`, rejected('MAC_API_KEY_INVALID', unjudged, cause));
    this.reason = reason;
  }
}
ApiKeyError.prototype.name = 'ApiKeyError';
