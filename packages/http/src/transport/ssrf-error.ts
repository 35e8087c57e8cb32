import { HttpError, type ErrorSubject, type HttpNetworkError } from '../errors.ts';
import { AddressBlockedError } from './address-guard.ts';

/**
 * A request that was not sent because its host resolves to a private or special address, or to none, and `ssrf` is
 * `block-private`. Code `MAC_HTTP_SSRF_BLOCKED`, not retryable.
 */
export class HttpSsrfError extends HttpError {
  /** The host, as written in the URL or in the `Location` of a redirect. */
  readonly hostname: string;
  /** The blocked address; undefined when the host has none. Log it, but do not show it to whoever supplied the URL. */
  readonly address: string | undefined;

  constructor(
    subject: ErrorSubject,
    { hostname, address }: { readonly hostname: string; readonly address: string | undefined },
  ) {
    const why = address === undefined ? 'its host has no address' : 'its host leads to an address that is not public';
    super(`was not sent: ${why}`, subject, { code: 'MAC_HTTP_SSRF_BLOCKED' });
    this.hostname = hostname;
    this.address = address;
  }
}
HttpSsrfError.prototype.name = 'HttpSsrfError';

/** Turns a network failure into {@link HttpSsrfError} if the address guard refused to connect. */
export function toSsrfError(failure: HttpNetworkError): HttpError {
  return failure.cause instanceof AddressBlockedError ? new HttpSsrfError(failure, failure.cause) : failure;
}
