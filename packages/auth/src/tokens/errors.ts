import { MacadamError } from '@macadam/core';

/** Why no token was to be had: stable words for metrics. */
export type TokenRequestReason =
  /** The endpoint did not answer, or not in time. */
  | 'unreachable'
  /** It answered with an error: `error` has its OAuth code, where it gave one. */
  | 'refused'
  /** It answered with something else than the standard says. */
  | 'malformed'
  /** What the request is made with (an assertion, a subject token, a secret) could not be had. */
  | 'credential'
  /** The store of refresh tokens failed. */
  | 'store'
  /** The client was closed. */
  | 'closed';

const SENTENCES: Readonly<Record<TokenRequestReason, string>> = {
  unreachable: 'the endpoint did not answer',
  refused: 'the endpoint refused',
  malformed: 'the answer is not as the standard says',
  credential: 'a credential that the request is made with could not be had',
  store: 'the store of refresh tokens failed',
  closed: 'the client was closed',
};

/** What a {@link TokenRequestError} is made with. */
export interface TokenRequestErrorDetails {
  /** Of the answer. */
  status?: number | undefined;
  /** The OAuth error code as it came; anything that does not look like one is left out. */
  error?: string | undefined;
  retryAfterMs?: number | undefined;
  cause?: unknown;
}

/**
 * No token could be had. Code `MAC_TOKEN_REQUEST`. Holds neither a token nor a secret, nor the endpoint's own words, which
 * may quote one. `retryable` when the same request may succeed later: no answer, 429, 5xx, or a store that failed.
 */
export class TokenRequestError extends MacadamError {
  readonly reason: TokenRequestReason;
  /** The endpoint, without its query. */
  readonly endpoint: string;
  /** The status of the answer, if there was one. */
  readonly status: number | undefined;
  /** The OAuth error code, such as `invalid_client` (RFC 6749 section 5.2). */
  readonly error: string | undefined;
  /** How long the endpoint asked to be left alone, in milliseconds. */
  readonly retryAfterMs: number | undefined;

  constructor(reason: TokenRequestReason, endpoint: string, details: TokenRequestErrorDetails = {}) {
    const { status, retryAfterMs, cause } = details;
    const error =
      details.error !== undefined && details.error.length <= 64 && /^[a-z]+([_.-][a-z]+)*$/.test(details.error)
        ? details.error
        : undefined;
    const told = [status, error].filter((one) => one !== undefined).join(' ');
    super(`The request to ${endpoint} failed: ${SENTENCES[reason]}${told === '' ? '' : ` (${told})`}.`, {
      code: 'MAC_TOKEN_REQUEST',
      retryable: ['unreachable', 'credential', 'store'].includes(reason) || status === 429 || (status ?? 0) >= 500,
      cause,
      stack: false,
    });
    this.reason = reason;
    this.endpoint = endpoint;
    this.status = status;
    this.error = error;
    this.retryAfterMs = retryAfterMs;
  }
}
TokenRequestError.prototype.name = 'TokenRequestError';
