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

type Plain<Schema extends StandardSchema | undefined, Throws extends boolean> = RequestOptions<Schema, Throws>;
type WithBody<Schema extends StandardSchema | undefined, Throws extends boolean> = RequestOptions<Schema, Throws> &
  BodyOptions;

/** Calls without a body. */
export interface PlainCall {
  <const Path extends string, Schema extends StandardSchema | undefined = undefined, Throws extends boolean = true>(
    path: Path,
    ...options: RequestArguments<Path, Plain<Schema, Throws>>
  ): Promise<ResponseOf<Schema, Throws>>;
}

/** Calls that may have a body. */
export interface BodyCall {
  <const Path extends string, Schema extends StandardSchema | undefined = undefined, Throws extends boolean = true>(
    path: Path,
    ...options: RequestArguments<Path, WithBody<Schema, Throws>>
  ): Promise<ResponseOf<Schema, Throws>>;
}

/**
 * A client for one service. Every call is retried where that is safe, within a budget; limited in time, as a whole and
 * for each try; refused at once while the service is down; and read whole within limits.
 *
 * Calls reject with `HttpStatusError`, `HttpNetworkError`, `HttpTimeoutError`, `HttpDecodeError` or
 * `HttpResponseTooLargeError`, each with its `attempts`; with `CircuitOpenError` or `BulkheadFullError` when nothing was
 * sent; with `OptionsError` for a wrong request; and with the reason of the caller's signal.
 */
export interface HttpClient extends AsyncDisposable {
  readonly name: string;
  get: PlainCall;
  head: PlainCall;
  post: BodyCall;
  put: BodyCall;
  patch: BodyCall;
  delete: BodyCall;
  /** Any method, in capital letters. */
  request<
    const Path extends string,
    Schema extends StandardSchema | undefined = undefined,
    Throws extends boolean = true,
  >(
    method: string,
    path: Path,
    ...options: RequestArguments<Path, WithBody<Schema, Throws>>
  ): Promise<ResponseOf<Schema, Throws>>;
  /**
   * Any method, with an answer whose body is read as it comes in, of any size. Time limits and retries go as far as the
   * headers of the answer; from there `idleTimeoutMs` and `unreadTimeoutMs` see to it that the body comes to an end, and
   * `signal` still cancels it. `responseLimits` do not hold, but `maxBytes` can be given.
   */
  stream<const Path extends string>(
    method: string,
    path: Path,
    ...options: RequestArguments<Path, StreamOptions>
  ): Promise<HttpStream>;
  /**
   * The standard's `fetch` for URLs at the client's origin, and for paths: with everything else of the client, its time
   * limits up to the headers. Bound, so it can be handed to other clients. Rejects with the errors of this client, not
   * with `TypeError`; a redirect that is refused rejects too. A POST with an `Idempotency-Key` header is retried.
   */
  readonly fetch: FetchFunction;
  /** The effective options, in words. */
  describe(): string;
  stats(): HttpClientStats;
  /** Refuses new calls, waits for those in flight, retries included, and closes the connections. Idempotent. */
  close(): Promise<void>;
}

/** Counts since the client was made, and what is now. */
export interface HttpClientStats {
  readonly calls: number;
  /** Calls that resolved. */
  readonly succeeded: number;
  /** Calls that rejected. */
  readonly failed: number;
  readonly inFlight: number;
  /** Tries that were begun; without a failure as many as calls. */
  readonly attempts: number;
  /** Calls that were answered by an identical one in flight, with `dedupe`; not among `calls`. */
  readonly joined: number;
  readonly policies: PolicyStats;
  /** Of each route, the policies that are kept by route. */
  readonly routes: Readonly<Record<string, PolicyStats>>;
  /** Undefined without a cache. */
  readonly cache: HttpCacheStats | undefined;
  /** Undefined with a dispatcher that was handed in, or several endpoints. */
  readonly connections: ConnectionStats | undefined;
  /** With `endpoints`: what is known of each. */
  readonly endpoints: readonly EndpointStats[];
  /** With `endpoints`: which region is in use, and which is down; in the order of the list. */
  readonly regions: readonly RegionStats[];
  /** With `endpoints`: how often endpoints were ejected and regions changed; undefined without. */
  readonly balancing: BalancingStats | undefined;
}
