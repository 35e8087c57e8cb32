/**
 * Connection failures that were caused on this side. What a server shows, such as its certificate, counts against the server.
 * That it rejects the client certificate does not, nor do errors of the functions and certificates in the client's options:
 * the server may be healthy, and another endpoint would do no better. So these are neither retried nor counted by circuits.
 */

/** Kept beside the errors, which belong to the caller or to Node. */
const localFailures = new WeakSet<Error>();

/** After connect errors with these codes undici reconnects in a loop, even when no request waits. */
const RECONNECT_CODES: ReadonlySet<unknown> = new Set(['UND_ERR_INFO', 'UND_ERR_SOCKET']);

/** Makes an error that undici can be given of anything that a function in the client's options has failed with. */
export function toConnectError(failure: unknown): Error {
  const isError = failure instanceof Error;
  if (isError && !RECONNECT_CODES.has((failure as NodeJS.ErrnoException).code)) return failure;
  const message = isError ? failure.message : 'Connecting failed with a value that is not an Error';
  return Object.assign(new Error(message, { cause: failure }), { code: 'ECONNABORTED' });
}

/** Marks what was thrown before anything was sent to the server. */
export function localFailure(failure: unknown): Error {
  const error = toConnectError(failure);
  localFailures.add(error);
  return error;
}

/** The TLS alerts by which a server rejects the client certificate, or the lack of one (RFC 8446, section 6.2). */
const CERTIFICATE_REJECTED =
  /ALERT_(?:ACCESS_DENIED|BAD_CERTIFICATE|CERTIFICATE_(?:EXPIRED|REQUIRED|REVOKED|UNKNOWN)|UNKNOWN_CA|UNSUPPORTED_CERTIFICATE)$/;

/** Whether a failure with this code was caused on this side alone. */
export function isLocalFailure(error: unknown, code: string): boolean {
  return CERTIFICATE_REJECTED.test(code) || (error instanceof Error && localFailures.has(error));
}
