export type { HttpAttempt } from './attempts.ts';
export { createHttpClient } from './client.ts';
export type { BodyCall, HttpClient, HttpClientStats, PlainCall } from './http-client.ts';
export type { ConnectionStats, HttpDispatcher } from './dispatcher.ts';
export {
  HttpDecodeError,
  HttpError,
  HttpNetworkError,
  HttpResponseTooLargeError,
  HttpStatusError,
  HttpTimeoutError,
} from './errors.ts';
export type { DecodeReason, ErrorSubject, GaveUp, NetworkPhase, ResponseLimit } from './errors.ts';
export type { RequestHeaders, ResponseHeaders } from './headers.ts';
export {
  DEFAULT_ATTEMPT_TIMEOUT_MS,
  DEFAULT_CONNECT_TIMEOUT_MS,
  DEFAULT_MAX_BYTES,
  DEFAULT_MAX_ENCODINGS,
  DEFAULT_MAX_RATIO,
  DEFAULT_TIMEOUT_MS,
} from './options.ts';
export type { HttpClientOptions, HttpRetryOptions, ResponseLimits } from './options.ts';
export type { PathParamName, PathParamValue } from './path-template.ts';
export type { Peer } from './peer.ts';
export type { Query, QueryValue } from './query.ts';
export type { BodyOptions, PathOptions, RequestArguments, RequestOptions, ResponseOf } from './request-options.ts';
export type { HttpResponse } from './response.ts';
export { DEFAULT_RETRY_ERROR_CODES, DEFAULT_RETRY_METHODS, DEFAULT_RETRY_STATUSES } from './retry-rules.ts';
export type { SchemaIssue, SchemaOutput, SchemaResult, StandardSchema } from './schema.ts';
