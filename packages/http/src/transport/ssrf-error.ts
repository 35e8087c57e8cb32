import { HttpError, type HttpNetworkError } from '../errors.ts';
import { AddressBlockedError } from './address-guard.ts';

/** Nothing was sent: the host leads to a private or special address, or to none. Code `MAC_HTTP_SSRF_BLOCKED`. */
export class HttpSsrfError extends HttpError {
  /** As the URL, or the redirect, has it. */
  readonly hostname: string;
  /** The address that must not be reached; undefined when the host has none. For logs, not for whoever gave the URL. */
  readonly address: string | undefined;

  constructor(subject: { method: string; url: string }, { hostname, address }: AddressBlockedError) {
    const why = address === undefined ? 'its host has no address' : 'its host leads to an address that is not public';
    super(`was not sent: ${why}`, subject, { code: 'MAC_HTTP_SSRF_BLOCKED' });
    this.hostname = hostname;
    this.address = address;
  }
}
HttpSsrfError.prototype.name = 'HttpSsrfError';

/** What a failure of the network comes to: an error of its own when it was us who refused to connect. */
export function explained(failure: HttpNetworkError): HttpError {
  return failure.cause instanceof AddressBlockedError ? new HttpSsrfError(failure, failure.cause) : failure;
}
