import {
  assertBoolean,
  assertDurationMs,
  assertFunction,
  assertInteger,
  assertKnownOptions,
  assertNumber,
  assertObject,
  assertOneOf,
  assertText,
  OptionsError,
  systemClock,
  systemRandom,
  type Clock,
  type Random,
} from '@macadam/core';
import type { BulkheadOptions, CircuitBreakerOptions, RetryOptions } from '@macadam/resilience';
import { ACCEPT_ENCODING } from './content-decoding.ts';
import type { HttpDispatcher } from './dispatcher.ts';
import { mergeHeaders } from './headers.ts';
import { inferPeer, type Peer } from './peer.ts';
import {
  DEFAULT_RETRY_ERROR_CODES,
  DEFAULT_RETRY_METHODS,
  DEFAULT_RETRY_STATUSES,
  type RetryRules,
} from './retry-rules.ts';

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

export interface HttpClientOptions {
  /** Scheme, host and a path that all requests begin with: `https://api.example.com/v2`. No credentials, no query. */
  baseUrl: string;
  /** Stands in errors, statistics and telemetry. Default: the host of `baseUrl`. */
  name?: string;
  /** Limit of a whole call in milliseconds, above 0. A deadline of the current work shortens it. Default: 30 000. */
  timeoutMs?: number;
  /** Limit of one try in milliseconds, above 0, at most `timeoutMs`. Default: 10 000, or `timeoutMs` if that is less. */
  attemptTimeoutMs?: number;
  /** Limit for connecting in milliseconds, above 0, at most `attemptTimeoutMs`. Default: 2 000, or less as above. */
  connectTimeoutMs?: number;
  /** Merged over the defaults; `false` tries once. */
  retry?: HttpRetryOptions | false;
  /** One breaker for the authority. Merged over the defaults; `false` for none. */
  circuitBreaker?: Omit<CircuitBreakerOptions, 'clock' | 'random'> | false;
  /** Calls in flight: 1 000 by default. Merged over the defaults; `false` for no limit. */
  bulkhead?: Omit<BulkheadOptions, 'clock'> | false;
  responseLimits?: ResponseLimits;
  /** Whether a status outside 2xx is thrown as `HttpStatusError`. Default: true. */
  throwOnStatus?: boolean;
  /** Whether the other side is told deadline, priority and attempt. Default: inferred from the host of `baseUrl`. */
  peer?: Peer;
  /** Sent with every request. A request can replace one, or leave it out with `undefined`. */
  headers?: Readonly<Record<string, string>>;
  /** An undici dispatcher to send through, such as a ProxyAgent or a MockAgent. It is not closed with the client. */
  dispatcher?: HttpDispatcher;
  /** Default: the system clock. */
  clock?: Clock;
  /** Default: `Math.random`. */
  random?: Random;
}

const OPTION_NAMES = [
  'baseUrl',
  'name',
  'timeoutMs',
  'attemptTimeoutMs',
  'connectTimeoutMs',
  'retry',
  'circuitBreaker',
  'bulkhead',
  'responseLimits',
  'throwOnStatus',
  'peer',
  'headers',
  'dispatcher',
  'clock',
  'random',
] as const satisfies readonly (keyof HttpClientOptions)[];

/** The options with every default filled in, checked, and taken apart for the hot path. */
export interface HttpClientSettings {
  readonly name: string;
  readonly origin: string;
  /** Host and port, as a breaker's key and in the story of a call. */
  readonly authority: string;
  /** The path of `baseUrl`, without a slash at its end. */
  readonly pathPrefix: string;
  readonly timeoutMs: number;
  readonly attemptTimeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly retry: Omit<HttpRetryOptions, keyof RetryRules> | false;
  readonly rules: RetryRules;
  readonly maxAttempts: number;
  readonly circuitBreaker: Omit<CircuitBreakerOptions, 'clock' | 'random'> | false;
  readonly bulkhead: Omit<BulkheadOptions, 'clock'> | false;
  readonly limits: Required<ResponseLimits>;
  readonly throwOnStatus: boolean;
  readonly peer: Peer;
  /** Flat list of lower-case names and values. */
  readonly headers: readonly string[];
  readonly dispatcher: HttpDispatcher | undefined;
  readonly clock: Clock;
  readonly random: Random;
  /** Whether `random` was handed in. */
  readonly ownRandom: boolean;
}

export function httpClientSettings(options: HttpClientOptions): HttpClientSettings {
  assertObject('createHttpClient', options);
  assertKnownOptions('', options, OPTION_NAMES);
  const base = parseBaseUrl(options.baseUrl);
  const { throwOnStatus = true, peer = inferPeer(base.hostname), clock = systemClock, random = systemRandom } = options;
  const name = options.name ?? base.host;
  assertText('name', name);
  assertBoolean('throwOnStatus', throwOnStatus);
  assertOneOf('peer', peer, ['internal', 'external']);
  if (typeof clock?.monotonic !== 'function') throw new OptionsError('clock', clock, 'a Clock');
  assertFunction('random', random);
  const { methods, statuses, errorCodes, ...retry } = retryOptions(options.retry);
  return {
    name,
    origin: base.origin,
    authority: base.port === '' ? `${base.hostname}:${base.protocol === 'https:' ? 443 : 80}` : base.host,
    pathPrefix: base.pathname.replace(/\/+$/, ''),
    ...timeouts(options),
    retry: options.retry === false ? false : retry,
    rules: { methods: new Set(methods), statuses: new Set(statuses), errorCodes: new Set(errorCodes) },
    maxAttempts: options.retry === false ? 1 : (retry.maxAttempts ?? 3),
    circuitBreaker: policyOptions('circuitBreaker', options.circuitBreaker),
    bulkhead: policyOptions('bulkhead', options.bulkhead),
    limits: responseLimits(options.responseLimits),
    throwOnStatus,
    peer,
    headers: mergeHeaders(['accept-encoding', ACCEPT_ENCODING], headersOption(options.headers)),
    dispatcher: dispatcherOption(options),
    clock,
    random,
    ownRandom: options.random !== undefined,
  };
}

