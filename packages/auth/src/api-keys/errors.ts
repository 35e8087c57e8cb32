import { MacadamError } from '@macadam/core';
import { credentialErrorOptions } from '../credential-error.ts';

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

const REASON_TEXTS: Readonly<Record<ApiKeyReason, string>> = {
  malformed: 'it does not have the form of a key, or its checksum is wrong',
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
    const retryable = reason === 'lookupFailed';
    super(
      `The API key was refused: ${REASON_TEXTS[reason]}.`,
      credentialErrorOptions('MAC_API_KEY_INVALID', retryable, cause),
    );
    this.reason = reason;
  }
}
ApiKeyError.prototype.name = 'ApiKeyError';
