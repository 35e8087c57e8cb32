import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { Redaction } from './redaction.ts';

const jwt = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJl';

function requestOf(headers: string[], body?: string, path = '/a', redaction = new Redaction()): string {
  const request = { method: 'POST', origin: 'https://a.example', path, headers };
  return JSON.stringify(redaction.request(request, body === undefined ? undefined : Buffer.from(body)));
}

describe('Redaction', () => {
  test.each<[string, string[], (string | undefined)?, string?]>([
    ['authorization', ['Authorization', 'Bearer canary']],
    ['cookies', ['Cookie', 'sid=canary']],
    ['api keys', ['X-Api-Key', 'canary']],
    ['a token in a field of any name', ['x-forwarded-access-token', 'canary']],
    ['a JSON Web Token anywhere', ['x-user', jwt], `{"note":"${jwt}"}`],
    [
      'nested fields in a query',
      [],
      undefined,
      '/a?user[password]=canary&b[token][]=canary&a%5Bsecret%5D=canary&c[d]=1',
    ],
    [
      'nested fields of forms',
      ['content-type', 'application/x-www-form-urlencoded'],
      'user%5Bpassword%5D=canary&token[]=canary',
    ],
    ['query values', [], undefined, '/a?access_token=canary&sig=canary&b=1'],
    [
      'fields of JSON at any depth',
      ['content-type', 'application/json'],
      '{"a":[{"clientSecret":"canary","pin":{"password":"canary"}}]}',
    ],
    ['lists below a secret name', ['content-type', 'application/json'], '{"password":["canary",["canary"]]}'],
    [
      'keys of cloud providers',
      ['content-type', 'application/json'],
      '{"secretAccessKey":"canary","signing_key":"canary"}',
    ],
    [
      'JSON in a string inside of JSON',
      ['content-type', 'application/json'],
      JSON.stringify({ a: '{"password":"canary"}' }),
    ],
    ['JSON declared as text', ['content-type', 'text/plain'], '{"password":"canary"}'],
    ['JSON lines', ['content-type', 'application/x-ndjson'], '{"a":1}\n{"password":"canary"}\n'],
    [
      'data of server-sent events',
      ['content-type', 'text/event-stream'],
      'event: a\ndata: {"access_token":"canary"}\n\n',
    ],
    [
      'fields of multipart forms',
      ['content-type', 'multipart/form-data; boundary=b'],
      '--b\r\ncontent-disposition: form-data; name="password"\r\n\r\ncanary\r\n--b--\r\n',
    ],
    ['fields of forms', ['content-type', 'application/x-www-form-urlencoded'], 'grant_type=x&client_secret=canary'],
    [
      'URLs inside of text',
      ['referer', 'https://user:canary@b.example/?token=canary'],
      'see https://b.example/?api_key=canary',
    ],
  ])('redacts %s', (_, headers, body, path) => {
    const written = requestOf(headers, body, path);
    expect(written).toContain('REDACTED');
    expect(written).not.toMatch(/canary|c2lnbmF0dXJl|Y2FuYXJ5/);
  });

  test('leaves a request without secrets unchanged, to the byte', () => {
    const body = '{ "id" : 1, "tokens": null, "author": "me", "total": 12.50 }';
    const written = new Redaction().request(
      {
        method: 'POST',
        origin: 'https://a.example',
        path: '/a?page=2&q=a%20b',
        headers: ['content-type', 'application/json'],
      },
      Buffer.from(body),
    );
    expect(written).toEqual({
      method: 'POST',
      url: 'https://a.example/a?page=2&q=a%20b',
      headers: { 'content-type': 'application/json' },
      body: { text: body },
    });
  });

  test.each([
    ['lists of numbers', 'application/json', '{ "page_key": [1, 2], "b": "[not JSON" }'],
    ['lines', 'application/x-ndjson', '{ "a": 1 }\n[ 2 ]\r\n{ broken\n'],
    ['events', 'text/event-stream', 'data: { "a": 1 }\n\ndata:{"b":"{\\"c\\": 1}"}\n\n'],
    [
      'fields with files',
      'multipart/form-data; boundary=b',
      '--b\r\ncontent-disposition: form-data; name="a"; filename="f"\r\ncontent-type: text/plain\r\n\r\n1\r\n--b--\r\n',
    ],
  ])('leaves %s without secrets unchanged, to the byte', (_, type, text) => {
    expect(new Redaction().response(200, { 'content-type': type }, Buffer.from(text)).body).toEqual({ text });
  });

  test('redacts the names and texts of its options', () => {
    const redaction = new Redaction({
      names: ['X-Customer', 'iban'],
      text: (text) => text.replaceAll('Smith', 'N.N.'),
    });
    const written = requestOf(
      ['x-customer', 'canary', 'content-type', 'application/json'],
      '{"iban":"canary","name":"Smith"}',
      '/a?iban=canary',
      redaction,
    );
    expect(written).not.toMatch(/canary|Smith/);
  });

  test('decodes the content encoding of a response before it redacts it', () => {
    const headers = { 'content-encoding': 'gzip', 'content-length': '70', 'set-cookie': ['sid=canary', 'b=canary'] };
    const body = gzipSync('{"access_token":"canary"}');
    expect(new Redaction().response(200, { ...headers, 'content-type': 'application/json' }, body)).toEqual({
      status: 200,
      headers: { 'content-type': 'application/json', 'set-cookie': 'REDACTED' },
      body: { text: '{"access_token":"REDACTED"}' },
    });
    expect(new Redaction().response(200, { 'content-encoding': 'rot13' }, Buffer.from('canary')).body).toBeUndefined();
    expect(new Redaction().response(200, { 'content-encoding': 'gzip' }, Buffer.from('canary')).body).toBeUndefined();
  });

  test('redacts a page of many blank lines in linear time', () => {
    // CPU time instead of wall time. Linear takes milliseconds here, quadratic takes seconds.
    const before = process.cpuUsage();
    new Redaction().response(200, {}, Buffer.from('\n'.repeat(100_000)));
    const { user, system } = process.cpuUsage(before);
    expect(user + system).toBeLessThan(1_000_000);
  });

  test('records a body that is not UTF-8 as base64', () => {
    expect(new Redaction().response(200, {}, Uint8Array.of(0xff, 0)).body).toEqual({ base64: '/wA=' });
  });
});

test.each([
  ['redact.names', { names: 'x' }],
  ['redact.text', { text: 1 }],
  ['redact.headers', { headers: [] }],
])('refuses a wrong %s', (path, options) => {
  expect(() => new Redaction(options as never)).toThrow(
    expect.objectContaining({ code: 'MAC_INVALID_OPTIONS', path: `createRecorder.${path}` }),
  );
});
