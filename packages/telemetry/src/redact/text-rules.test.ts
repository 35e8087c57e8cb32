import { describe, expect, it } from 'vitest';
import { KeyRules } from './key-rules.ts';
import { TextRules } from './text-rules.ts';

const rules = new TextRules(new KeyRules(['x-house-code']), ['x-house-code'], [/internal-\d+/]);

const clean = (text: string): string => rules.redact(text);

describe('TextRules: credentials inside strings', () => {
  const canary = 'C4nary-s3cret';
  it.each([
    ['JWT', 'got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl today', 'got [redacted] today'],
    ['JWT cut in its second part', 'got eyJhbGciOiJIUzI1NiJ9.eyJzd', 'got [redacted]'],
    ['Bearer', `Bearer ${canary}`, 'Bearer [redacted]'],
    ['Bearer in lower case', `authenticated with bearer ${canary}!`, 'authenticated with bearer [redacted]!'],
    ['Basic', 'sent Basic dXNlcjpwYXNzd29yZA==', 'sent Basic [redacted]'],
    ['DPoP', `DPoP ${canary}`, 'DPoP [redacted]'],
    ['PEM', `key: -----BEGIN PRIVATE KEY-----\nMIIabc\n-----END PRIVATE KEY----- end`, 'key: [redacted] end'],
    ['PEM without its end', `-----BEGIN RSA PRIVATE KEY-----\nMIIabc`, '[redacted]'],
    ['AWS', 'id AKIAIOSFODNN7EXAMPLE.', 'id [redacted].'],
    ['GitHub', 'ghp_0123456789abcdefghijklmnopqrstuvwxyz', '[redacted]'],
    ['Stripe', 'sk_live_0123456789abcdef', '[redacted]'],
    ['Slack', 'xoxb-1234567890-abcdef', '[redacted]'],
    ['our API key', 'mcd_prod_live_k17_0123456789abcdefghijABCDEF', '[redacted]'],
    ['userinfo', `postgres://app:${canary}@db:5432/x`, 'postgres://[redacted]@db:5432/x'],
    ['userinfo with an at sign', 'redis://u:p@ss@cache:6379', 'redis://[redacted]@cache:6379'],
    ['query', `GET /x?access_token=${canary}&page=2`, 'GET /x?access_token=[redacted]&page=2'],
    [
      'signed URL',
      `https://s3/x?X-Amz-Signature=${canary}&X-Amz-Date=1`,
      'https://s3/x?X-Amz-Signature=[redacted]&X-Amz-Date=1',
    ],
    ['authorization code', '/callback?code=abc&state=def', '/callback?code=[redacted]&state=[redacted]'],
    ['header', `Authorization: Custom a b ${canary}\r\nHost: x`, 'Authorization: [redacted]\r\nHost: x'],
    [
      'cookie header',
      `GET / HTTP/1.1\r\nCookie: sid=${canary}; b=2\r\nAccept: x`,
      'GET / HTTP/1.1\r\nCookie: [redacted]\r\nAccept: x',
    ],
    ['JSON', `{"user":"u","password":"${canary}"}`, '{"user":"u","password":"[redacted]"}'],
    ['JSON with an escaped quote', `{"password":"a\\"${canary}","b":1}`, '{"password":"[redacted]","b":1}'],
    ['JSON inside JSON', `{"body":"{\\"password\\":\\"${canary}\\"}"}`, '{"body":"{\\"password\\":\\"[redacted]\\"}"}'],
    ['inspect', `{ password: '${canary}', a: 1 }`, `{ password: '[redacted]', a: 1 }`],
    ['Map', `Map(1) { 'token' => '${canary}' }`, `Map(1) { 'token' => '[redacted]' }`],
    ['assignment with a scheme', `authorization=Bearer ${canary}`, 'authorization=[redacted] [redacted]'],
    [
      'a pair inside a harmless quoted value',
      `msg="login password=${canary}" ok`,
      'msg="login password=[redacted]" ok',
    ],
    [
      'Digest',
      `Authorization: Digest username="a", response="${canary}"\r\nHost: x`,
      'Authorization: [redacted]\r\nHost: x',
    ],
    ['cookie in quotes', `Cookie: a=1; sid="${canary}"; b=2`, 'Cookie: [redacted]'],
    [
      'a header in a command',
      `curl -H "Authorization: Basic eDp5eg==" -d "a=1"`,
      'curl -H "Authorization: [redacted]" -d "a=1"',
    ],
    ['Stripe', `Stripe-Signature: t=1,v1=${canary}`, 'Stripe-Signature: [redacted]'],
    [
      'list of headers in JSON',
      `{"set-cookie":["sid=${canary}; Path=/]","b=2"],"a":1}`,
      '{"set-cookie":[redacted],"a":1}',
    ],
    ['list inside JSON inside JSON', `"{\\"password\\":[\\"${canary}\\"]}"`, '"{\\"password\\":[redacted]}"'],
    ['list of inspect', `{ 'set-cookie': [ 'sid=${canary}' ], a: 1 }`, `{ 'set-cookie': [redacted], a: 1 }`],
    ['object in JSON', `{"secret":{"value":"${canary}"},"a":1}`, '{"secret":[redacted],"a":1}'],
    ['object that is cut', `{"secret":{"value":"${canary}\\`, '{"secret":[redacted]'],
    ['argument of a command', `mysql --password=${canary} -h db`, 'mysql --password=[redacted] -h db'],
    ['argument of a command after a blank', `mysql --password ${canary} -h db`, 'mysql --password [redacted] -h db'],
    ['argument with one dash, in quotes', `tool -token '${canary} x' -v`, `tool -token '[redacted]' -v`],
    ['arguments joined by commas', `ran mysql,--password,${canary},-v`, 'ran mysql,--password,[redacted],-v'],
    ['arguments as a list in JSON', `["--api-key","${canary}","-v"]`, '["--api-key","[redacted]","-v"]'],
    [
      'private members of a JSON Web Key',
      `{"d":"${canary}","kty":"RSA","n":"AQAB","qi":"${canary}"}`,
      '{"d":"[redacted]","kty":"RSA","n":"AQAB","qi":"[redacted]"}',
    ],
    ['a symmetric key by inspect', `{ kty: 'oct', k: '${canary}' }`, `{ kty: 'oct', k: '[redacted]' }`],
    ['header in quotes, as in YAML', `x-api-key: "${canary} x"\nhost: "a"`, 'x-api-key: "[redacted]"\nhost: "a"'],
    ['list of objects', `{"cookies":[{"a":"b"},{"a":"${canary}"}],"b":1}`, '{"cookies":[redacted],"b":1}'],
    ['brackets inside a text', `{"secret":{"a":"]}","b":"${canary}"},"b":1}`, '{"secret":[redacted],"b":1}'],
    [
      'element of XML',
      `<a><wsse:Password Type="x">${canary} y</wsse:Password></a>`,
      '<a><wsse:Password Type="x">[redacted]</wsse:Password></a>',
    ],
    ['element with CDATA', `<token><![CDATA[${canary}<]]></token>`, '<token>[redacted]</token>'],
    ['element that is cut', `<a><token>${canary}`, '<a><token>[redacted]'],
    [
      'part of a form',
      `--x\r\nContent-Disposition: form-data; name="password"\r\n\r\na ${canary}\r\n--x--`,
      '--x\r\nContent-Disposition: form-data; name="password"\r\n\r\n[redacted]\r\n--x--',
    ],
    ['entry with name and value', `[{"name":"sid","value":"${canary}"}]`, '[{"name":"sid","value":"[redacted]"}]'],
    [
      'entry in YAML',
      `- name: DB_PASSWORD\n  value: ${canary}\n- name: A`,
      '- name: DB_PASSWORD\n  value: [redacted]\n- name: A',
    ],
    ['field of a form', `user[password]=${canary}&user[name]=a`, 'user[password]=[redacted]&user[name]=a'],
    [
      'key of Azure',
      `AccountName=a;AccountKey=${canary}==;Endpoint=x`,
      'AccountName=a;AccountKey=[redacted];Endpoint=x',
    ],
    ['cookie of Express', `connect.sid=s%3A${canary}`, 'connect.sid=[redacted]'],
    ['card', 'card 4111 1111 1111 1111, thanks', 'card [redacted], thanks'],
    ['card with dashes', '5500-0055-5555-5559', '[redacted]'],
    ['card before its expiry date', '4111 1111 1111 1111 12/27', '[redacted] 12/27'],
    ['card before its code', '4111111111111111 123', '[redacted] 123'],
    ['card before its code, after a dash', '4111111111111111-123', '[redacted]-123'],
    ['card of 15 digits in groups, before a number', '3782 822463 10005 12', '[redacted] 12'],
    ['card after a year', '2026 4111111111111111', '2026 [redacted]'],
    ['card after a number, in groups', '17 4111 1111 1111 1111', '17 [redacted]'],
    ['two cards', '4111111111111111 5500000000000004', '[redacted] [redacted]'],
    ['two cards in groups', '4111 1111 1111 1111 5500 0000 0000 0004', '[redacted] [redacted]'],
    ['card of 19 digits that begins like one of 16', '4111 1111 1111 1111 003', '[redacted]'],
    ['own key', `X-House-Code: ${canary}`, 'X-House-Code: [redacted]'],
    ['own pattern', 'ask internal-123 please', 'ask [redacted] please'],
  ])('redacts %s', (_name, text, expected) => {
    expect(clean(text)).toBe(expected);
  });

  it.each([
    'tokens_used=412 of 1000',
    'the keyboard of the author',
    'c0ffee00-1234-4abc-8def-123456789012',
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    'basic authentication is off; bearer token missing',
    'order 1795315921747 at 2026-11-22T02:52:01.761Z',
    'code=404 status=failed',
    'http://billing.internal:8080/invoices/17?page=2&sort=asc',
    'Error: x\n    at run (file:///srv/app/tokens.ts:12:34)',
    'nextPageToken: abc',
    'use --token to log in, or --password --verbose',
    'error: --token needs a value, --secret cannot be empty, --password not found',
    "option '--token' requires an argument",
    "args: [ '--token', '--verbose' ]",
    'use --password, never --pass',
    "'--token' is gone, '--secret', too, and --api-key, too",
    'missing argument <token> in command',
    'cannot convert <secret> to string',
    '<cookie> header is missing',
    'git commit -m "x" --author me',
    "Type 'Promise<Token>' is not assignable to type 'Promise<string>'",
    '<user><name>a</name></user> <br> x < 5',
    '[{"name":"plan","value":"pro"}]',
    '{"d":5,"k":"x","q":"search"}',
    'user@example.org wrote 4111 lines',
    'trace 4bf92f3577b34da6a3ce929d0e0e4736',
    'span c0ffee00-4111-1111-1111-111111111111, and 4111-1111-1111-1111-x',
    'counts 17 41 111 111 111 111 111 of 2026-11-22 02',
  ])('T12: does not change %j', (text) => {
    expect(clean(text)).toBe(text);
  });

  it.each([
    ['names without values', 'password:'.repeat(900)],
    ['open quotes', 'a:"'.repeat(2_700)],
    ['open quotes after secret names', 'token:"\\'.repeat(900)],
    ['one long word', 'a'.repeat(8_192)],
    ['URLs without a host', 'http://a'.repeat(1_000)],
    ['PEM beginnings', '-----BEGIN A-----'.repeat(480)],
    ['JWT beginnings', 'eyJ'.repeat(2_700)],
    ['digits', '4'.repeat(8_192)],
    ['digits and blanks', '4111 '.repeat(1_600)],
    ['digits and dashes before a letter', `${'4111-'.repeat(1_600)}x`],
    ['single digits', '4 '.repeat(4_000)],
    ['dots and dashes', 'x.-'.repeat(2_700)],
    ['bearer', 'bearer '.repeat(1_170)],
    ['options', '--password '.repeat(750)],
    ['dashes', '- -'.repeat(2_700)],
    ['elements', '<token '.repeat(1_170)],
    ['elements with values that do not end', '<token>a <a'.repeat(740)],
    ['CDATA', '<token><![CDATA['.repeat(500)],
    ['parts of forms', 'form-data; name="token"\r\na'.repeat(300)],
    ['lines of what could be parts of forms', `${'form-data;name='.repeat(17)}\n`.repeat(48)],
    ['entries', 'name="token",value='.repeat(430)],
    ['open lists', '{"secret":['.repeat(740)],
    ['open objects in quotes', '{"secret":{"'.repeat(680)],
  ])('takes linear time for %s', (_name, text) => {
    // CPU time instead of wall time. Linear takes milliseconds here, quadratic takes seconds.
    const before = process.cpuUsage();
    clean(text.repeat(8));
    const { user, system } = process.cpuUsage(before);
    expect(user + system).toBeLessThan(1_000_000);
  });
});

