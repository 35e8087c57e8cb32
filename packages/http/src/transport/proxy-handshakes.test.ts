import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { proxyHandshake, type Destination, type HandshakeStep } from './proxy-handshakes.ts';
import { proxySelector, type Proxy } from './proxy.ts';

const proxyOf = (url: string): Proxy => proxySelector(url)(new URL('http://a.example')) as Proxy;
const a: Destination = { host: 'a.example', port: 443 };

/** Feeds `answers` to a handshake, one after the other. `rest` is what was not consumed. */
function converse(
  url: string,
  replies: readonly Uint8Array[],
  to = a,
): { sent: string[]; end: HandshakeStep; rest: string } {
  const handshake = proxyHandshake(proxyOf(url), to);
  const sent = [Buffer.from(handshake.opening).toString('latin1')];
  let received = Buffer.alloc(0);
  let end: HandshakeStep = { next: 'read' };
  for (const reply of replies) {
    received = Buffer.concat([received, reply]);
    for (end = handshake.step(received); end.next === 'send'; end = handshake.step(received)) {
      sent.push(Buffer.from(end.bytes).toString('latin1'));
      received = received.subarray(end.consumed);
    }
    if (end.next === 'open') received = received.subarray(end.consumed);
  }
  return { sent, end, rest: received.toString('latin1') };
}

const text = (value: string): Uint8Array => Buffer.from(value, 'latin1');

describe('CONNECT', () => {
  test.each<[string, Destination, string]>([
    ['http://p', a, 'CONNECT a.example:443 HTTP/1.1\r\nhost: a.example:443\r\n\r\n'],
    ['http://p', { host: '10.0.0.1', port: 80 }, 'CONNECT 10.0.0.1:80 HTTP/1.1\r\nhost: 10.0.0.1:80\r\n\r\n'],
    ['http://p', { host: '::1', port: 80 }, 'CONNECT [::1]:80 HTTP/1.1\r\nhost: [::1]:80\r\n\r\n'],
    [
      'http://us:er@p',
      a,
      'CONNECT a.example:443 HTTP/1.1\r\nhost: a.example:443\r\nproxy-authorization: Basic dXM6ZXI=\r\n\r\n',
    ],
  ])('%s %o', (url, to, opening) => {
    expect(converse(url, [], to).sent).toEqual([opening]);
  });

  test.each<[reply: string, end: object, rest: string]>([
    ['HTTP/1.1 200 Connection established\r\n\r\nfirst', { next: 'open' }, 'first'],
    ['HTTP/1.0 200\r\n\r\n', { next: 'open' }, ''],
    ['HTTP/1.1 204 No\r\nvia: x\r\n\r\n', { next: 'open' }, ''],
    ['HTTP/1.1 200 OK\n\nfirst', { next: 'open' }, 'first'],
    // A 2xx response to CONNECT has no body, whatever content-length says.
    ['HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nfirst', { next: 'open' }, 'first'],
    ['HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 200 OK\r\n\r\nx', { next: 'open' }, 'x'],
    ['', { next: 'read' }, ''],
    ['HTT', { next: 'read' }, 'HTT'],
    ['HTTP/1.1 200 OK\r\nvia: ', { next: 'read' }, 'HTTP/1.1 200 OK\r\nvia: '],
  ])('%j', (reply, end, rest) => {
    expect(converse('http://p', [text(reply)])).toMatchObject({ end, rest });
  });

  test.each<[reply: string, code: string, what: string]>([
    ['HTTP/1.1 403 Forbidden\r\n', 'ERR_PROXY_TUNNEL', 'answered 403 to CONNECT'],
    ['HTTP/1.1 407 canary\r\n\r\n', 'ERR_PROXY_TUNNEL', 'answered 407 to CONNECT'],
    ['HTTP/1.1 302 Found\r\nlocation: http://canary\r\n\r\n', 'ERR_PROXY_TUNNEL', 'answered 302 to CONNECT'],
    ['HTTP/1.1 501 No\r\n\r\n', 'ERR_PROXY_TUNNEL', 'answered 501 to CONNECT'],
    ...[408, 425, 429, 500, 502, 503, 504].map<[string, string, string]>((status) => [
      `HTTP/1.1 ${status} canary\r\n\r\n`,
      'ERR_PROXY_UNAVAILABLE',
      `answered ${status} to CONNECT`,
    ]),
    ['SSH-2.0-canary', 'ERR_PROXY_TUNNEL', 'sent something that is not HTTP in response to CONNECT'],
    ['HTTP/2.0 200 OK\r\n\r\n', 'ERR_PROXY_TUNNEL', 'sent something that is not HTTP in response to CONNECT'],
    ['HTTP/1.1 2000 OK\r\n\r\n', 'ERR_PROXY_TUNNEL', 'sent something that is not HTTP in response to CONNECT'],
    ['HTTP/1.1 canary\r\n\r\n', 'ERR_PROXY_TUNNEL', 'sent something that is not HTTP in response to CONNECT'],
    [
      `HTTP/1.1 200 OK\r\nx: ${'canary'.repeat(3_000)}`,
      'ERR_PROXY_TUNNEL',
      'sent a response to CONNECT whose head is too long',
    ],
  ])('%.40j is %s', (reply, code, what) => {
    expect(converse('http://p', [text(reply)]).end).toEqual({ next: 'fail', code, what });
  });
});