function parseBaseUrl(text: unknown): URL {
  assertText('baseUrl', text);
  // Nothing between "//" and "@" may reach a message.
  const shown = text.replace(/\/\/[^/?#]*@/, '//…@').replace(/[?#].*$/s, '?…');
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new OptionsError('baseUrl', shown, 'an http or https URL, such as "https://api.example.com"');
  }
  if (url.username !== '' || url.password !== '') {
    throw new OptionsError('baseUrl', shown, 'without credentials: send them in a header');
  }
  if (/[?#]/.test(text)) throw new OptionsError('baseUrl', shown, 'without query and fragment');
  return url;
}

function timeouts(options: HttpClientOptions): {
  timeoutMs: number;
  attemptTimeoutMs: number;
  connectTimeoutMs: number;
} {
  const { timeoutMs = DEFAULT_TIMEOUT_MS } = options;
  assertDurationMs('timeoutMs', timeoutMs);
  const { attemptTimeoutMs = Math.min(DEFAULT_ATTEMPT_TIMEOUT_MS, timeoutMs) } = options;
  assertDurationMs('attemptTimeoutMs', attemptTimeoutMs, { above: 0, max: timeoutMs });
  const { connectTimeoutMs = Math.min(DEFAULT_CONNECT_TIMEOUT_MS, attemptTimeoutMs) } = options;
  assertDurationMs('connectTimeoutMs', connectTimeoutMs, { above: 0, max: attemptTimeoutMs });
  return { timeoutMs, attemptTimeoutMs, connectTimeoutMs };
}

function retryOptions(option: HttpClientOptions['retry'] = {}): HttpRetryOptions & RuleLists {
  const own = option === false ? {} : option;
  assertObject('retry', own);
  const methods = listOf('retry.methods', own.methods ?? DEFAULT_RETRY_METHODS, 'string', 'a list of method names');
  const statuses = listOf('retry.statuses', own.statuses ?? DEFAULT_RETRY_STATUSES, 'number', 'a list of statuses');
  const codes = own.errorCodes ?? DEFAULT_RETRY_ERROR_CODES;
  const errorCodes = listOf('retry.errorCodes', codes, 'string', 'a list of codes such as "ECONNRESET"');
  return { ...own, methods: methods.map((method) => method.toUpperCase()), statuses, errorCodes };
}

interface RuleLists {
  methods: readonly string[];
  statuses: readonly number[];
  errorCodes: readonly string[];
}

function listOf<T>(path: string, value: readonly T[], type: 'number' | 'string', allowed: string): readonly T[] {
  // eslint-disable-next-line valid-typeof
  if (Array.isArray(value) && value.every((one) => typeof one === type)) return value;
  throw new OptionsError(path, value, allowed);
}

function policyOptions<T extends object>(path: string, option: T | false | undefined): T | false {
  if (option === false) return false;
  const own = option ?? ({} as T);
  assertObject(path, own);
  return own;
}

function responseLimits(limits: ResponseLimits = {}): Required<ResponseLimits> {
  assertObject('responseLimits', limits);
  assertKnownOptions('responseLimits', limits, ['maxBytes', 'maxRatio', 'maxEncodings']);
  const { maxBytes = DEFAULT_MAX_BYTES, maxRatio = DEFAULT_MAX_RATIO, maxEncodings = DEFAULT_MAX_ENCODINGS } = limits;
  assertInteger('responseLimits.maxBytes', maxBytes, { min: 1 });
  assertNumber('responseLimits.maxRatio', maxRatio, { min: 1 });
  assertInteger('responseLimits.maxEncodings', maxEncodings, { min: 0, max: 10 });
  return { maxBytes, maxRatio, maxEncodings };
}

function headersOption(headers: HttpClientOptions['headers'] = {}): Readonly<Record<string, string>> {
  assertObject('headers', headers);
  return headers;
}

function dispatcherOption({ dispatcher, connectTimeoutMs }: HttpClientOptions): HttpDispatcher | undefined {
  if (dispatcher === undefined) return undefined;
  if (typeof dispatcher?.dispatch !== 'function')
    throw new OptionsError('dispatcher', dispatcher, 'an undici Dispatcher');
  if (connectTimeoutMs !== undefined) {
    throw new OptionsError('connectTimeoutMs', connectTimeoutMs, 'left out: connecting is up to the dispatcher given');
  }
  return dispatcher;
}
