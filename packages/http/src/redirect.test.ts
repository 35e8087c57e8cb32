import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decideRedirect, isRedirect, SECRET_HEADERS, type RedirectedRequest, type RedirectRules } from './redirect.ts';

const rules: RedirectRules = {
  max: 5,
  crossOrigin: false,
  secretHeaders: new Set([...SECRET_HEADERS, 'x-tenant-key']),
};
const anywhere: RedirectRules = { ...rules, crossOrigin: true };
const request: RedirectedRequest = {
  method: 'GET',
  origin: 'https://a.example',
  path: '/v1/items?page=1',
  headers: [
    'authorization',
    'Bearer t',
    'cookie',
    'c',
    'x-tenant-key',
    'k',
    'accept',
    'text/plain',
    'content-type',
    'a/b',
  ],
  hops: 0,
  body: 'none',
};
const names = (headers: readonly string[]) => headers.filter((_, i) => i % 2 === 0);

test.each([
  [301, '/x', true],
  [302, '/x', true],
  [303, '/x', true],
  [307, '/x', true],
  [308, '/x', true],
  [300, '/x', false],
  [304, '/x', false],
  [305, '/x', false],
  [200, '/x', false],
  [302, undefined, false],
])('%i with location %s is a redirect: %s', (status, location, expected) => {
  expect(isRedirect(status, location)).toBe(expected);
});

describe('method and body (RFC 9110, section 15.4; Fetch, HTTP-redirect fetch)', () => {
  test.each([
    // status, method, method after it, whether the body goes along
    [301, 'GET', 'GET', true],
    [301, 'HEAD', 'HEAD', true],
    [301, 'POST', 'GET', false],
    [301, 'PUT', 'PUT', true],
    [301, 'PATCH', 'PATCH', true],
    [301, 'DELETE', 'DELETE', true],
    [302, 'GET', 'GET', true],
    [302, 'POST', 'GET', false],
    [302, 'PUT', 'PUT', true],
    [303, 'GET', 'GET', true],
    [303, 'HEAD', 'HEAD', true],
    [303, 'POST', 'GET', false],
    [303, 'PUT', 'GET', false],
    [303, 'PATCH', 'GET', false],
    [303, 'DELETE', 'GET', false],
    [307, 'POST', 'POST', true],
    [307, 'PUT', 'PUT', true],
    [308, 'POST', 'POST', true],
    [308, 'GET', 'GET', true],
  ])('%i turns %s into %s, body kept: %s', (status, method, after, keepsBody) => {
    const body = method === 'GET' || method === 'HEAD' ? 'none' : 'replayable';
    const decision = decideRedirect(rules, { ...request, method, body }, status, '/next');
    expect(decision).toMatchObject({ next: 'follow', method: after, keepsBody });
    if (decision.next === 'follow') expect(names(decision.headers).includes('content-type')).toBe(keepsBody);
  });

  test('a body that cannot be sent again prevents 307, but not 303, which drops it', () => {
    const spent: RedirectedRequest = { ...request, method: 'PUT', body: 'spent' };
    expect(decideRedirect(rules, spent, 307, '/x')).toEqual({ next: 'refuse', reason: 'bodyNotReplayable' });
    expect(decideRedirect(rules, spent, 303, '/x')).toMatchObject({ next: 'follow', method: 'GET' });
  });
});

describe('the target', () => {
  test.each([
    ['/next', '/next'],
    ['next', '/v1/next'],
    ['?page=2', '/v1/items?page=2'],
    ['./next#part', '/v1/next'],
    ['../up', '/up'],
    ['https://a.example/abs', '/abs'],
    ['https://a.example:443/abs', '/abs'],
    ['HTTPS://A.EXAMPLE/abs', '/abs'],
    ['//a.example/abs', '/abs'],
    ['', '/v1/items?page=1'],
  ])('%s leads to %s of the same origin', (location, path) => {
    expect(decideRedirect(rules, request, 302, location)).toMatchObject({
      next: 'follow',
      origin: 'https://a.example',
      path,
      headers: request.headers,
    });
  });

  test.each([
    ['another host', 'https://b.example/x', 'crossOrigin'],
    ['a host that only begins like ours', 'https://a.example.evil.example/x', 'crossOrigin'],
    ['another port', 'https://a.example:8443/x', 'crossOrigin'],
    ['a host without its scheme', '//b.example/x', 'crossOrigin'],
    ['a backslash, which the URL standard takes for a slash', '\\\\b.example/x', 'crossOrigin'],
    ['http instead of https', 'http://a.example/x', 'insecure'],
    ['credentials in the URL', 'https://u:p@a.example/x', 'invalidLocation'],
    ['a script', 'javascript:alert(1)', 'invalidLocation'],
    ['a file', 'file:///etc/passwd', 'invalidLocation'],
    ['data', 'data:text/plain,x', 'invalidLocation'],
    ['no URL', 'https://', 'invalidLocation'],
  ])('%s is not followed', (_what, location, reason) => {
    expect(decideRedirect(rules, request, 302, location)).toEqual({ next: 'refuse', reason });
  });

  test('https to http is not followed even where other origins are allowed', () => {
    expect(decideRedirect(anywhere, request, 302, 'http://b.example/x')).toEqual({
      next: 'refuse',
      reason: 'insecure',
    });
  });

  test('the sixth redirect is not followed', () => {
    expect(decideRedirect(rules, { ...request, hops: 4 }, 302, '/x')).toMatchObject({ next: 'follow' });
    expect(decideRedirect(rules, { ...request, hops: 5 }, 302, '/x')).toEqual({ next: 'refuse', reason: 'tooMany' });
  });
});

describe('to another origin that is allowed', () => {
  test('drops secret headers, declared ones too', () => {
    const decision = decideRedirect(anywhere, request, 307, 'https://b.example/x');
    expect(decision).toMatchObject({ next: 'follow', origin: 'https://b.example', path: '/x' });
    if (decision.next === 'follow') expect(names(decision.headers)).toEqual(['accept', 'content-type']);
  });

  test.each(SECRET_HEADERS)('drops %s', (name) => {
    const decision = decideRedirect(anywhere, { ...request, headers: [name, 'x'] }, 302, 'https://b.example/');
    expect(decision).toMatchObject({ next: 'follow', headers: [] });
  });
});

test('property: no location leads to another origin unless allowed, nor from https to http', () => {
  const hosts = fc.constantFrom('a.example', 'b.example', 'a.example:444', 'u@a.example', '[::1]', '127.0.0.1');
  const starts = fc.constantFrom('', '/', '//', 'http://', 'https://', '\\\\', 'https:', '\thttps://', 'ftp://');
  fc.assert(
    fc.property(starts, hosts, fc.string({ maxLength: 8 }), fc.boolean(), (start, host, rest, crossOrigin) => {
      const decision = decideRedirect({ ...rules, crossOrigin }, request, 302, start + host + rest);
      if (decision.next === 'refuse') return;
      expect(decision.origin.startsWith('https://')).toBe(true);
      if (!crossOrigin) expect(decision.origin).toBe('https://a.example');
      else if (decision.origin !== 'https://a.example') expect(names(decision.headers)).not.toContain('authorization');
      expect(decision.path.startsWith('/')).toBe(true);
    }),
  );
});
