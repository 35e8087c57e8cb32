import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { httpClientSettings } from './settings.ts';
import { parsePathTemplate } from './path-template.ts';
import { prepareRequest } from './request.ts';
import type { AnyRequestOptions } from './request-options.ts';

const settings = httpClientSettings({ baseUrl: 'http://host/v1', headers: { 'X-Team': 'a' } });
const prepare = (method: string, path: string, options?: AnyRequestOptions) =>
  prepareRequest(settings, method, parsePathTemplate(path, settings.pathPrefix), options);
const headersOf = (method: string, options?: AnyRequestOptions) => {
  const { headers } = prepare(method, '/a', options);
  return Object.fromEntries(headers.flatMap((name, i) => (i % 2 === 0 ? [[name, headers[i + 1]]] : [])));
};

describe('prepareRequest', () => {
  test('joins prefix, path, parameters and query', () => {
    expect(prepare('GET', '/i/{id}', { params: { id: 1 }, query: { a: [1, 2] } }).path).toBe('/v1/i/1?a=1&a=2');
    expect(prepare('GET', '/i?x=1', { query: { a: 1 } }).path).toBe('/v1/i?x=1&a=1');
    expect(prepare('GET', '/i', { query: { a: undefined } }).path).toBe('/v1/i');
  });

  test.each([
    ['json', { json: { a: 'ä' } }, '{"a":"ä"}', 'application/json'],
    ['json null', { json: null }, 'null', 'application/json'],
    ['form', { form: { a: 'x y', b: [1, 2] } }, 'a=x+y&b=1&b=2', 'application/x-www-form-urlencoded'],
    ['text', { body: 'hello' }, 'hello', 'text/plain; charset=utf-8'],
    ['bytes', { body: Uint8Array.of(1, 2) }, Uint8Array.of(1, 2), 'application/octet-stream'],
  ])('encodes %s', (_what, options, body, type) => {
    expect(prepare('POST', '/a', options).body).toEqual(body);
    expect(headersOf('POST', options)['content-type']).toBe(type);
  });

  test('a content type of the caller wins', () => {
    expect(headersOf('POST', { json: 1, headers: { 'Content-Type': 'application/vnd.a+json' } })['content-type']).toBe(
      'application/vnd.a+json',
    );
  });

  test('omits an omitted content type, except that of a multipart form, which has the boundary', () => {
    const none = { 'Content-Type': undefined };
    expect(headersOf('POST', { json: 1, headers: none })).not.toHaveProperty('content-type');
    expect(headersOf('POST', { body: Buffer.from('x'), headers: none })).not.toHaveProperty('content-type');
    const form = { multipart: { a: 'b' }, headers: { 'Content-Type': 'multipart/form-data' } };
    expect(headersOf('POST', form)).not.toHaveProperty('content-type');
    expect(prepare('POST', '/a', form).source?.open()).toMatchObject({
      contentType: expect.stringContaining('boundary'),
    });
  });

  test('headers of the client are sent, replaced and omitted', () => {
    expect(headersOf('GET')).toEqual({ 'accept-encoding': 'gzip, deflate, br, zstd', 'x-team': 'a' });
    expect(headersOf('GET', { headers: { 'x-TEAM': 'b' } })['x-team']).toBe('b');
    expect(headersOf('GET', { headers: { 'accept-encoding': undefined } })).toEqual({ 'x-team': 'a' });
  });

  test.each([
    ['GET', {}, true],
    ['POST', {}, false],
    ['PATCH', {}, false],
    ['POST', { idempotencyKey: 'k' }, true],
    ['POST', { idempotencyKey: true as const }, true],
    ['POST', { idempotent: true }, true],
    ['POST', { idempotencyKey: 'k', idempotent: false }, false],
    ['GET', { idempotent: false }, false],
  ])('%s with %j may be sent twice: %s', (method, options, repeatable) => {
    expect(prepare(method, '/a', options).repeatable).toBe(repeatable);
  });

  // They have no properties of their own: taken for a plain object, all that is in them would be left out.
  test.each<[string, Record<string, unknown>]>([
    ['request.headers', { headers: new Headers({ authorization: 'canary' }) }],
    ['request.headers', { headers: [['a', 'canary']] }],
    ['request.query', { query: new URLSearchParams({ a: 'canary' }) }],
    ['request.query', { query: new Map([['a', 'canary']]) }],
    ['request.query', { query: 'a=canary' }],
    ['request.query', { query: null }],
    ['request.form', { form: new URLSearchParams({ a: 'canary' }) }],
    ['request.form', { form: null }],
    ['request.multipart', { multipart: new Map([['a', 'canary']]) }],
    ['request.params', { params: null }],
  ])('%s must be a plain object: %#', (path, options) => {
    let thrown: unknown;
    try {
      prepare('POST', '/a', options as AnyRequestOptions);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ code: 'MAC_INVALID_OPTIONS', path });
    expect((thrown as Error).message.replace('"a=canary"', '')).not.toContain('canary');
  });

  test('rejects NaN as a header value', () => {
    expect(() => prepare('GET', '/a', { headers: { a: NaN } })).toThrow(/headers\.a is NaN/);
  });

  test('a stream that can be read once is retried, but never hedged', () => {
    const once = prepare('PUT', '/a', { body: Readable.from(['x']) });
    expect([once.repeatable, once.execution.idempotent]).toEqual([true, false]);
    const anew = prepare('PUT', '/a', { body: () => Readable.from(['x']) });
    expect([anew.repeatable, anew.execution.idempotent]).toEqual([true, true]);
  });

  test('an idempotency key is sent as given, or generated', () => {
    expect(headersOf('POST', { idempotencyKey: 'k-1' })['idempotency-key']).toBe('k-1');
    const made = headersOf('POST', { idempotencyKey: true })['idempotency-key'];
    expect(made).toMatch(/^[\da-f-]{36}$/);
    expect(headersOf('POST', { idempotencyKey: true })['idempotency-key']).not.toBe(made);
  });

  test.each([
    ['an unknown option', { timeout: 1 }, 'request.timeout'],
    ['a negative limit', { timeoutMs: -1 }, 'request.timeoutMs'],
    ['a try longer than the call', { timeoutMs: 5, attemptTimeoutMs: 6 }, 'request.attemptTimeoutMs'],
    ['two bodies', { json: 1, body: 'x' }, 'request.body'],
    ['a body of no kind', { body: 5 }, 'request.body'],
    ['JSON with a cycle', { json: cycle() }, 'request.json'],
    ['JSON with a bigint', { json: 1n }, 'request.json'],
    ['a function as JSON', { json: () => 1 }, 'request.json'],
    ['a key with a line break', { idempotencyKey: 'a\r\nb: c' }, 'request.idempotencyKey'],
    ['an empty key', { idempotencyKey: '' }, 'request.idempotencyKey'],
    ['a priority of no kind', { priority: 'urgent' }, 'request.priority'],
    ['a signal that is none', { signal: {} }, 'request.signal'],
    ['null for a signal', { signal: null }, 'request.signal'],
  ])('rejects %s', (_what, options, path) => {
    expect(() => prepare('POST', '/a', options as AnyRequestOptions)).toThrow(
      expect.objectContaining({ code: 'MAC_INVALID_OPTIONS', path }),
    );
  });

  test.each(['get', 'CONNECT', 'A B', 'GET\r\nx', '', 5])('rejects the method %j', (method) => {
    expect(() => prepare(method as string, '/a')).toThrow(expect.objectContaining({ path: 'request.method' }));
  });

  test('is named without parameters and query values', () => {
    const { subject } = prepare('GET', '/reset/{token}', {
      params: { token: 'canary' },
      query: { key: 'canary', page: 2 },
    });
    expect(subject.url).toBe('http://host/v1/reset/{token}?key=REDACTED&page=REDACTED');
  });
});

function cycle(): object {
  const value: { self?: object } = {};
  value.self = value;
  return value;
}
