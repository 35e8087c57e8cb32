/** Names and values of spans and metrics, by the semantic conventions. They contain no values from callers, such as path parameters. */
import { isMacadamError, type Clock } from '@macadam/core';
import type { HttpAttempt } from './attempts.ts';
import { HttpNetworkError, HttpStatusError } from './errors.ts';
import type { PathTemplate } from './path-template.ts';
import { redactQuery } from './query.ts';
import type { PreparedRequest } from './request.ts';
import { HttpResponse } from './response.ts';

/** The properties of a client that its traces need. */
export interface TracedClient {
  readonly name: string;
  /** Whether the trace context is sent. */
  readonly propagates: boolean;
  /** Whether baggage is sent as well. */
  readonly baggage: boolean;
  readonly clock: Clock;
}

export type SpanAttributes = Record<string, string | number>;

/** The methods that appear in metrics. Any other one counts as `_OTHER`, so that the number of series is bounded. */
export const METHODS: ReadonlySet<string> = new Set([
  'DELETE',
  'GET',
  'HEAD',
  'OPTIONS',
  'PATCH',
  'POST',
  'PUT',
  'QUERY',
  'TRACE',
]);

/** Low cardinality: the method, and the template of a path with parameters. */
export function spanName({ method, subject }: PreparedRequest): string {
  const name = METHODS.has(method) ? method : 'HTTP';
  return subject.template === undefined ? name : `${name} ${subject.template}`;
}

/** The `error.type` of a request; undefined if it did not fail. A status from 400 on is a failure. */
export function errorTypeOfRequest({ status, errorCode }: HttpAttempt): string | undefined {
  return errorCode ?? (status !== undefined && status >= 400 ? String(status) : undefined);
}

/** A shorter delay before the first request is not a wait in a queue, but other work of the event loop. */
const MIN_WAIT_MS = 1;

/**
 * Whether the span of its only request describes a call completely, so that the call needs no span: the request started with
 * the call and ended with the same error, if any.
 */
export function isCoveredByRequestSpan(
  records: readonly HttpAttempt[],
  cancelled: boolean,
  errorType: string | undefined,
): boolean {
  const only = records[0];
  if (only === undefined || records.length > 1 || only.startedAtMs >= MIN_WAIT_MS) return false;
  return errorType === (cancelled ? undefined : errorTypeOfRequest(only));
}

/** A point in time in seconds and nanoseconds: epoch milliseconds plus an elapsed time, which has the higher resolution. */
export function timeAt(epochMs: number, elapsedMs: number): [seconds: number, nanoseconds: number] {
  const whole = Math.floor(epochMs / 1_000);
  const ms = epochMs - whole * 1_000 + elapsedMs;
  const seconds = Math.floor(ms / 1_000);
  const nanoseconds = Math.min(Math.round((ms - seconds * 1_000) * 1_000_000), 999_999_999);
  return [whole + seconds, nanoseconds];
}

/**
 * The `error.type` of a call; undefined if it succeeded or was cancelled.
 *
 * @param outcome - the response, or the error the call rejects with
 */
export function errorTypeOf(outcome: unknown): string | undefined {
  if (outcome instanceof HttpResponse || outcome instanceof HttpStatusError) {
    return outcome.status >= 400 ? String(outcome.status) : undefined;
  }
  if (outcome instanceof HttpNetworkError) return outcome.errorCode;
  return isMacadamError(outcome) && outcome.code !== 'MAC_ABORTED' ? outcome.code : undefined;
}

/** The URL of a request, with path parameters by name: their values can be anything, also reset tokens and email addresses. */
export function redactedUrl({ subject, template, path, hop }: PreparedRequest): string {
  if (hop === undefined) return subject.url;
  return hop.origin + (subject.template === undefined ? redactQuery(path) : redactedHopPath(template, path));
}

/** A redirect may repeat path parameters in its location: only segments that are words of the template are shown. */
function redactedHopPath({ route }: PathTemplate, path: string): string {
  const [segments = '', ...query] = path.split('?');
  const words = new Set(route.split('/'));
  const redacted = segments.split('/').map((segment) => (words.has(segment) ? segment : 'REDACTED'));
  return redacted.join('/') + (query.length > 0 ? `?${redactQuery(query.join('?'))}` : '');
}
