import type { PolicyStats } from '@macadam/resilience';
import type { ConnectionStats } from './dispatcher.ts';
import type { BalancingStats } from './endpoints/balancing-stats.ts';
import type { EndpointStats } from './endpoints/endpoint.ts';
import type { RegionStats } from './endpoints/region.ts';
import type { HttpCacheStats } from './http-cache/stats.ts';
import type { BodyOptions, RequestArguments, RequestOptions, ResponseOf } from './request-options.ts';
import type { StandardSchema } from './schema.ts';
import type { FetchFunction } from './fetch.ts';
import type { HttpStream } from './stream/http-stream.ts';
import type { StreamOptions } from './stream/options.ts';

/** The signature of calls without a body: `get` and `head`. */
export interface PlainCall {
  <const Path extends string, Schema extends StandardSchema | undefined = undefined, Throws extends boolean = true>(
    path: Path,
    ...options: RequestArguments<Path, RequestOptions<Schema, Throws>>
  ): Promise<ResponseOf<Schema, Throws>>;
}

/** The signature of calls that may have a body: `post`, `put`, `patch` and `delete`. */
export interface BodyCall {
  <const Path extends string, Schema extends StandardSchema | undefined = undefined, Throws extends boolean = true>(
    path: Path,
    ...options: RequestArguments<Path, RequestOptions<Schema, Throws> & BodyOptions>
  ): Promise<ResponseOf<Schema, Throws>>;
}

/**
 * A client for one service, made by `createHttpClient`. Each call is retried where that is safe and the retry budget allows it,
 * has a time limit for the whole call and for each attempt, is refused at once while the circuit breaker is open, and reads the
 * response completely, within limits.
 *
 * Calls reject with:
 * - `HttpStatusError`, `HttpNetworkError`, `HttpTimeoutError`, `HttpDecodeError`, `HttpResponseTooLargeError`, `HttpRequestError` or
 *   `HttpSsrfError`, each with its `attempts`;
 * - `CircuitOpenError`, `BulkheadFullError` or `ConcurrencyLimitedError` of `@macadam/resilience` when the call was refused;
 * - `OptionsError` (`MAC_INVALID_OPTIONS`) for wrong arguments, and `ClosedError` (`MAC_CLOSED`) after `close()`;
 * - the reason of the caller's signal when that aborts.
 */
export interface HttpClient extends AsyncDisposable {
  /** The name of the client in errors, statistics and telemetry. */
  readonly name: string;
  /** Sends a GET request. `path` is a template: each `{name}` in it is filled in from `params`. */
  get: PlainCall;
  /** Sends a HEAD request. */
  head: PlainCall;
  /** Sends a POST request, retried only with an `idempotencyKey`, when declared `idempotent`, or when nothing of it was sent. */
  post: BodyCall;
  /** Sends a PUT request. */
  put: BodyCall;
  /** Sends a PATCH request, retried like a POST request. */
  patch: BodyCall;
  /** Sends a DELETE request. */
  delete: BodyCall;
  /** Sends a request with any method, written in capital letters. */
  request<
    const Path extends string,
    Schema extends StandardSchema | undefined = undefined,
    Throws extends boolean = true,
  >(
    method: string,
    path: Path,
    ...options: RequestArguments<Path, RequestOptions<Schema, Throws> & BodyOptions>
  ): Promise<ResponseOf<Schema, Throws>>;
  /**
   * Sends a request with any method and resolves with a response whose body is read as it arrives, of any size. Time limits and
   * retries apply until the response headers have arrived. From then on `idleTimeoutMs` and `unreadTimeoutMs` bound how long the
   * body may take, and `signal` still cancels it. `maxBytes` limits its size; `responseLimits.maxBytes` does not apply.
   */
  stream<const Path extends string>(
    method: string,
    path: Path,
    ...options: RequestArguments<Path, StreamOptions>
  ): Promise<HttpStream>;
  /**
   * A standard `fetch` for paths and for URLs at the client's origin, with the retries, circuit breaker and limits of the client;
   * its time limits apply until the response headers have arrived. It is bound, so that it can be passed to other clients.
   * Rejects with the errors of this client instead of `TypeError`, also for a redirect that is not followed. A POST request
   * with an `Idempotency-Key` header is retried.
   */
  readonly fetch: FetchFunction;
  /** Describes the effective options, one per line, for logs and debugging. */
  describe(): string;
  /** Counts since the client was created, and its current state. */
  stats(): HttpClientStats;
  /**
   * Refuses new calls (`MAC_CLOSED`), waits for the calls in flight, retries included, and closes the connections. May be called
   * more than once.
   */
  close(): Promise<void>;
}

/** Statistics of a client: counts since it was created, and its current state. */
export interface HttpClientStats {
  /** Calls started; those that joined another one with `dedupe` are not included. */
  readonly calls: number;
  /** Calls that resolved. */
  readonly succeeded: number;
  /** Calls that rejected. */
  readonly failed: number;
  /** Calls in flight now. */
  readonly inFlight: number;
  /** Attempts started: equal to `calls` as long as nothing is retried, hedged, refused or answered from the cache. */
  readonly attempts: number;
  /** Calls that shared the request of an identical call in flight (`dedupe`); not included in `calls`. */
  readonly joined: number;
  /** Statistics of each policy of the client, by its name. */
  readonly policies: PolicyStats;
  /** Statistics of the policies kept `per: 'route'`, by route. */
  readonly routes: Readonly<Record<string, PolicyStats>>;
  /** Statistics of the HTTP cache; undefined without one. */
  readonly cache: HttpCacheStats | undefined;
  /** The connections; undefined with a `dispatcher` or `endpoints`. */
  readonly connections: ConnectionStats | undefined;
  /** With `endpoints`: the state of each; else empty. */
  readonly endpoints: readonly EndpointStats[];
  /** With `endpoints`: the state of each region, in the order of the list; else empty. */
  readonly regions: readonly RegionStats[];
  /** With `endpoints`: how often endpoints were ejected and regions changed; undefined without. */
  readonly balancing: BalancingStats | undefined;
}
