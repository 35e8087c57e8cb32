import type { MacadamError } from '@macadam/core';
import { isRetryableFailure, isSafeToResend, type RetryRules } from './retry-rules.ts';
import { HttpNetworkError, requestFailure, type NetworkPhase } from './errors.ts';
import type { PreparedRequest } from './request.ts';
import { ProxyError } from './transport/proxy-error.ts';

/** The error for a failure of the transport, or of the caller's body stream, whose failures the transport passes on. */
export function networkFailure(
  { subject, source }: PreparedRequest,
  error: Error,
  phase: NetworkPhase,
  retryable: boolean,
): MacadamError {
  if (source?.failure !== undefined) return requestFailure(subject, 'body', source.failure);
  // A parse error contains the bytes it could not parse, which may be confidential.
  if ('data' in error) error.data = undefined;
  return new HttpNetworkError(subject, codeOf(error), phase, retryable, error);
}

/** The error of an attempt that the transport ended. */
export function attemptFailure(
  request: PreparedRequest,
  rules: RetryRules,
  error: Error,
  phase: NetworkPhase,
): MacadamError {
  const { repeatable, source } = request;
  const canRepeat = repeatable && source?.replayable !== false;
  const retryable = isRetryableFailure(rules, codeOf(error), canRepeat, isSafeToResend(error, phase, source));
  return networkFailure(request, error, phase, retryable);
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
