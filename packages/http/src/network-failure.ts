import type { MacadamError } from '@macadam/core';
import { isRetryableFailure, isSafeToResend, type RetryRules } from './retry-rules.ts';
import { HttpNetworkError, requestFailure, type NetworkPhase } from './errors.ts';
import type { PreparedRequest } from './request.ts';
import { ProxyError } from './transport/proxy-error.ts';

/** The error for what the transport failed with; or the caller's stream, whose failure the transport only passes on. */
export function networkFailure(
  { subject, source }: PreparedRequest,
  error: Error,
  phase: NetworkPhase,
  retryable: boolean,
): MacadamError {
  if (source?.failure !== undefined) return requestFailure(subject, 'body', source.failure);
  // A parse error quotes the bytes it choked on, which may be anything.
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

/** The transport (undici 8.12) leaves out the code of what its parser fails with. These are the parser's words for an answer that broke off. */
const BROKE_OFF = '(Invalid EOF state)';

/** The code of a network error; of several addresses tried, the first one's. */
export function codeOf(error: Error): string {
  if (error instanceof ProxyError) return error.errorCode;
  const { code } = error as NodeJS.ErrnoException;
  if (typeof code === 'string') return code;
  if (error.name === 'HTTPParserError' && error.message.endsWith(BROKE_OFF)) return 'HPE_INVALID_EOF_STATE';
  if (error instanceof AggregateError && error.errors[0] instanceof Error) return codeOf(error.errors[0]);
  return error.name;
}

/** The code of why a try was cancelled, whatever the caller's signal was aborted with. */
export function codeOfReason(reason: unknown): string {
  const { code, name } = Object(reason) as { code?: unknown; name?: unknown };
  if (typeof code === 'string') return code;
  return typeof name === 'string' ? name : 'cancelled';
}
