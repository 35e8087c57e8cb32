import { MacadamError } from '@macadam/core';

/** Why no token could be obtained. Stable values, for metrics. */
export type TokenRequestReason =
  /** The endpoint did not respond within `timeoutMs`, or at all. */
  | 'unreachable'
  /** The endpoint responded with an error. `error` is its OAuth error code, if it sent one. */
  | 'refused'
  /** The response does not follow the standard. */
  | 'malformed'
  /** A function that provides a secret, an assertion or a subject token failed. */
  | 'credential'
  /** The token store failed. */
  | 'store';

const REASON_TEXTS: Readonly<Record<TokenRequestReason, string>> = {
  unreachable: 'the endpoint did not respond',
  refused: 'the endpoint refused it',
  malformed: 'the response does not follow the standard',
  credential: 'a secret, assertion or token that the request needs could not be provided',
  store: 'the store of refresh tokens failed',
};

/** Details of a {@link TokenRequestError}. */
export interface TokenRequestErrorDetails {
  /** The status of the response. */
  status?: number | undefined;
  /** The OAuth error code of the response. A text that does not look like one is left out. */
  error?: string | undefined;
  /** The `Retry-After` of the response, in milliseconds. */
  retryAfterMs?: number | undefined;
  /** The underlying error. */
  cause?: unknown;
}

/**
 * No token could be obtained. Code `MAC_TOKEN_REQUEST`. Contains neither a token nor a secret, nor the error text of
 * the endpoint, which may quote one. `retryable` when the same request may succeed later: no response, 429, 5xx, or a
 * failure of the store or of a function that provides a credential.
 */
export class TokenRequestError extends MacadamError {
  /** Why no token could be obtained. */
  readonly reason: TokenRequestReason;
  /** The URL of the endpoint, without its query. */
  readonly endpoint: string;
  /** The status of the response, if there was one. */
  readonly status: number | undefined;
  /** The OAuth error code, such as `invalid_client` (RFC 6749 section 5.2). */
  readonly error: string | undefined;
  /** When the endpoint allows another request (`Retry-After`), in milliseconds from now; undefined when it did not say. */
  readonly retryAfterMs: number | undefined;

  constructor(reason: TokenRequestReason, endpoint: string, details: TokenRequestErrorDetails = {}) {
    const { status, retryAfterMs, cause } = details;
    const error =
      details.error !== undefined && details.error.length <= 64 && /^[a-z]+([_.-][a-z]+)*$/.test(details.error)
        ? details.error
        : undefined;
    const detailsText = [status, error].filter((one) => one !== undefined).join(' ');
    super(
      `The request to ${endpoint} failed: ${REASON_TEXTS[reason]}${detailsText === '' ? '' : ` (${detailsText})`}.`,
      {
        code: 'MAC_TOKEN_REQUEST',
        retryable: ['unreachable', 'credential', 'store'].includes(reason) || status === 429 || (status ?? 0) >= 500,
        cause,
        stack: false,
      },
    );
    this.reason = reason;
    this.endpoint = endpoint;
    this.status = status;
    this.error = error;
    this.retryAfterMs = retryAfterMs;
  }
}
TokenRequestError.prototype.name = 'TokenRequestError';
