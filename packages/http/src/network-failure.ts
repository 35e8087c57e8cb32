import type { MacadamError } from '@macadam/core';
import { isRetryableFailure, isSafeToResend, type RetryRules } from './retry-rules.ts';
import { HttpNetworkError, requestFailure, type NetworkPhase } from './errors.ts';
import type { OpenStream } from './body/source.ts';
import type { PreparedRequest } from './request.ts';
import { ProxyError } from './transport/proxy-error.ts';

/** A request that failed, and the stream that its body was read from. */
interface FailedRequest {
  readonly request: PreparedRequest;
  readonly upload: OpenStream | undefined;
}

/** The error for a failure of the transport, or of the caller's body stream, whose failures the transport passes on. */
export function networkFailure(
  { request: { subject }, upload }: FailedRequest,
  error: Error,
  phase: NetworkPhase,
  retryable: boolean,
): MacadamError {
  if (upload?.failure !== undefined) return requestFailure(subject, 'body', upload.failure);
  // A parse error contains the bytes it could not parse, which may be confidential.
  if ('data' in error) error.data = undefined;
  return new HttpNetworkError(subject, codeIn(phase, error), phase, retryable, error);
}

/** The error of an attempt that the transport ended. */
export function attemptFailure(
  failed: FailedRequest,
  rules: RetryRules,
  error: Error,
  phase: NetworkPhase,
): MacadamError {
  const { repeatable, source } = failed.request;
  const canRepeat = repeatable && source?.replayable !== false;
  const retryable = isRetryableFailure(rules, codeIn(phase, error), canRepeat, isSafeToResend(error, phase, source));
  return networkFailure(failed, error, phase, retryable);
}

/**
 * The code of an error in its phase. Before the response headers no length can be wrong: so undici reports a header that it
 * cannot parse after a `Content-Length`.
 */
function codeIn(phase: NetworkPhase, error: Error): string {
  const code = codeOf(error);
  return phase === 'request' && code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH' ? 'HTTPParserError' : code;
}

/** The end of the parser's message for a response that broke off. undici 8.12 drops the code of that error. */
const INVALID_EOF_MESSAGE = '(Invalid EOF state)';

/** The code of a network error; if several addresses were tried, that of the first. */
export function codeOf(error: Error): string {
  if (error instanceof ProxyError) return error.errorCode;
  const { code } = error as NodeJS.ErrnoException;
  if (typeof code === 'string') return code;
  if (error.name === 'HTTPParserError' && error.message.endsWith(INVALID_EOF_MESSAGE)) return 'HPE_INVALID_EOF_STATE';
  if (error instanceof AggregateError && error.errors[0] instanceof Error) return codeOf(error.errors[0]);
  return error.name;
}

/** The code of a cancellation. The reason may be any value, since callers choose what they abort a signal with. */
export function codeOfReason(reason: unknown): string {
  const { code, name } = Object(reason) as { code?: unknown; name?: unknown };
  if (typeof code === 'string') return code;
  return typeof name === 'string' ? name : 'cancelled';
}
