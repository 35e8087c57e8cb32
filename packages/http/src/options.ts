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
import type { KeptBy } from './route-policies.ts';
import type { StreamLimits } from './stream/options.ts';
import type { ConnectionOptions } from './transport/connection-options.ts';

/** Total time of a call, waits and retries included. Source: .NET's standard resilience handler. */
export const DEFAULT_TIMEOUT_MS = 30_000;
/** Time of one try, connecting and reading the body included. Source: .NET's standard resilience handler. */
export const DEFAULT_ATTEMPT_TIMEOUT_MS = 10_000;
/** Time to connect, DNS and TLS included: a packet lost twice still fits. */
export const DEFAULT_CONNECT_TIMEOUT_MS = 2_000;
/** 10 MiB: more than an API answers, less than what hurts a process that reads a few at once. */
export const DEFAULT_MAX_BYTES = 10_485_760;
/** Text compresses by up to about 20; a bomb by 1 000. */
export const DEFAULT_MAX_RATIO = 100;
export const DEFAULT_MAX_ENCODINGS = 2;

/** Retry options of a client: those of `retry()`, and what is worth retrying over HTTP. */
export interface HttpRetryOptions extends Omit<RetryOptions, 'clock' | 'random'> {
  /**
   * Methods that may be sent twice. Default: GET, HEAD, OPTIONS, TRACE, PUT, DELETE, QUERY. Others are retried when the
   * request has an `idempotencyKey` or is `idempotent`, or when nothing of it was sent.
   */
  methods?: readonly string[];
  /** Statuses that may pass. Default: 408, 429, 500, 502, 503, 504. */
  statuses?: readonly number[];
  /** Network failures that may pass. Default: refused, reset, unreachable, not resolved, timed out, cut short. */
  errorCodes?: readonly string[];
}

/** What a response may weigh. */
export interface ResponseLimits {
  /** Bytes of the body, on the wire and decoded, at least 1. Default: 10 485 760 (10 MiB). */
  maxBytes?: number;
  /** Decoded bytes for each byte on the wire, at least 1; holds above 1 MiB. Default: 100. */
  maxRatio?: number;
  /** Content encodings on top of each other, 0 to 10. Default: 2. */
  maxEncodings?: number;
}

/** Which redirects are followed. A hop counts against the time limits of its try, and never leads from https to http. */
export interface RedirectOptions {
  /** Hops in a row, 1 to 50. Default: 5. */
  max?: number;
  /** Whether a hop may lead to another origin, where no secret goes along. Default: false. */
  crossOrigin?: boolean;
  /**
   * Headers that stay behind in a hop to another origin, besides `authorization`, `cookie`, `proxy-authorization`,
   * `idempotency-key`, `x-api-key`, `x-auth-token`, `x-csrf-token` and what `auth` adds. Default: none.
   */
  secretHeaders?: readonly string[];
}

export interface HttpClientOptions extends ConnectionOptions {
  /**
   * Scheme, host and a path that all requests begin with: `https://api.example.com/v2`. No credentials, no query. Either
   * this or `endpoints`.
   */
  baseUrl?: string;
  /**
   * Several places the service is at, instead of `baseUrl`; or a function that knows them, which is asked before the
   * first call and every 30 s. Each try goes to the better of two drawn by weight, and not where the call has failed.
   */
  endpoints?: EndpointsOption;
  /**
   * Whether an endpoint that fails far more than the others is left alone for 30 s, longer each time, up to 5 minutes.
   * Ignored without `endpoints`. Default: true.
   */
  outlierEjection?: boolean;
  /** Stands in errors, statistics and telemetry. Default: the host of `baseUrl`, or of the first endpoint. */
  name?: string;
  /** Limit of a whole call in milliseconds, above 0. A deadline of the current work shortens it. Default: 30 000. */
  timeoutMs?: number;
  /** Limit of one try in milliseconds, above 0, at most `timeoutMs`. Default: 10 000, or `timeoutMs` if that is less. */
  attemptTimeoutMs?: number;
  /** Limit for connecting in milliseconds, above 0, at most `attemptTimeoutMs`. Default: 2 000, or less as above. */
  connectTimeoutMs?: number;
  /** Merged over the defaults; `false` tries once. */
  retry?: HttpRetryOptions | false;
  /** One breaker for the authority, or for each route. Merged over the defaults; `false` for none. */
  circuitBreaker?: (Omit<CircuitBreakerOptions, 'clock' | 'random'> & KeptBy) | false;
  /** Calls in flight: 1 000 by default. Merged over the defaults; `false` for no limit. */
  bulkhead?: (Omit<BulkheadOptions, 'clock'> & KeptBy) | false;
  /**
   * Sends a second try beside one that takes long, for requests that may be sent twice, within the budget of the
   * retries. An object (`{}` will do) switches it on. Default: `false`.
   */
  hedge?: Omit<HedgeOptions, 'budget' | 'clock' | 'isFatal' | 'isUnsent'> | false;
  /** A limit on tries in flight that finds itself. An object (`{}` will do) switches it on. Default: `false`. */
  adaptiveConcurrency?: (Omit<AdaptiveConcurrencyOptions, 'clock'> & KeptBy) | false;
  /**
   * Lets each try be sent when it is its turn, such as `createOutboundLimiter()` of `@macadam/ratelimit`, which keeps to
   * what the server tells of its limits. One may serve several clients. The wait counts against `timeoutMs`, not
   * against `attemptTimeoutMs`. Default: none.
   */
  pacing?: HttpPacing;
  /**
   * Whether identical GET, HEAD and OPTIONS requests in flight share one. Identical means in everything that is sent,
   * headers included, and what `auth` adds for the caller: it is asked once more, before the request is shared. Each
   * caller keeps its own time limit, signal, response and error; the bytes of the body are shared. Streams and `fetch` are
   * never shared. Default: false.
   */
  dedupe?: boolean;
  /** How large an answer may be. Of a streamed body only the ratio holds, and only by `fetch`. Merged over the defaults. */
  responseLimits?: ResponseLimits;
  /** How long a body may take over nothing that is read as it comes: by `stream()`, whose calls can say otherwise, and `fetch`. */
  streams?: StreamLimits;
  /** Which redirects are followed. Merged over the defaults; `false` for none: a 3xx is an `HttpStatusError` then. */
  redirects?: RedirectOptions | false;
  /** Gives the credentials for each try: `basic()`, `bearer()` of `@macadam/auth`, or a signer. Default: none. */
  auth?: HttpAuth;
  /**
   * Keeps answers as RFC 9111 allows, and gives them again without asking, or after asking whether they are still
   * good. An object (`{}` will do) switches it on. Default: `false`.
   */
  cache?: HttpCacheOptions | false;
  /** Whether a status outside 2xx is thrown as `HttpStatusError`. Default: true. */
  throwOnStatus?: boolean;
  /** Whether the other side is told deadline, priority and attempt. Default: inferred from the host of `baseUrl`. */
  peer?: Peer;
  /**
   * Whether OpenTelemetry baggage is sent along, to an internal peer only: it may hold what others should not see. The
   * trace (`traceparent`) is sent to internal peers in any case. Default: false.
   */
  baggage?: boolean;
  /** Sent with every request. A request can replace one, or leave it out with `undefined`. */
  headers?: Readonly<Record<string, string>>;
  /** An undici dispatcher to send through, such as a ProxyAgent or a MockAgent. It is not closed with the client. */
  dispatcher?: HttpDispatcher;
  /** Default: the system clock. */
  clock?: Clock;
  /** Default: `Math.random`. */
  random?: Random;
}
