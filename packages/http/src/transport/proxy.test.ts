import { describe, expect, test } from 'vitest';
import { proxySelector } from './proxy.ts';

const http = new URL('http://a.example');
const https = new URL('https://a.example');

describe('proxySelector(env)', () => {
  const hosts = (env: NodeJS.ProcessEnv, ...targets: URL[]): unknown[] => {
    const proxies = proxySelector('env', env);
    return targets.map((target) => proxies(target)?.host);
  };

  test.each<[string, NodeJS.ProcessEnv, unknown[]]>([
    ['no variables: no proxy', {}, [undefined, undefined]],
    ['each variable is for its own protocol', { HTTP_PROXY: 'http://p:1', HTTPS_PROXY: 'http://q:2' }, ['p:1', 'q:2']],
    ['HTTP_PROXY is not used for https', { HTTP_PROXY: 'http://p:1' }, ['p:1', undefined]],
    ['HTTPS_PROXY is not used for http', { https_proxy: 'http://q:2' }, [undefined, 'q:2']],
    ['lower case has precedence', { HTTP_PROXY: 'http://p:1', http_proxy: 'http://q:2' }, ['q:2', undefined]],
    ['an empty lower-case variable is ignored', { HTTP_PROXY: 'http://p:1', http_proxy: '' }, ['p:1', undefined]],
    [
      'a value without a protocol is an http proxy',
      { HTTPS_PROXY: 'proxy.internal:3128' },
      [undefined, 'proxy.internal:3128'],
    ],
    [
      'an address without a protocol, with white space around it',
      { HTTPS_PROXY: ' 10.0.0.1:3128 ' },
      [undefined, '10.0.0.1:3128'],
    ],
    ['socks5 and socks5h', { HTTP_PROXY: 'socks5://p', HTTPS_PROXY: 'socks5h://q' }, ['p:1080', 'q:1080']],
    [
      'NO_PROXY excludes targets',
      { HTTP_PROXY: 'p:1', HTTPS_PROXY: 'p:1', NO_PROXY: 'a.example:443' },
      ['p:1', undefined],
    ],
    [
      'no_proxy has precedence over NO_PROXY',
      { HTTP_PROXY: 'p:1', NO_PROXY: '*', no_proxy: 'b.example' },
      ['p:1', undefined],
    ],
    ['an empty no_proxy is ignored', { HTTP_PROXY: 'p:1', NO_PROXY: '*', no_proxy: '' }, [undefined, undefined]],
  ])('%s', (_what, env, expected) => {
    expect(hosts(env, http, https)).toEqual(expected);
  });

  test.each(['http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY'])(
    'a wrong %s is named in the error, and its value is withheld',
    (name) => {
      for (const value of ['ftp://user:canary@a', 'canary canary', 'http://canary@', 'http://canary@a/path']) {
        expect(() => proxySelector('env', { [name]: value })).toThrow(`Option proxy (${name}) is`);
        expect(() => proxySelector('env', { [name]: value })).not.toThrow('canary');
      }
    },
  );
});

describe('proxySelector(url)', () => {
  test.each([
    ['http://proxy', { kind: 'http', isEncrypted: false, hostname: 'proxy', port: 80, host: 'proxy:80' }],
    ['https://proxy/', { kind: 'http', isEncrypted: true, hostname: 'proxy', port: 443, host: 'proxy:443' }],
    ['http://[::1]:3128', { hostname: '::1', port: 3128, host: '[::1]:3128' }],
    ['socks5://proxy', { kind: 'socks5', isEncrypted: false, port: 1080, credentials: undefined }],
    ['http://user@proxy', { credentials: { username: 'user', password: '' } }],
    ['http://:secret@proxy', { credentials: { username: '', password: 'secret' } }],
    ['http://us%40er:p%3Aass@proxy', { credentials: { username: 'us@er', password: 'p:ass' } }],
    // Not percent-encoded, as it is often written.
    ['http://user:100%zz@proxy', { credentials: { username: 'user', password: '100%zz' } }],
  ])('%s', (url, expected) => {
    expect(proxySelector(url)(https)).toMatchObject(expected);
  });

  test('applies to every target, loopback included', () => {
    expect(proxySelector('http://proxy')(new URL('http://localhost'))).toBeDefined();
  });

  test('rejects a SOCKS password above 255 bytes, and withholds it', () => {
    expect(() => proxySelector(`socks5://user:${'canary'.repeat(43)}@proxy`)).toThrow('at most 255 bytes');
    expect(() => proxySelector(`socks5://user:${'canary'.repeat(43)}@proxy`)).not.toThrow('canary');
  });
});
