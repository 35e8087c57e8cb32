/** What spans and metrics say of a request, by the names of the semantic conventions. No value of a caller's in it. */
import { isMacadamError } from '@macadam/core';
import type { HttpAttempt } from './attempts.ts';
import { HttpStatusError } from './errors.ts';
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
}

export type SpanFields = Record<string, string | number>;

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

/** What a metric may be counted by. */
export function metricFields({ method }: PreparedRequest, { endpoint }: HttpAttempt): SpanFields {
  const at = endpoint.lastIndexOf(':');
  return {
    'http.request.method': METHODS.has(method) ? method : '_OTHER',
    'server.address': endpoint.startsWith('[') ? endpoint.slice(1, at - 1) : endpoint.slice(0, at),
    'server.port': Number(endpoint.slice(at + 1)),
  };
}

/**
 * What only a span can hold.
 *
 * @param resends - requests of this call that went out before it
 */
export function spanFields(request: PreparedRequest, resends: number): SpanFields {
  const { method, subject } = request;
  const fields: SpanFields = { 'url.full': shownUrl(request) };
  if (subject.template !== undefined) fields['url.template'] = subject.template;
  if (!METHODS.has(method)) fields['http.request.method_original'] = method;
  if (resends > 0) fields['http.request.resend_count'] = resends;
  return fields;
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
  return isMacadamError(end) && end.code !== 'MAC_ABORTED' ? end.code : undefined;
}

/** The header of W3C Trace Context, section 3.2. */
export function traceparent(span: { traceId: string; spanId: string; traceFlags: number }): string {
  return `00-${span.traceId}-${span.spanId}-${(span.traceFlags & 0xff).toString(16).padStart(2, '0')}`;
}

/** How a request ended. A caller who left is not an error; a status from 400 on is one. */
export function outcomeFields(
  { status, errorCode }: HttpAttempt,
  protocol: string | undefined,
  cancelled: boolean,
): SpanFields {
  const fields: SpanFields = {};
  if (protocol !== undefined) fields['network.protocol.version'] = protocol;
  if (status !== undefined) fields['http.response.status_code'] = status;
  const failed = errorCode ?? (status !== undefined && status >= 400 ? String(status) : undefined);
  if (failed !== undefined && !cancelled) fields['error.type'] = failed;
  return fields;
}

/** Where it goes. Path parameters stay names: they can be anything, reset tokens and addresses of people too. */
function shownUrl({ subject, path, hop, endpoint }: PreparedRequest): string {
  if (hop !== undefined) return hop.origin + redactQuery(path);
  if (endpoint === undefined) return subject.url;
  const { origin, pathPrefix } = endpoint.target;
  return subject.url.replace(/^\w+:\/\/[^/]*/, origin + pathPrefix);
}
