export type { HttpAttempt } from './attempts.ts';
export type { FetchFunction } from './fetch.ts';
export { basic } from './auth.ts';
export type { AuthHeaders, AuthorizableRequest, AuthorizedResponse, AuthorizeContext, HttpAuth } from './auth.ts';
export type { Multipart, MultipartValue } from './body/multipart.ts';
export type { StreamedBody } from './body/source.ts';
export { createHttpClient } from './client.ts';
export type { BodyCall, HttpClient, HttpClientStats, PlainCall } from './http-client.ts';
export type { ConnectionStats, HttpDispatcher } from './dispatcher.ts';
export type { BalancingStats } from './endpoints/balancing-stats.ts';
export type { EndpointStats } from './endpoints/endpoint.ts';
export type { EjectionReason } from './endpoints/outliers.ts';
export type { RegionStats } from './endpoints/region.ts';
export type { EndpointOptions, EndpointsOption } from './endpoints/options.ts';
export { HttpDecodeError, HttpResponseTooLargeError } from './body-errors.ts';
export { HttpError, HttpNetworkError, HttpRequestError, HttpStatusError, HttpTimeoutError } from './errors.ts';
export type { DecodeReason, ResponseLimit } from './body-errors.ts';
export type { ErrorSubject, HttpGaveUpReason, NetworkPhase, RequestPart } from './errors.ts';
export type { RequestHeaders, ResponseHeaders } from './headers.ts';
export type { StoredFields } from './http-cache/fields.ts';
export type { HttpCacheStore } from './http-cache/memory-store.ts';
export type { HttpCacheOptions } from './http-cache/options.ts';
export type { HttpCacheStats } from './http-cache/stats.ts';
export type { StoredPart } from './http-cache/ranges.ts';
export type { CacheMode, StoredResponse } from './http-cache/stored-response.ts';
export type { SelectingFields } from './http-cache/vary.ts';
export type {
  HttpAdaptiveConcurrencyOptions,
  HttpBulkheadOptions,
  HttpCircuitBreakerOptions,
  HttpClientOptions,
  HttpHedgeOptions,
  HttpRetryOptions,
  PolicyScope,
  RedirectOptions,
  ResponseLimits,
} from './options.ts';
export type { HttpPacing, HttpTurn, PacedResponse } from './pacing.ts';
export type { PathParamName, PathParamValue } from './path-template.ts';
export type { ConnectionOptions, DnsOptions } from './transport/connection-options.ts';
export type { ResolvedAddress, ResolveFunction } from './transport/ttl-resolver.ts';
export { HttpSsrfError } from './transport/ssrf-error.ts';
export type { Pem, TlsOptions, TlsSource } from './transport/tls.ts';
export type { Peer } from './peer.ts';
export type { Query, QueryValue } from './query.ts';
export type { RedirectRefusal } from './redirect.ts';
export type { BodyOptions, PathOptions, RequestArguments, RequestOptions, ResponseOf } from './request-options.ts';
export type { HttpResponse } from './response.ts';
export { DEFAULT_RETRY_ERROR_CODES, DEFAULT_RETRY_METHODS, DEFAULT_RETRY_STATUSES } from './retry-rules.ts';
export type { HttpStream } from './stream/http-stream.ts';
export { jsonLines } from './stream/json-lines.ts';
export type { JsonLinesOptions } from './stream/json-lines.ts';
export type { ByteSource } from './stream/lines.ts';
export type { StreamLimits, StreamOptions } from './stream/options.ts';
export { HttpStreamError } from './stream/stream-error.ts';
export type { StreamReason } from './stream/stream-error.ts';
export { sse } from './stream/sse.ts';
export type { ServerSentEvent, SseOptions } from './stream/sse.ts';
export type { SchemaIssue, SchemaOutput, SchemaResult, StandardSchema } from './schema.ts';
