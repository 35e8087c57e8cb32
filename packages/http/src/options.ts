import type { Clock, Random } from '@macadam/core';
import type {
  AdaptiveConcurrencyOptions,
  BulkheadOptions,
  CircuitBreakerOptions,
  HedgeOptions,
  RetryOptions,
} from '@macadam/resilience';
import type { HttpAuth } from './auth.ts';
import type { HttpDispatcher } from './dispatcher.ts';
import type { HttpCacheOptions } from './http-cache/options.ts';
import type { EndpointsOption } from './endpoints/options.ts';
import type { HttpPacing } from './pacing.ts';
import type { Peer } from './peer.ts';
import type { StreamLimits } from './stream/options.ts';
import type { ConnectionOptions } from './transport/connection-options.ts';

/** Total time of a call, waits and retries included. Source: .NET's standard resilience handler. */
export const DEFAULT_TIMEOUT_MS = 30_000;
/** Time of one attempt, connecting and reading the body included. Source: .NET's standard resilience handler. */
export const DEFAULT_ATTEMPT_TIMEOUT_MS = 10_000;
/** Time to connect, DNS and TLS included. Long enough for a SYN packet that is lost once (it is repeated after 1 s). */
export const DEFAULT_CONNECT_TIMEOUT_MS = 2_000;
/** 10 MiB: more than an API usually returns, and little enough for a process that reads several at once. */
export const DEFAULT_MAX_BYTES = 10_485_760;
/** Text compresses by up to about 20, a decompression bomb by 1 000. */
export const DEFAULT_MAX_RATIO = 100;
export const DEFAULT_MAX_ENCODINGS = 2;

/**
 * What a policy of a client is kept for.
 *
 * - `authority`: one policy for the client, or one for each of its `endpoints`.
 * - `route`: one policy for each method and path template, so that one broken operation does not stop the others. The 1 000
 *   most recently used routes are kept. A path without parameters is a route of its own; all calls through `fetch` with the
 *   same method share one. With `endpoints`, circuit breakers and adaptive limits are kept per route of each endpoint.
 */
export type PolicyScope = 'authority' | 'route';

/** Retry options of a client: those of `retry()`, plus what is worth retrying over HTTP. */
export interface HttpRetryOptions extends Omit<RetryOptions, 'clock' | 'random'> {
  /**
   * Methods that are safe to send twice. Default: `DEFAULT_RETRY_METHODS` (GET, HEAD, OPTIONS, TRACE, PUT, DELETE, QUERY).
   * A request with another method is retried when it has an `idempotencyKey`, is declared `idempotent`, or when nothing of it
   * was sent.
   */
  methods?: readonly string[];
  /** Response statuses that are retried. Default: `DEFAULT_RETRY_STATUSES` (408, 429, 500, 502, 503, 504). */
  statuses?: readonly number[];
  /**
   * Network errors that are retried, by their `code`. Default: `DEFAULT_RETRY_ERROR_CODES` (connection refused or reset, host
   * unreachable, name not resolved, timed out, response cut short).
   */
  errorCodes?: readonly string[];
}

/** Circuit breaker options of a client: those of `circuitBreaker()`, plus what each breaker is kept for. */
export interface HttpCircuitBreakerOptions extends Omit<CircuitBreakerOptions, 'clock' | 'random'> {
  /** One breaker per authority, or per route. Default: `authority`. */
  per?: PolicyScope;
}

/** Bulkhead options of a client: those of `bulkhead()`, plus what each bulkhead is kept for. */
export interface HttpBulkheadOptions extends Omit<BulkheadOptions, 'clock'> {
  /** One bulkhead per client, or per route. Default: `authority`. */
  per?: PolicyScope;
}

/** Adaptive concurrency options of a client: those of `adaptiveConcurrency()`, plus what each limit is kept for. */
export interface HttpAdaptiveConcurrencyOptions extends Omit<AdaptiveConcurrencyOptions, 'clock'> {
  /** One limit per authority, or per route. Default: `authority`. */
  per?: PolicyScope;
}

