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
