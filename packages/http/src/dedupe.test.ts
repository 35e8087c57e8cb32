import { describe, expect, test } from 'vitest';
import { Dedupe } from './dedupe.ts';
import { PathTemplates } from './path-template.ts';
import type { AnyRequestOptions } from './request-options.ts';
import { prepareRequest } from './request.ts';
import { httpClientSettings } from './settings.ts';

const settings = httpClientSettings({ baseUrl: 'http://billing.internal', dedupe: true });
const templates = new PathTemplates('');

function keyOf(method: string, path: string, options: AnyRequestOptions = {}): string | undefined {
  const { name, clock } = settings;
  const dedupe = new Dedupe(settings, { name, clock, propagates: true, baggage: false }, () => Promise.reject());
  return dedupe.keyOf(prepareRequest(settings, method, templates.get(path), options));
}

describe('AC35: what counts as identical', () => {
  test.each<[string, AnyRequestOptions, AnyRequestOptions]>([
    ['Authorization', { headers: { authorization: 'Bearer a' } }, { headers: { authorization: 'Bearer b' } }],
    ['Cookie', { headers: { cookie: 'a=1' } }, { headers: { cookie: 'a=2' } }],
    ['a header at all', { headers: { 'x-a': '1' } }, {}],
    ['the name of a header', { headers: { 'x-a': '1' } }, { headers: { 'x-b': '1' } }],
    ['where a value ends', { headers: { 'x-a': '1","x-b","2' } }, { headers: { 'x-a': '1', 'x-b': '2' } }],
    ['a value given twice', { headers: { 'x-a': ['1', '2'] } }, { headers: { 'x-a': '1, 2' } }],
    ['the query', { query: { a: 1 } }, { query: { a: 2 } }],
    ['a query with a delimiter', { query: { a: '1&b=2' } }, { query: { a: '1', b: '2' } }],
    ['the time it may take', { timeoutMs: 100 }, { timeoutMs: 200 }],
    ['whether it may be sent twice', { idempotent: false }, {}],
    ['its priority', { priority: 'high' }, {}],
  ])('requests that differ in %s are not shared', (_what, one, other) => {
    expect(keyOf('GET', '/a', one)).not.toBe(keyOf('GET', '/a', other));
    expect(keyOf('GET', '/a', one)).toBe(keyOf('GET', '/a', { ...one }));
  });

  test('requests that differ in method or path are not shared', () => {
    expect(new Set([keyOf('GET', '/a'), keyOf('HEAD', '/a'), keyOf('GET', '/a/'), keyOf('GET', '/b')]).size).toBe(4);
  });

  test.each(['POST', 'PUT', 'PATCH', 'DELETE', 'QUERY'])('%s is never shared', (method) => {
    expect(keyOf(method, '/a')).toBeUndefined();
  });

  test('a request with a body is never shared', () => {
    expect(keyOf('GET', '/a', { body: 'x' })).toBeUndefined();
  });
});
