import {
  assertBoolean,
  assertDurationMs,
  assertKnownOptions,
  assertObject,
  assertOneOf,
  assertSignal,
  currentWork,
  OptionsError,
  priorities,
  type Priority,
  type Work,
} from '@macadam/core';
import type { ExecuteOptions } from '@macadam/resilience';
import type { AsyncScope } from './attempt-settings.ts';
import { encodeBody } from './body/encode.ts';
import { OneShotBody } from './body/one-shot.ts';
import type { BodySource } from './body/source.ts';
import { ACCEPT_ENCODING } from './content-decoding.ts';
import type { Endpoint } from './endpoints/endpoint.ts';
import { assertHeaderValue, mergeHeaders, withContentType } from './headers.ts';
import { randomKey } from './random-key.ts';
import type { HttpClientSettings } from './settings.ts';
import type { PathTemplate } from './path-template.ts';
import { encodeQuery } from './query.ts';
import type { RedirectDecision } from './redirect.ts';
import { REQUEST_OPTION_NAMES, type AnyRequestOptions } from './request-options.ts';
import { RequestSubject } from './request-subject.ts';
import { authorityOf } from './peer.ts';
import { isRepeatable } from './retry-rules.ts';
import { assertSchema } from './schema.ts';
import type { StreamSettings } from './stream/options.ts';

/** A request that was checked and encoded once, for all of its attempts. */
export interface PreparedRequest {
  readonly subject: RequestSubject;
  readonly template: PathTemplate;
  readonly method: string;
  /** Path and query, encoded. */
  readonly path: string;
  /** Flat list of lower-case names and values. */
  readonly headers: readonly string[];
  readonly body: string | Uint8Array | undefined;
  /** The source of a body that is not in `body`: a stream, a Blob or a form. */
  readonly source: BodySource | undefined;
  /** How the response is streamed; undefined when it is read whole. */
  readonly stream: StreamSettings | undefined;
  /** The endpoint this attempt goes to; absent with a single `baseUrl`. */
  readonly endpoint?: Endpoint;
  /** The redirect that led to this request; undefined for the original one. */
  readonly hop: Hop | undefined;
  /** When its attempt started, in milliseconds after the start of the call; absent for the first request of an attempt. */
  readonly attemptStartedAtMs?: number;
  /** Whether it may be sent twice. */
  readonly repeatable: boolean;
  /** The options of this call for the policies. */
  readonly execution: ExecuteOptions;
  /** The priority that the caller set for this call. */
  readonly priority: Priority | undefined;
  /** The unit of work that the call is part of. */
  readonly work: Work | undefined;
  /** The asynchronous context in which `auth` is called, if it is not the current one: that of the first of several sharers. */
  readonly scope?: AsyncScope;
}

/** The redirect that led to a request. */
export interface Hop {
  /** The number of redirects so far, from 1. */
  readonly number: number;
  readonly origin: string;
  /** Host and port. */
  readonly authority: string;
  /** Whether this or an earlier redirect left the origin of the client: no secrets are sent. */
  readonly crossesOrigin: boolean;
}

const NO_OPTIONS: AnyRequestOptions = Object.freeze({});
const METHOD = /^[A-Z][A-Z\d-]*$/;
/** Methods that need no validation. */
const KNOWN_METHODS: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'OPTIONS',
  'QUERY',
]);

/**
 * Checks and encodes a request.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a missing or unknown parameter, an invalid header, a value that cannot be
 * encoded, and options that contradict each other
 */
export function prepareRequest(
  settings: HttpClientSettings,
  method: string,
  template: PathTemplate,
  options: AnyRequestOptions = NO_OPTIONS,
): PreparedRequest {
  if (!KNOWN_METHODS.has(method)) assertMethod(method);
  if (options !== NO_OPTIONS) assertOptions(options);
  const { query: parameters, headers: own, idempotencyKey } = options;
  const query = parameters === undefined ? '' : encodeQuery(parameters);
  let path =
    template.fixed === undefined || options.params !== undefined ? template.build(options.params) : template.fixed;
  if (query !== '') path += (template.hasQuery ? '&' : '?') + query;
  let headers = own === undefined ? settings.headers : identityForRange(mergeHeaders(settings.headers, own));
  const encoded = encodeBody(options, settings);
  if (encoded !== undefined) headers = withContentType(headers, encoded.contentType, own);
  if (idempotencyKey !== undefined) {
    const key = idempotencyKey === true ? randomKey(settings) : idempotencyKey;
    assertHeaderValue('request.idempotencyKey', key);
    headers = mergeHeaders(headers, { 'idempotency-key': key });
  }
  const declared = options.idempotent ?? idempotencyKey !== undefined;
  const repeatable = options.idempotent === false ? false : isRepeatable(settings.rules, method, declared);
  // Not hedged: two attempts at a time cannot both send a stream, and with one idempotency key the second gets a 409.
  const isNeverHedged =
    encoded?.source instanceof OneShotBody || (idempotencyKey !== undefined && options.idempotent !== true);
  return {
    subject: new RequestSubject(method, settings.origin, template, query),
    template,
    method,
    path,
    headers,
    body: encoded?.body,
    source: encoded?.source,
    stream: undefined,
    hop: undefined,
    repeatable,
    execution: executionOf(repeatable && !isNeverHedged, options),
    priority: options.priority,
    work: currentWork(),
  };
}

