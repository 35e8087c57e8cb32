/** What spans and metrics say of a request, by the names of the semantic conventions. No value of a caller's in it. */
import { isMacadamError, OptionsError, type Clock } from '@macadam/core';
import type { HttpAttempt } from './attempts.ts';
import { HttpNetworkError, HttpStatusError } from './errors.ts';
import { assertHeaderValue, isHeaderName, TRANSPORT_HEADERS } from './headers.ts';
import type { PathTemplate } from './path-template.ts';
import { redactQuery } from './query.ts';
import type { PreparedRequest } from './request.ts';
import { HttpResponse } from './response.ts';

/** What is the same for all calls of a client. */
export interface TracedClient {
  readonly name: string;
  /** Whether the other side may know our traces. */
  readonly propagates: boolean;
  /** Whether it may know the baggage too. */
  readonly baggage: boolean;
  readonly clock: Clock;
}

export type SpanAttributes = Record<string, string | number>;

/** Methods by name; every other one counts as `_OTHER`, so that nobody can make up series. */
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

/** Of few kinds: the method, and the template of a path with parameters. */
export function spanName({ method, subject }: PreparedRequest): string {
  const shown = METHODS.has(method) ? method : 'HTTP';
  return subject.template === undefined ? shown : `${shown} ${subject.template}`;
}

/** What a request failed with, of few kinds; undefined when it did not fail. A status from 400 on is a failure. */
export function errorTypeOfRequest({ status, errorCode }: HttpAttempt): string | undefined {
  return errorCode ?? (status !== undefined && status >= 400 ? String(status) : undefined);
}

/** A call that waited for less did not wait: something else had its turn in between. */
const WAITED_MS = 1;

/**
 * Whether the span of its only request leaves nothing of a call untold: it began with the call, and failed with what the
 * call failed with, if it did.
 */
export function isCoveredByRequestSpan(
  records: readonly HttpAttempt[],
  cancelled: boolean,
  errorType: string | undefined,
): boolean {
  const only = records[0];
  if (only === undefined || records.length > 1 || only.startedAtMs >= WAITED_MS) return false;
  return errorType === (cancelled ? undefined : errorTypeOfRequest(only));
}

/** A point in time in seconds and nanoseconds: epoch milliseconds and what has passed since, which is exact. */
export function timeAt(epochMs: number, passedMs: number): [seconds: number, nanoseconds: number] {
  const whole = Math.floor(epochMs / 1_000);
  const ms = epochMs - whole * 1_000 + passedMs;
  const seconds = Math.floor(ms / 1_000);
  const nanoseconds = Math.min(Math.round((ms - seconds * 1_000) * 1_000_000), 999_999_999);
  return [whole + seconds, nanoseconds];
}

/**
 * What a call failed with, of few kinds; undefined when it did not fail, or ended because the caller left.
 *
 * @param end - the answer, or the error the caller gets
 */
export function errorTypeOf(end: unknown): string | undefined {
  if (end instanceof HttpResponse || end instanceof HttpStatusError) {
    return end.status >= 400 ? String(end.status) : undefined;
  }
  if (end instanceof HttpNetworkError) return end.errorCode;
  return isMacadamError(end) && end.code !== 'MAC_ABORTED' ? end.code : undefined;
}

/**
 * Puts what a propagator says into a flat list of headers. What cannot be a header would fail the request, or be taken for
 * another one: throws OptionsError (`MAC_INVALID_OPTIONS`) for it, which is for the propagator to hear of.
 */
export const headerPairs = {
  set(headers: string[], name: string, value: string): void {
    const lower = String(name).toLowerCase();
    if (!isHeaderName(lower) || lower === 'host' || TRANSPORT_HEADERS.has(lower)) {
      throw new OptionsError('propagator', name, 'one that sets headers of its own');
    }
    assertHeaderValue(`propagator.${lower}`, value);
    headers.push(lower, value);
  },
};

/** The header of W3C Trace Context, section 3.2. */
export function traceparent(span: { traceId: string; spanId: string; traceFlags: number }): string {
  const { traceId, spanId, traceFlags } = span;
  const flags = traceFlags === 1 ? '01' : (traceFlags & 0xff).toString(16).padStart(2, '0');
  return `00-${traceId}-${spanId}-${flags}`;
}

/** Where it goes. Path parameters stay names: they can be anything, reset tokens and addresses of people too. */
export function redactedUrl({ subject, template, path, hop }: PreparedRequest): string {
  if (hop === undefined) return subject.url;
  return hop.origin + (subject.template === undefined ? redactQuery(path) : redactedHopPath(template, path));
}

/** A redirect repeats the parameters of the path it was sent for: of its own, only words of the template are shown. */
function redactedHopPath({ route }: PathTemplate, path: string): string {
  const [segments = '', ...query] = path.split('?');
  const words = new Set(route.split('/'));
  const shown = segments.split('/').map((segment) => (words.has(segment) ? segment : 'REDACTED'));
  return shown.join('/') + (query.length > 0 ? `?${redactQuery(query.join('?'))}` : '');
}
