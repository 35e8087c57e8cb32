import { TimeoutError } from '@macadam/core';
import { CircuitOpenError } from '@macadam/resilience';
import { describe, expect, test } from 'vitest';
import { HttpDecodeError } from './body-errors.ts';
import { HttpNetworkError, HttpStatusError } from './errors.ts';
import { HttpResponse } from './response.ts';
import {
  classifyAttempt,
  DEFAULT_RETRY_ERROR_CODES,
  DEFAULT_RETRY_METHODS,
  DEFAULT_RETRY_STATUSES,
  isRepeatable,
  isRetryableFailure,
  isRetryableStatus,
  isThrottled,
  retryUnsent,
} from './retry-rules.ts';

const rules = {
  methods: new Set(DEFAULT_RETRY_METHODS),
  statuses: new Set(DEFAULT_RETRY_STATUSES),
  errorCodes: new Set(DEFAULT_RETRY_ERROR_CODES),
};
const subject = { method: 'GET', url: 'http://host/' };
const failed = (error: unknown) => ({ ok: false, error, attempt: 1, durationMs: 1 }) as const;
const status = (code: number) =>
  failed(new HttpStatusError(subject, new HttpResponse(subject, code, {}), true, undefined));
const network = (code: string, phase: 'connect' | 'request' | 'response', retryable = true) =>
  failed(new HttpNetworkError(subject, code, phase, retryable, undefined));

describe('by method', () => {
  test.each(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE', 'QUERY'])('%s may be sent twice', (method) => {
    expect(isRepeatable(rules, method, false)).toBe(true);
  });
  test.each(['POST', 'PATCH', 'CONNECT', 'get', 'LOCK'])('%s may not, unless declared', (method) => {
    expect(isRepeatable(rules, method, false)).toBe(false);
    expect(isRepeatable(rules, method, true)).toBe(true);
  });
});

describe('by status', () => {
  const retried = [408, 429, 500, 502, 503, 504];
  const statuses = [
    100, 200, 204, 301, 304, 400, 401, 403, 404, 405, 408, 409, 410, 412, 413, 418, 421, 422, 425, 426, 429,
  ].concat([431, 451, 500, 501, 502, 503, 504, 505, 507, 508, 511, 521, 599]);
  test.each(statuses)('%d', (code) => {
    expect(isRetryableStatus(rules, code, true)).toBe(retried.includes(code));
    expect(isRetryableStatus(rules, code, false)).toBe(false);
  });
});

describe('AC45: by network error code (make-fetch-happen reads its list inverted)', () => {
  const retried = [
    'EAI_AGAIN',
    'ECONNABORTED',
    'ECONNREFUSED',
    'ECONNRESET',
    'EHOSTDOWN',
    'EHOSTUNREACH',
    'ENETDOWN',
    'ENETUNREACH',
    'ENOTFOUND',
    'EPIPE',
    'ETIMEDOUT',
    'UND_ERR_SOCKET',
    'UND_ERR_CONNECT_TIMEOUT',
    'UND_ERR_HEADERS_TIMEOUT',
    'UND_ERR_BODY_TIMEOUT',
    'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
    'HPE_INVALID_EOF_STATE',
  ];
  test.each(retried)('%s is retried', (code) => {
    expect(isRetryableFailure(rules, code, true, false)).toBe(true);
    expect(isRetryableFailure(rules, code, false, true)).toBe(true);
    expect(isRetryableFailure(rules, code, false, false)).toBe(false);
  });
  test.each([
    'CERT_HAS_EXPIRED',
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    'ERR_TLS_CERT_ALTNAME_INVALID',
    'EPROTO',
    'HPE_INVALID_CONSTANT',
    'UND_ERR_ABORTED',
    'UND_ERR_CLOSED',
    'UND_ERR_DESTROYED',
    'UND_ERR_HEADERS_OVERFLOW',
    'UND_ERR_INVALID_ARG',
    'EACCES',
  ])('%s is not retried', (code) => {
    expect(isRetryableFailure(rules, code, true, true)).toBe(false);
  });
});

describe('requests that must not be sent twice', () => {
  test.each([
    ['refused before anything was sent', network('ECONNREFUSED', 'connect'), true],
    ['reset after it was sent', network('ECONNRESET', 'request', false), false],
    ['cut off in the response', network('ECONNRESET', 'response', false), false],
    ['a certificate that is wrong', network('CERT_HAS_EXPIRED', 'connect', false), false],
    ['a 503', status(503), false],
    ['a timeout: it may have been done', failed(new TimeoutError('late', 1)), false],
    ['a success', { ok: true, value: 1, attempt: 1, durationMs: 1 } as const, false],
  ])('%s', (_what, outcome, again) => expect(retryUnsent(outcome)).toBe(again));
});

describe('the verdict for the circuit breaker', () => {
  test.each([
    ['a value', { ok: true, value: 1, attempt: 1, durationMs: 1 } as const, 'success'],
    ['404: the service is well', status(404), 'success'],
    ['429 is a matter of quota', status(429), 'neutral'],
    ['500', status(500), 'failure'],
    ['503', status(503), 'failure'],
    ['501 says "never"', status(501), 'success'],
    ['a reset', network('ECONNRESET', 'request'), 'failure'],
    ['our own shutdown', network('UND_ERR_CLOSED', 'connect'), 'neutral'],
    ['a timeout', failed(new TimeoutError('late', 1)), 'failure'],
    ['a refusal of its own', failed(new CircuitOpenError('b', 'open', 1)), 'neutral'],
    ['a body of the wrong kind', failed(new HttpDecodeError(subject, 'json', 200, 'x')), 'neutral'],
    ['a caller who left', failed(new DOMException('', 'AbortError')), 'neutral'],
  ])('%s', (_what, outcome, verdict) => expect(classifyAttempt(outcome)).toBe(verdict));
});

test('429 and 503 count as throttling', () => {
  expect(isThrottled(status(429))).toBe(true);
  expect(isThrottled(status(503))).toBe(true);
  expect(isThrottled(status(500))).toBe(false);
  expect(isThrottled(network('ECONNRESET', 'request'))).toBe(false);
});
