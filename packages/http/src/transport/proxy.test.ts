import { describe, expect, test } from 'vitest';
import { proxiesOf } from './proxy.ts';

const http = new URL('http://a.example');
const https = new URL('https://a.example');

describe('the proxy of the environment', () => {
  const hosts = (env: NodeJS.ProcessEnv, ...targets: URL[]): unknown[] => {
    const proxies = proxiesOf('env', env);
    return targets.map((target) => proxies(target)?.host);
  };

  test.each<[string, NodeJS.ProcessEnv, unknown[]]>([
    ['none', {}, [undefined, undefined]],
    ['each for its own protocol', { HTTP_PROXY: 'http://p:1', HTTPS_PROXY: 'http://q:2' }, ['p:1', 'q:2']],
    ['that for http is not used for https', { HTTP_PROXY: 'http://p:1' }, ['p:1', undefined]],
    ['nor the other way round', { https_proxy: 'http://q:2' }, [undefined, 'q:2']],
    ['lower case wins', { HTTP_PROXY: 'http://p:1', http_proxy: 'http://q:2' }, ['q:2', undefined]],
    ['unless it is empty', { HTTP_PROXY: 'http://p:1', http_proxy: '' }, ['p:1', undefined]],
    ['without a protocol it is http', { HTTPS_PROXY: 'proxy.internal:3128' }, [undefined, 'proxy.internal:3128']],
    ['an address too', { HTTPS_PROXY: ' 10.0.0.1:3128 ' }, [undefined, '10.0.0.1:3128']],
    ['SOCKS, in both spellings', { HTTP_PROXY: 'socks5://p', HTTPS_PROXY: 'socks5h://q' }, ['p:1080', 'q:1080']],
    ['NO_PROXY', { HTTP_PROXY: 'p:1', HTTPS_PROXY: 'p:1', NO_PROXY: 'a.example:443' }, ['p:1', undefined]],
    ['no_proxy wins', { HTTP_PROXY: 'p:1', NO_PROXY: '*', no_proxy: 'b.example' }, ['p:1', undefined]],
    ['unless it is empty, too', { HTTP_PROXY: 'p:1', NO_PROXY: '*', no_proxy: '' }, [undefined, undefined]],
  ])('%s', (_what, env, expected) => {
    expect(hosts(env, http, https)).toEqual(expected);
  });

  test.each(['http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY'])(
    '%s that is none is named, not shown',
    (name) => {
      for (const value of ['ftp://user:canary@a', 'canary canary', 'http://canary@', 'http://canary@a/path']) {
        expect(() => proxiesOf('env', { [name]: value })).toThrow(`Option proxy (${name}) is`);
        expect(() => proxiesOf('env', { [name]: value })).not.toThrow('canary');
      }
    },
  );
});

describe('a proxy by its URL', () => {
  test.each([
    ['http://proxy', { kind: 'http', encrypted: false, hostname: 'proxy', port: 80, host: 'proxy:80' }],
    ['https://proxy/', { kind: 'http', encrypted: true, hostname: 'proxy', port: 443, host: 'proxy:443' }],
    ['http://[::1]:3128', { hostname: '::1', port: 3128, host: '[::1]:3128' }],
    ['socks5://proxy', { kind: 'socks5', encrypted: false, port: 1080, credentials: undefined }],
    ['http://user@proxy', { credentials: { username: 'user', password: '' } }],
    ['http://:secret@proxy', { credentials: { username: '', password: 'secret' } }],
    ['http://us%40er:p%3Aass@proxy', { credentials: { username: 'us@er', password: 'p:ass' } }],
    // Not encoded, as it is often written.
    ['http://user:100%zz@proxy', { credentials: { username: 'user', password: '100%zz' } }],
  ])('%s', (url, expected) => {
    expect(proxiesOf(url)(https)).toMatchObject(expected);
  });

  test('has no exceptions', () => {
    expect(proxiesOf('http://proxy')(new URL('http://localhost'))).toBeDefined();
  });

  test('SOCKS has no room for a longer password', () => {
    expect(() => proxiesOf(`socks5://user:${'canary'.repeat(43)}@proxy`)).toThrow('255 bytes at most');
    expect(() => proxiesOf(`socks5://user:${'canary'.repeat(43)}@proxy`)).not.toThrow('canary');
  });
});
