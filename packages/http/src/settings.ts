import {
  assertBoolean,
  assertClock,
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
import { checkedAuth, type HttpAuth } from './auth.ts';
import { serviceAddressOf } from './service-address.ts';
import type { EndpointsSettings } from './endpoints/options.ts';
import { ACCEPT_ENCODING } from './content-decoding.ts';
import type { HttpDispatcher } from './dispatcher.ts';
import { mergeHeaders } from './headers.ts';
import { httpCacheSettings, type HttpCacheSettings } from './http-cache/options.ts';
import { checkedPacing, type HttpPacing } from './pacing.ts';
import type { Peer } from './peer.ts';
import { redirectRules } from './redirect-options.ts';
import type { RedirectRules } from './redirect.ts';
import { connectionSettings, type ConnectionSettings } from './transport/connection-options.ts';
import { policiesPerRoute, withoutPer, type PerRoutePolicy } from './route-policies.ts';
import { retrySettings } from './retry-settings.ts';
import { streamLimits, type StreamLimits } from './stream/options.ts';
import type { RetryRules } from './retry-rules.ts';
import {
  DEFAULT_ATTEMPT_TIMEOUT_MS,
  DEFAULT_CONNECT_TIMEOUT_MS,
  DEFAULT_MAX_BYTES,
  DEFAULT_MAX_ENCODINGS,
  DEFAULT_MAX_RATIO,
  DEFAULT_TIMEOUT_MS,
  type HttpAdaptiveConcurrencyOptions,
  type HttpBulkheadOptions,
  type HttpCircuitBreakerOptions,
  type HttpClientOptions,
  type HttpHedgeOptions,
  type HttpRetryOptions,
  type ResponseLimits,
} from './options.ts';

const OPTION_NAMES = [
  'baseUrl',
  'endpoints',
  'outlierEjection',
  'name',
  'timeoutMs',
  'attemptTimeoutMs',
  'connectTimeoutMs',
  'retry',
  'circuitBreaker',
  'bulkhead',
  'hedge',
  'adaptiveConcurrency',
  'pacing',
  'dedupe',
  'responseLimits',
  'streams',
  'redirects',
  'auth',
  'cache',
  'throwOnStatus',
  'peer',
  'baggage',
  'headers',
  'ssrf',
  'tls',
  'proxy',
  'dns',
  'dispatcher',
  'clock',
  'random',
] as const satisfies readonly (keyof HttpClientOptions)[];

/** The checked options of a client, with all defaults, in the form that the hot path reads. */
export interface HttpClientSettings {
  readonly name: string;
  readonly origin: string;
  /** Host and port: the endpoint in `attempts`, and the partition for pacing. */
  readonly authority: string;
  /** The path of `baseUrl`, without a slash at its end. */
  readonly pathPrefix: string;
  readonly timeoutMs: number;
  readonly attemptTimeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly retry: Omit<HttpRetryOptions, keyof RetryRules> | false;
  readonly rules: RetryRules;
  /** The highest number that an attempt can have: hedges may follow the last attempt of the retry. */
  readonly maxAttemptNumber: number;
  readonly circuitBreaker: Omit<HttpCircuitBreakerOptions, 'per'> | false;
  readonly bulkhead: Omit<HttpBulkheadOptions, 'per'> | false;
  readonly hedge: HttpHedgeOptions | false;
  readonly adaptiveConcurrency: Omit<HttpAdaptiveConcurrencyOptions, 'per'> | false;
  readonly pacing: HttpPacing | undefined;
  /** Which of the policies above are kept per route. */
  readonly perRoute: ReadonlySet<PerRoutePolicy>;
  readonly dedupe: boolean;
  readonly limits: Required<ResponseLimits>;
  readonly streams: StreamLimits;
  readonly redirects: RedirectRules | false;
  readonly auth: HttpAuth | undefined;
  readonly cache: HttpCacheSettings | undefined;
  readonly throwOnStatus: boolean;
  readonly peer: Peer;
  readonly baggage: boolean;
  /** Flat list of lower-case names and values. */
  readonly headers: readonly string[];
  readonly connection: ConnectionSettings;
  /** Undefined with a `baseUrl`. */
  readonly endpoints: EndpointsSettings | undefined;
  readonly dispatcher: HttpDispatcher | undefined;
  readonly clock: Clock;
  readonly random: Random;
  /** Whether the user provided `random`. */
  readonly hasCustomRandom: boolean;
}

export function httpClientSettings(options: HttpClientOptions): HttpClientSettings {
  assertKnownOptions('', options, OPTION_NAMES);
  const base = serviceAddressOf(options);
  const {
    throwOnStatus = true,
    dedupe = false,
    baggage = false,
    peer = base.peer,
    clock = systemClock,
    random = systemRandom,
  } = options;
  const { name = base.host } = options;
  assertText('name', name);
  assertBoolean('throwOnStatus', throwOnStatus);
  assertBoolean('dedupe', dedupe);
  assertOneOf('peer', peer, ['internal', 'external']);
  assertBoolean('baggage', baggage);
  if (baggage && peer === 'external') throw new OptionsError('baggage', baggage, 'false for an external peer');
  assertClock('clock', clock);
  assertFunction('random', random);
  const { rules, ...retry } = retrySettings(options.retry);
  const { hedge: hedging = false, adaptiveConcurrency = false } = options;
  const hedge = policyOptions('hedge', hedging);
  return {
    name,
    origin: base.origin,
    authority: base.authority,
    pathPrefix: base.pathPrefix,
    ...timeouts(options),
    retry: options.retry === false ? false : retry,
    rules,
    maxAttemptNumber:
      (options.retry === false ? 1 : (retry.maxAttempts ?? 3)) + (hedge === false ? 0 : (hedge.maxHedges ?? 1)),
    circuitBreaker: withoutPer(policyOptions('circuitBreaker', options.circuitBreaker)),
    bulkhead: withoutPer(policyOptions('bulkhead', options.bulkhead)),
    hedge,
    adaptiveConcurrency: withoutPer(policyOptions('adaptiveConcurrency', adaptiveConcurrency)),
    pacing: checkedPacing(options.pacing),
    perRoute: policiesPerRoute(options),
    dedupe,
    limits: responseLimits(options.responseLimits),
    streams: streamLimits(options.streams),
    redirects: redirectRules(options.redirects),
    auth: checkedAuth(options.auth),
    cache: httpCacheSettings(options.cache),
    throwOnStatus,
    peer,
    baggage,
    headers: mergeHeaders(['accept-encoding', ACCEPT_ENCODING], headersOption(options.headers), 'headers'),
    connection: connectionSettings(options),
    endpoints: base.endpoints,
    dispatcher: dispatcherOption(options),
    clock,
    random,
    hasCustomRandom: options.random !== undefined,
  };
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

function policyOptions<T extends object>(path: string, option: T | false = {} as T): T | false {
  if (option !== false) assertObject(path, option);
  return option;
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
    throw new OptionsError(
      'connectTimeoutMs',
      connectTimeoutMs,
      'left out: the given dispatcher makes the connections',
    );
  }
  return dispatcher;
}
