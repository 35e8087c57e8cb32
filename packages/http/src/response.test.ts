import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { AttemptLog } from './attempts.ts';
import { HttpResponse, setAttempts } from './response.ts';

const subject = { method: 'GET', url: 'http://host/' };
const response = (body: string | Uint8Array, type?: string, truncated = false) =>
  new HttpResponse(
    subject,
    200,
    type === undefined ? {} : { 'content-type': type },
    typeof body === 'string' ? Buffer.from(body) : body,
    truncated,
  );

describe('data', () => {
  test.each([
    ['JSON', '{"a":1}', 'application/json', { a: 1 }],
    ['JSON with a charset', '1', 'application/json; charset=utf-8', 1],
    ['a problem document', '{"a":1}', 'application/problem+json', { a: 1 }],
    ['JSON in capitals', '[1]', 'Application/JSON', [1]],
    ['JSON after a byte order mark', '\ufeff{"a":1}', 'application/json', { a: 1 }],
    ['no type, taken for JSON', '{"a":1}', undefined, { a: 1 }],
    ['text', '{"a":1}', 'text/plain', '{"a":1}'],
    ['HTML', '<p>', 'text/html', '<p>'],
    ['XML', '<p/>', 'image/svg+xml', '<p/>'],
    ['nothing', '', 'application/json', undefined],
    ['null', 'null', 'application/json', null],
    ['a type that only begins like JSON', '{}', 'application/json-seq', Buffer.from('{}')],
    ['bytes', Uint8Array.of(1, 2), 'image/png', Buffer.from([1, 2])],
  ])('%s', (_what, body, type, data) => {
    const { data: got } = response(body, type);
    expect(got instanceof Uint8Array ? Buffer.from(got) : got).toEqual(data);
  });

  test('that cannot be decoded throws an error with the attempts of the call', () => {
    const answer = response('{', 'application/json');
    const log = new AttemptLog(0);
    log.begin(1, 'host', 0);
    log.end(1, 1, 200, undefined, 'success');
    setAttempts(answer, log.records);
    expect(() => answer.data).toThrow(expect.objectContaining({ reason: 'json', attempts: log.records }));
  });

  test('is decoded once', () => {
    const answer = response('{"a":1}', 'application/json');
    expect(answer.data).toBe(answer.data);
  });

  test.each([
    ['not JSON', 'canary{', false, 'json'],
    ['cut off', '{"a":1}', true, 'truncated'],
  ])('throws when it is %s, without showing it; text() still works', (_what, body, truncated, reason) => {
    const answer = response(body, 'application/json', truncated);
    let thrown: unknown;
    try {
      void answer.data;
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ code: 'MAC_HTTP_DECODE', reason, status: 200 });
    expect(inspect(thrown) + JSON.stringify(thrown)).not.toContain('canary');
    expect(answer.text()).toBe(body);
  });
});

test.each([
  ['latin1', Uint8Array.of(0xe4), 'text/plain; charset=ISO-8859-1', 'ä'],
  ['quoted', Uint8Array.of(0xe4), 'text/plain; charset="iso-8859-1"', 'ä'],
  ['UTF-8 by default', Buffer.from('ä'), 'text/plain', 'ä'],
  ['UTF-8 for an unknown charset', Buffer.from('ä'), 'text/plain; charset=klingon', 'ä'],
  ['bytes that are not UTF-8', Uint8Array.of(0xff), 'text/plain', '\ufffd'],
])('text() in %s', (_what, body, type, text) => expect(response(body, type).text()).toBe(text));

test('printing a response shows neither body nor headers', () => {
  const shown = inspect(response('{"token":"canary"}', 'application/json'), { depth: 9, showHidden: true });
  expect(shown).not.toContain('canary');
});