/** Hedge options of a client: those of `hedge()` that do not follow from the client itself. */
export type HttpHedgeOptions = Omit<HedgeOptions, 'budget' | 'clock' | 'isFatal' | 'isUnsent'>;

/** Limits on the size of a response. Exceeding `maxBytes` or `maxRatio` fails the call with `HttpResponseTooLargeError`. */
export interface ResponseLimits {
  /** Maximum size of the body in bytes, both on the wire and decoded; at least 1. Default: 10 485 760 (10 MiB). */
  maxBytes?: number;
  /**
   * Maximum number of decoded bytes per byte on the wire, at least 1: the guard against decompression bombs. Checked once more
   * than 1 MiB has been decoded. Default: 100.
   */
  maxRatio?: number;
  /** Maximum number of stacked content encodings, 0 to 10. More of them fail with `HttpDecodeError`. Default: 2. */
  maxEncodings?: number;
}

/**
 * Which redirects are followed. A redirect counts against the time limits of its attempt, and one from https to http is never
 * followed. A redirect that is not followed is an `HttpStatusError` whose `redirectRefused` says why.
 */
export interface RedirectOptions {
  /** Maximum number of redirects in a row, 1 to 50. Default: 5. */
  max?: number;
  /** Whether redirects to another origin are followed, without sensitive headers. Default: false. */
  crossOrigin?: boolean;
  /**
   * Further headers that are not sent to another origin. `authorization`, `cookie`, `proxy-authorization`, `idempotency-key`,
   * `x-api-key`, `x-auth-token`, `x-csrf-token` and the headers added by `auth` never are. Default: none.
   */
  secretHeaders?: readonly string[];
}