describe('TextRules: credentials where a text is cut', () => {
  const cuts = [
    ['the password of a URL', 'https://user:C4naryC4nary@host/', /C4nary/],
    ['a card', '4111111111111111', /4111/],
    ['a card in groups', '4111 1111 1111 1111', /4111/],
    ['a token with a prefix', 'ghp_C4naryC4naryC4nary', /C4nary/],
    ['a header', 'Authorization: Custom C4naryC4nary', /C4nary/],
    ['a pair', 'password=C4naryC4nary', /C4nary/],
  ] as const;
  it.each(cuts)('redacts %s at any distance from the cut', (_name, credential, secret) => {
    for (const filler of ['x', 'x ', '"x",']) {
      for (let before = 900; before <= 1_024; before++) {
        const text = `${filler.repeat(1_024).slice(0, before - 1)};${credential};${'z'.repeat(2_000)}`;
        const { kept, left } = rules.redactAndCut(text, 1_024);
        expect(kept).not.toMatch(secret);
        expect(kept.length).toBeLessThanOrEqual(1_024);
        expect(left).toBeGreaterThan(0);
      }
    }
  });

  it('keeps what is before a credential that is longer than the limit', () => {
    expect(rules.redactAndCut(`upload failed, token=${'a'.repeat(100_000)}`, 64).kept).toBe(
      'upload failed, token=[redacted]',
    );
  });

  it('keeps to the limit when redaction makes a text longer, and does not halve a surrogate pair', () => {
    expect(rules.redactAndCut('pin=1&'.repeat(10), 60)).toEqual({
      kept: 'pin=[redacted]&pin=[redacted]&pin=[redacted]&pin=[redacted]&',
      left: 90,
    });
    expect(rules.redactAndCut('\u{1f600}'.repeat(10), 5)).toEqual({ kept: '\u{1f600}\u{1f600}', left: 16 });
    expect(rules.redactAndCut('abc', 3)).toEqual({ kept: 'abc', left: 0 });
  });
});
