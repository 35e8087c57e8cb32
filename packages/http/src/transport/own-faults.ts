/**
 * Whose fault it is that a connection could not be made. What a server shows, such as its certificate, speaks of the server.
 * What it says of the certificate of this client does not, nor what the functions and certificates given here fail with:
 * the server may be as well as ever, and another endpoint would do no better.
 */

/** Kept beside the errors, which are the caller's or Node's. */
const ownFaults = new WeakSet<Error>();

/** After these the transport connects again and again, without asking whether anybody waits. */
const REPEATED_CODES: ReadonlySet<unknown> = new Set(['UND_ERR_INFO', 'UND_ERR_SOCKET']);

/** Functions of the caller's are asked for names and certificates, and may fail with anything. */
export function asError(failure: unknown): Error {
  const isOne = failure instanceof Error;
  if (isOne && !REPEATED_CODES.has((failure as NodeJS.ErrnoException).code)) return failure;
  const error = new Error(isOne ? failure.message : 'Connecting failed with what is not an error', { cause: failure });
  return Object.assign(error, { code: 'ECONNABORTED' });
}

/** What was thrown before anything was asked of the other side. */
export function ownFault(failure: unknown): Error {
  const error = asError(failure);
  ownFaults.add(error);
  return error;
}

/** The alerts by which a server refuses the certificate of a client, or that there is none (RFC 8446, section 6.2). */
const CERTIFICATE_REFUSED =
  /ALERT_(?:ACCESS_DENIED|BAD_CERTIFICATE|CERTIFICATE_(?:EXPIRED|REQUIRED|REVOKED|UNKNOWN)|UNKNOWN_CA|UNSUPPORTED_CERTIFICATE)$/;

/** Whether a failure with this code speaks of this side alone. */
export function isOwnFault(error: unknown, code: string): boolean {
  return CERTIFICATE_REFUSED.test(code) || (error instanceof Error && ownFaults.has(error));
}