/** Options of {@link createHttpClient}. Either `baseUrl` or `endpoints` is required. */
export interface HttpClientOptions extends ConnectionOptions {
  /**
   * The scheme, host and path prefix of all requests, such as `https://api.example.com/v2`; without credentials, query and
   * fragment. Required unless `endpoints` is given; no default.
   */
  baseUrl?: string;
  /**
   * Several places the service runs at, instead of `baseUrl`: a list, or a function that returns one, which is called before the
   * first call and every 30 s. Each attempt picks the less loaded of two endpoints drawn by weight, and avoids endpoints at
   * which the same call has failed. Default: none.
   */
  endpoints?: EndpointsOption;
  /**
   * Whether an endpoint that fails far more often than the others is ejected: for 30 s at first, then longer each time, up to
   * 5 minutes. Ignored without `endpoints`. Default: true.
   */
  outlierEjection?: boolean;
  /**
   * The name of the client in errors, statistics and telemetry. Default: the host of `baseUrl`, or of the first endpoint;
   * required when `endpoints` is a function.
   */
  name?: string;
  /**
   * Time limit of a whole call in milliseconds, above 0: waits, retries and reading the body included. An earlier deadline of the
   * current work wins. Exceeding it rejects with `HttpTimeoutError`. Default: 30 000 (.NET's standard resilience handler).
   */
  timeoutMs?: number;
  /**
   * Time limit of one attempt in milliseconds, above 0 and at most `timeoutMs`: connecting and reading the body included.
   * Default: 10 000 (.NET's standard resilience handler), or `timeoutMs` if that is less.
   */
  attemptTimeoutMs?: number;
  /**
   * Time limit for connecting in milliseconds, above 0 and at most `attemptTimeoutMs`: DNS, proxy and TLS included. Not allowed
   * together with `dispatcher`. Default: 2 000, or `attemptTimeoutMs` if that is less.
   */
  connectTimeoutMs?: number;
  /** Retries, merged over the defaults; `false` makes a single attempt. Default: 3 attempts, within a retry budget. */
  retry?: HttpRetryOptions | false;
  /** The circuit breaker, merged over the defaults of `circuitBreaker()`; `false` for none. */
  circuitBreaker?: HttpCircuitBreakerOptions | false;
  /** The limit on calls in flight, merged over the defaults of `bulkhead()` (1 000 in flight, none queued); `false` for none. */
  bulkhead?: HttpBulkheadOptions | false;
  /**
   * Sends a second attempt next to a slow one, for requests that may be sent twice, and within the retry budget. An object
   * switches it on, `{}` with the defaults of `hedge()`. Default: `false`.
   */
  hedge?: HttpHedgeOptions | false;
  /**
   * Limits the attempts in flight by a limit that follows the measured latency. An object switches it on, `{}` with the
   * defaults of `adaptiveConcurrency()`. Default: `false`.
   */
  adaptiveConcurrency?: HttpAdaptiveConcurrencyOptions | false;
  /**
   * Delays each attempt until it may be sent. `createOutboundLimiter()` of `@macadam/ratelimit` keeps to the rate limits that
   * the server announces. One pacer may serve several clients. Waiting counts against `timeoutMs`, not against
   * `attemptTimeoutMs`. Default: none.
   */
  pacing?: HttpPacing;
  /**
   * Whether identical GET, HEAD and OPTIONS requests that are in flight at the same time share one request. Requests are identical
   * when everything sent is, headers and the credentials from `auth` included. Each caller keeps its own time limit, signal,
   * response and error; the bytes of the body are shared. `stream()` and `fetch` are never shared. Default: false.
   */
  dedupe?: boolean;
  /**
   * Limits on the size of responses, merged over the defaults. For streamed bodies `maxBytes` does not apply, and `maxRatio`
   * applies to those of `fetch` only.
   */
  responseLimits?: ResponseLimits;
  /**
   * Time limits for reading streamed bodies, of `stream()` and `fetch`, merged over the defaults. A call of `stream()` can set its
   * own.
   */
  streams?: StreamLimits;
  /**
   * Which redirects are followed, merged over the defaults; `false` for none, so that every 3xx is an `HttpStatusError`. Default:
   * up to 5 in a row within the same origin.
   */
  redirects?: RedirectOptions | false;
  /** Adds credentials to each attempt: `basic()`, `bearer()` of `@macadam/auth`, or a signer. Default: none. */
  auth?: HttpAuth;
  /**
   * An HTTP cache (RFC 9111) in front of the service. An object switches it on, `{}` with a private cache in memory. Default:
   * `false`.
   */
  cache?: HttpCacheOptions | false;
  /**
   * Whether a response outside 2xx rejects with `HttpStatusError`. With `false` it resolves, and `response.ok` tells the
   * difference. Default: true.
   */
  throwOnStatus?: boolean;
  /**
   * Whether the service is `internal`, and is sent the deadline, priority and attempt number of the call and its trace context.
   * Default: `internal` when the host is a private address, `localhost`, or a name under `.internal`, `.local`, `.localhost` or
   * `.svc`; else `external`.
   */
  peer?: Peer;
  /**
   * Whether OpenTelemetry baggage is sent, which is only allowed for an internal peer. The trace context (`traceparent`) is
   * sent to internal peers in any case. Default: false.
   */
  baggage?: boolean;
  /** Headers sent with every request. A request can replace one, or omit it with `undefined`. Default: none. */
  headers?: Readonly<Record<string, string>>;
  /**
   * An undici dispatcher to send through, such as a `ProxyAgent` or a `MockAgent`. The client does not close it. Not allowed
   * together with `connectTimeoutMs`, `ssrf`, `tls`, `proxy` and `dns`, which are up to the dispatcher. Default: connection
   * pools of the client's own.
   */
  dispatcher?: HttpDispatcher;
  /** The clock for all waits and durations. Default: `systemClock`. */
  clock?: Clock;
  /** The source of randomness, for jitter and balancing. Default: `systemRandom`. */
  random?: Random;
}