describe('SOCKS 5', () => {
  const request = '\x05\x01\x00\x03\x09a.example\x01\xbb';
  const open = '\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00';

  test.each<[string, string, string[], string[], Destination]>([
    ['without credentials', 'socks5://p', ['\x05\x00', open], ['\x05\x01\x00', request], a],
    [
      'with credentials',
      'socks5://user:pass@p',
      ['\x05\x02', '\x01\x00', open],
      ['\x05\x02\x00\x02', '\x01\x04user\x04pass', request],
      a,
    ],
    [
      'with credentials that the proxy does not request',
      'socks5://u:p@p',
      ['\x05\x00', open],
      ['\x05\x02\x00\x02', request],
      a,
    ],
    [
      'to an IPv4 address',
      'socks5://p',
      ['\x05\x00', open],
      ['\x05\x01\x00', '\x05\x01\x00\x01\x0a\x00\x00\x01\x00\x50'],
      { host: '10.0.0.1', port: 80 },
    ],
    [
      'to an IPv6 address',
      'socks5://p',
      ['\x05\x00', open],
      ['\x05\x01\x00', `\x05\x01\x00\x04${'\x00'.repeat(15)}\x01\x00\x50`],
      { host: '::1', port: 80 },
    ],
    [
      'with a bound address that is a name',
      'socks5://p',
      ['\x05\x00', '\x05\x00\x00\x03\x01p\x00\x00'],
      ['\x05\x01\x00', request],
      a,
    ],
    [
      'with a bound address of IPv6',
      'socks5://p',
      ['\x05\x00', `\x05\x00\x00\x04${'\x00'.repeat(18)}`],
      ['\x05\x01\x00', request],
      a,
    ],
  ])('%s', (_what, url, replies, sent, to) => {
    const all = converse(url, replies.map(text), to);
    expect(all).toMatchObject({ sent, end: { next: 'open' }, rest: '' });
    // Split into single bytes, and in one piece with data of the target behind it.
    const bytes = text(`${replies.join('')}first`);
    const cut = converse(url, Array.from(bytes, (byte) => Uint8Array.of(byte)).slice(0, -5), to);
    expect(cut).toMatchObject({ sent, end: { next: 'open' }, rest: '' });
    expect(converse(url, [bytes], to)).toMatchObject({ sent, end: { next: 'open' }, rest: 'first' });
  });

  test.each<[replies: string[], code: string, what: string]>([
    [['HTTP/1.1 400 canary'], 'ERR_PROXY_TUNNEL', 'does not speak SOCKS 5'],
    [['\x04\x00'], 'ERR_PROXY_TUNNEL', 'does not speak SOCKS 5'],
    [['\x05\xff'], 'ERR_PROXY_TUNNEL', 'accepts none of the offered authentication methods (SOCKS)'],
    [['\x05\x01'], 'ERR_PROXY_TUNNEL', 'accepts none of the offered authentication methods (SOCKS)'],
    [['\x05\x02', '\x01\x01'], 'ERR_PROXY_TUNNEL', 'did not accept user and password (SOCKS)'],
    [['\x05\x00', '\x05\x01'], 'ERR_PROXY_UNAVAILABLE', 'failed (SOCKS)'],
    [['\x05\x00', '\x05\x02'], 'ERR_PROXY_TUNNEL', 'does not allow this connection (SOCKS)'],
    [['\x05\x00', '\x05\x04'], 'ERR_PROXY_UNAVAILABLE', 'cannot reach the host (SOCKS)'],
    [['\x05\x00', '\x05\x05'], 'ERR_PROXY_UNAVAILABLE', 'had its connection refused by the host (SOCKS)'],
    [['\x05\x00', '\x05\x08'], 'ERR_PROXY_TUNNEL', 'answered 8 (SOCKS)'],
    [['\x05\x00', '\x05\x00\x00\x07'], 'ERR_PROXY_TUNNEL', 'does not speak SOCKS 5'],
  ])('%j is %s', (replies, code, what) => {
    expect(converse('socks5://u:p@p', replies.map(text)).end).toEqual({ next: 'fail', code, what });
  });

  test('fails when the proxy requests credentials that the URL does not have', () => {
    expect(converse('socks5://p', [text('\x05\x02')]).end).toMatchObject({ next: 'fail' });
  });
});

test('property: any bytes in any pieces lead to a step that consumes no more than was received', () => {
  const beginnings = ['', 'HTTP/1.1 200 OK\r\n', 'HTTP/1.1 1', '\x05\x00', '\x05\x02\x01\x00', '\x05\x00\x05\x00\x00'];
  fc.assert(
    fc.property(
      fc.constantFrom('http://p', 'socks5://u:p@p'),
      fc.constantFrom(...beginnings),
      fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 6 }),
      (url, beginning, pieces) => {
        const handshake = proxyHandshake(proxyOf(url), a);
        let received = Buffer.from(beginning, 'latin1');
        for (const piece of pieces) {
          received = Buffer.concat([received, piece]);
          for (;;) {
            const step = handshake.step(received);
            if (step.next === 'fail') return;
            if (step.next === 'read') break;
            expect(step.consumed).toBeGreaterThan(0);
            expect(step.consumed).toBeLessThanOrEqual(received.length);
            if (step.next === 'open') return;
            received = received.subarray(step.consumed);
          }
        }
      },
    ),
  );
});