/** The request of a call whose response is streamed. What cancels the call also cancels the body, which outlasts it. */
export function streamedRequest(request: PreparedRequest, stream: StreamSettings): PreparedRequest {
  stream.signals = [request.execution.signal, request.work?.cancellation];
  return { ...request, stream };
}

/** The request that follows a redirect. */
export function redirected(
  request: PreparedRequest,
  decision: Extract<RedirectDecision, { next: 'follow' }>,
  home: string,
): PreparedRequest {
  const { origin, path, method, headers, keepsBody } = decision;
  const number = (request.hop?.number ?? 0) + 1;
  return {
    ...request,
    method,
    path,
    headers,
    hop: {
      number,
      origin,
      authority: authorityOf(new URL(origin)),
      crossesOrigin: request.hop?.crossesOrigin === true || origin !== home,
    },
    ...(!keepsBody && { body: undefined, source: undefined }),
  };
}

/** The request with the address of `endpoint`. */
export function addressedTo(request: PreparedRequest, endpoint: Endpoint): PreparedRequest {
  const { target } = endpoint;
  return { ...request, subject: request.subject.at(target), path: target.pathPrefix + request.path, endpoint };
}

function assertMethod(method: unknown): void {
  if (typeof method !== 'string' || !METHOD.test(method) || method === 'CONNECT') {
    throw new OptionsError('request.method', method, 'a method in capital letters, other than CONNECT');
  }
}

function assertOptions(options: AnyRequestOptions): void {
  assertObject('request', options);
  for (const name of Object.keys(options)) {
    if (!REQUEST_OPTION_NAMES.has(name)) assertKnownOptions('request', options, [...REQUEST_OPTION_NAMES]);
  }
  const { timeoutMs, attemptTimeoutMs, idempotent, idempotencyKey, priority, signal, throwOnStatus, schema } = options;
  if (timeoutMs !== undefined) assertDurationMs('request.timeoutMs', timeoutMs);
  if (attemptTimeoutMs !== undefined) {
    assertDurationMs('request.attemptTimeoutMs', attemptTimeoutMs, { above: 0, max: timeoutMs ?? Infinity });
  }
  if (idempotent !== undefined) assertBoolean('request.idempotent', idempotent);
  if (throwOnStatus !== undefined) assertBoolean('request.throwOnStatus', throwOnStatus);
  if (priority !== undefined) assertOneOf('request.priority', priority, priorities);
  if (idempotencyKey === '') throw new OptionsError('request.idempotencyKey', '', 'true or a key that is not empty');
  assertSignal('request.signal', signal);
  if (schema !== undefined) assertSchema('request.schema', schema);
}

/** Asks for an unencoded body with `Range`: a part of an encoded one cannot be decoded (Fetch, "HTTP-network-or-cache fetch"). */
function identityForRange(headers: string[]): readonly string[] {
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i] !== 'range') continue;
    const at = headers.indexOf(ACCEPT_ENCODING);
    if (headers[at - 1] === 'accept-encoding') headers[at] = 'identity';
  }
  return headers;
}

const REPEATABLE_EXECUTION: ExecuteOptions = Object.freeze({ idempotent: true });
const ONCE_EXECUTION: ExecuteOptions = Object.freeze({ idempotent: false });

function executionOf(repeatable: boolean, { signal, timeoutMs, attemptTimeoutMs }: AnyRequestOptions): ExecuteOptions {
  if (signal === undefined && timeoutMs === undefined && attemptTimeoutMs === undefined) {
    return repeatable ? REPEATABLE_EXECUTION : ONCE_EXECUTION;
  }
  const execution: ExecuteOptions = { idempotent: repeatable };
  if (signal !== undefined) execution.signal = signal;
  if (timeoutMs !== undefined) execution.timeoutMs = timeoutMs;
  if (attemptTimeoutMs !== undefined) execution.attemptTimeoutMs = attemptTimeoutMs;
  return execution;
}
