import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer as createTcpServer, type LookupFunction } from 'node:net';
import { constants, createSecureServer, type ServerHttp2Stream } from 'node:http2';
import { createServer as createHttpsServer, type ServerOptions } from 'node:https';
import { createServer as createTlsServer } from 'node:tls';
import { constant, retryBudget } from '@macadam/resilience';
import { closeKeepAlive, resetBeforeHeaders, startFaultServer, virtualClock } from '@macadam/testkit';
import { Agent, request } from 'undici';
import { afterEach, describe, expect, test } from 'vitest';
import { createHttpClient, HttpSsrfError, type HttpClient, type HttpClientOptions } from '../src/index.ts';
import { failure, noBackoffClient } from './client-helpers.ts';
import { ca, cleanUp, closeAll, httpsServer, listening, pem, nextTurn, serverTls } from './loopback.ts';
import { httpClientSettings } from '../src/settings.ts';
import { createTransport } from '../src/transport/transport.ts';

afterEach(closeAll);

const expired = { cert: pem('expired'), key: pem('expired.key') };

describe('certificates', () => {
  test('a private certificate authority is trusted when tls.ca names it', async () => {
    const { url } = await httpsServer();
    expect((await noBackoffClient({ baseUrl: url, tls: { ca } }).get('/a')).status).toBe(200);
  });

  test.each<[string, ServerOptions, HttpClientOptions['tls'], string]>([
    ['from an unknown authority', {}, {}, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
    ['for another host', { cert: pem('elsewhere'), key: pem('elsewhere.key') }, { ca }, 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ['for another name than tls.servername', {}, { ca, servername: 'other.example' }, 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ['that has expired', expired, { ca: expired.cert }, 'CERT_HAS_EXPIRED'],
  ])(
    'a server certificate %s fails the call with its own error code, without a retry',
    async (_what, options, tls, errorCode) => {
      const { url, requests } = await httpsServer(options);
      const error = await failure(noBackoffClient({ baseUrl: url, ...(tls !== undefined && { tls }) }).get('/a'));
      expect(error).toMatchObject({ code: 'MAC_HTTP_NETWORK', errorCode, phase: 'connect', retryable: false });
      expect(error).toMatchObject({ attempts: { length: 1 } });
      expect(requests).toHaveLength(0);
    },
  );

  test.each([
    ['TLSv1.2', /ALERT_HANDSHAKE_FAILURE$/, 'connect'],
    ['TLSv1.3', /ALERT_CERTIFICATE_REQUIRED$/, 'request'],
  ] as const)(
    'a missing client certificate fails the call over %s with the alert as its code, without a retry',
    async (maxVersion, errorCode, phase) => {
      const { url } = await httpsServer({ requestCert: true, rejectUnauthorized: true, ca, maxVersion });
      const error = await failure(noBackoffClient({ baseUrl: url, tls: { ca } }).get('/a'));
      expect(error).toMatchObject({ errorCode: expect.stringMatching(errorCode), phase, attempts: { length: 1 } });
    },
  );

  test('tls.servername is the name that the certificate must match', async () => {
    const { url } = await httpsServer({ cert: pem('elsewhere'), key: pem('elsewhere.key') });
    expect(
      (await noBackoffClient({ baseUrl: url, tls: { ca, servername: 'elsewhere.example' } }).get('/a')).status,
    ).toBe(200);
  });

  test('mutual TLS: a new connection uses the client certificate that tls() returns at that time', async () => {
    const { url } = await httpsServer({ requestCert: true, rejectUnauthorized: true, ca });
    let name = 'client-1';
    const clock = virtualClock();
    const tls = (): { ca: Buffer; cert: Buffer; key: Buffer } => ({ ca, cert: pem(name), key: pem(`${name}.key`) });
    const client = noBackoffClient({ baseUrl: url, tls, clock, dns: { maxConnectionAgeMs: 60_000 } });
    expect((await client.get('/a')).data).toEqual({ peer: 'client-1' });
    name = 'client-2';
    await nextTurn();
    expect((await client.get('/a')).data).toEqual({ peer: 'client-1' });
    await clock.advance(60_000);
    expect((await client.get('/a')).data).toEqual({ peer: 'client-2' });
  });

  test('mutual TLS: a certificate that was renewed in the object that tls() returns is used as well', async () => {
    const { url } = await httpsServer({ requestCert: true, rejectUnauthorized: true, ca });
    const clock = virtualClock();
    const own = { ca: [ca], cert: pem('client-1'), key: pem('client-1.key') };
    const client = noBackoffClient({ baseUrl: url, tls: () => own, clock, dns: { maxConnectionAgeMs: 60_000 } });
    const peerAfter = async (renew: () => unknown): Promise<unknown> => {
      renew();
      await clock.advance(60_000);
      return (await client.get('/a')).data;
    };
    expect(await peerAfter(() => {})).toEqual({ peer: 'client-1' });
    const renewed = { cert: pem('client-2'), key: pem('client-2.key') };
    expect(await peerAfter(() => Object.assign(own, renewed))).toEqual({ peer: 'client-2' });
    const error = await failure(peerAfter(() => (own.ca[0] = pem('elsewhere'))));
    expect(error).toMatchObject({ errorCode: 'SELF_SIGNED_CERT_IN_CHAIN' });
  });

  test('a tls() function that throws fails the call, and the error shows no key', async () => {
    const { url } = await httpsServer();
    const tls = (): never => {
      throw new Error('cannot read the certificate');
    };
    const error = await failure(noBackoffClient({ baseUrl: url, tls, retry: false }).get('/a'));
    expect(error).toMatchObject({
      code: 'MAC_HTTP_NETWORK',
      phase: 'connect',
      cause: { message: 'cannot read the certificate' },
    });
  });
});

test.each(['GET', 'POST'])(
  'a TLS alert after the handshake fails a %s with the alert, not with a closed connection',
  async (method) => {
    // With TLS 1.3, a server rejects a client certificate only after the handshake.
    let fail = (): void => {};
    const inside = await listening(createTlsServer({ ...serverTls, maxVersion: 'TLSv1.3' }, () => fail()));
    const port = await listening(
      createTcpServer((socket) => {
        const onward = connect(inside, '127.0.0.1').on('error', () => {});
        socket
          .on('error', () => {})
          .pipe(onward)
          .pipe(socket);
        fail = () => {
          onward.unpipe(socket);
          // A TLS record that cannot be decrypted.
          socket.end(Uint8Array.of(0x17, 3, 3, 0, 20, ...Array<number>(20).fill(7)));
        };
      }),
    );
    const client = noBackoffClient({ baseUrl: `https://localhost:${port}`, tls: { ca } });
    const error = await failure(client.request(method, '/a'));
    expect(error).toMatchObject({ errorCode: expect.stringMatching(/^ERR_SSL_/), attempts: { length: 1 } });
  },
);

describe('AC38: undici #2019: ssrf', () => {
  test.each([
    'http://127.0.0.1:9',
    'http://[::1]:9',
    'http://[::ffff:127.0.0.1]:9',
    'http://0x7f000001:9',
    'http://localhost:9',
  ])('%s is blocked before a socket is opened', async (baseUrl) => {
    const client = noBackoffClient({ baseUrl, ssrf: 'block-private' });
    const error = await failure(client.get('/a'));
    expect(error).toBeInstanceOf(HttpSsrfError);
    expect(error).toMatchObject({ code: 'MAC_HTTP_SSRF_BLOCKED', retryable: false, attempts: { length: 1 } });
    expect(client.stats().policies['circuitBreaker']).toMatchObject({ failures: 0, neutral: 1 });
  });

  test('a name that starts to resolve to a private address is blocked when it is connected to', async () => {
    const upstream = await startFaultServer();
    cleanUp.push(() => upstream.close());
    const lookup: LookupFunction = (_hostname, _options, callback) =>
      callback(null, [{ address: '127.0.0.1', family: 4 }]);
    const baseUrl = `http://rebound.example:${upstream.port}`;
    expect((await noBackoffClient({ baseUrl, dns: { lookup } }).get('/a')).status).toBe(200);
    const guarded = noBackoffClient({ baseUrl, dns: { lookup }, ssrf: 'block-private' });
    expect(await failure(guarded.get('/a'))).toMatchObject({ hostname: 'rebound.example', address: '127.0.0.1' });
    expect(upstream.requests).toHaveLength(1);
  });

  test('the target of a redirect is checked too', async () => {
    const inside = await startFaultServer();
    cleanUp.push(() => inside.close());
    const settings = httpClientSettings({ baseUrl: 'https://outside.example', ssrf: 'block-private' });
    const transport = createTransport(settings.origin, settings);
    cleanUp.push(() => transport.close());
    const { crossOrigin: dispatcher } = transport;
    const call = request(inside.url, { dispatcher: dispatcher as Agent });
    await expect(call).rejects.toMatchObject({ code: 'MAC_HTTP_SSRF_BLOCKED' });
    expect(inside.stats().connections).toBe(0);
  });

  test('cannot be combined with a dispatcher', () => {
    const make = (): unknown =>
      createHttpClient({ baseUrl: 'https://a.example', ssrf: 'block-private', dispatcher: new Agent() });
    expect(make).toThrow(expect.objectContaining({ code: 'MAC_INVALID_OPTIONS', path: 'createHttpClient.ssrf' }));
  });
});

describe('host names', () => {
  test('AC37: a lookup without an address of the family, or without any, fails with a code', async () => {
    for (const lookup of [
      ((_h, _o, callback) => callback(null, [])) as LookupFunction,
      ((_h, _o, callback) => callback(null, 'no address', 4)) as LookupFunction,
      ((_h, _o, callback) => callback(null, [null] as never)) as LookupFunction,
      ((_h, _o, callback) => callback(null, { ip: '127.0.0.1' } as never)) as LookupFunction,
      ((_h, _o, callback) => callback(null, 4 as never)) as LookupFunction,
      ((_h, _o, callback) => callback(Object.assign(new Error('none'), { code: 'ENODATA' }), [])) as LookupFunction,
    ]) {
      const error = await failure(
        noBackoffClient({ baseUrl: 'http://a.example', dns: { lookup }, retry: false }).get('/a'),
      );
      expect(error).toMatchObject({ code: 'MAC_HTTP_NETWORK', phase: 'connect' });
      expect((error as { errorCode: string }).errorCode).toMatch(/^E/);
    }
  });

  test.each([
    ['text', '127.0.0.1'],
    ['an object', { address: '127.0.0.1', family: 4 }],
    ['an object without its family', { address: '127.0.0.1' }],
  ])('a lookup function may return a single address, as %s, which ssrf checks too', async (_form, address) => {
    const { url } = await startFaultServer().then((server) => (cleanUp.push(() => server.close()), server));
    const lookup: LookupFunction = (_hostname, _options, callback) => callback(null, address as string, 4);
    const baseUrl = url.replace('127.0.0.1', 'a.example');
    expect((await noBackoffClient({ baseUrl, dns: { lookup } }).get('/a')).status).toBe(200);
    const guarded = noBackoffClient({ baseUrl, dns: { lookup }, ssrf: 'block-private' });
    expect(await failure(guarded.get('/a'))).toBeInstanceOf(HttpSsrfError);
  });

  test('a service that has moved is found when the connection has reached its maximum age, and not before', async () => {
    const old = await startFaultServer();
    const port = old.port;
    cleanUp.push(() => old.close());
    const moved: string[] = [];
    const second = createHttpServer((request, response) => {
      moved.push(request.url ?? '');
      response.end();
    });
    await once(second.listen(port, '127.0.0.2'), 'listening');
    cleanUp.push(() => second.close());
    let address = '127.0.0.1';
    const lookup: LookupFunction = (_hostname, _options, callback) => callback(null, [{ address, family: 4 }]);
    const clock = virtualClock();
    const client = noBackoffClient({
      baseUrl: `http://a.example:${port}`,
      dns: { lookup, maxConnectionAgeMs: 1_000 },
      clock,
    });
    await client.get('/1');
    address = '127.0.0.2';
    await nextTurn();
    await clock.advance(999);
    await client.get('/2');
    expect(old.requests).toHaveLength(2);
    await clock.advance(1);
    await client.get('/3');
    expect(moved).toEqual(['/3']);
    await old.waitUntil(({ openConnections }) => openConnections === 0);
  });
});

describe('host names resolved with their TTL', () => {
  /** Two servers on one port, at two addresses. `called` are the addresses of their requests. */
  async function twoServers(location?: string): Promise<{ port: number; called: string[] }> {
    const called: string[] = [];
    let port = 0;
    for (const host of ['127.0.0.1', '127.0.0.2']) {
      const server = createHttpServer((_request, response) => {
        called.push(host);
        if (location !== undefined) response.writeHead(307, { location });
        response.end();
      });
      await once(server.listen(port, host), 'listening');
      ({ port } = server.address() as { port: number });
      cleanUp.push(() => void server.close());
    }
    return { port, called };
  }

  test('are used until the TTL has passed; then new connections to the new address replace the old ones', async () => {
    const { port, called } = await twoServers();
    let address = '127.0.0.1';
    let queries = 0;
    const resolve = async (hostname: string) => {
      expect(hostname).toBe('a.example');
      queries++;
      return [{ address, ttlMs: 5_000 }];
    };
    const clock = virtualClock();
    const client = noBackoffClient({ baseUrl: `http://a.example:${port}`, dns: { resolve }, clock });
    await client.get('/1');
    address = '127.0.0.2';
    await nextTurn();
    await clock.advance(4_999);
    await client.get('/2');
    await nextTurn();
    expect([called, queries]).toEqual([['127.0.0.1', '127.0.0.1'], 1]);
    await clock.advance(1);
    // This call triggers the refresh and does not wait for it.
    await client.get('/3');
    await nextTurn();
    await client.get('/4');
    expect([called.slice(2), queries]).toEqual([['127.0.0.1', '127.0.0.2'], 2]);
    expect(client.describe()).toContain('and when the name has moved');
  });

  test('that move are followed by the connections to every port', async () => {
    const there = await twoServers();
    const home = await twoServers(`http://a.example:${there.port}/there`);
    let address = '127.0.0.1';
    const resolve = async () => [{ address, ttlMs: 5_000 }];
    const clock = virtualClock();
    const baseUrl = `http://a.example:${home.port}`;
    const client = noBackoffClient({ baseUrl, dns: { resolve }, redirects: { crossOrigin: true }, clock });
    const call = async (): Promise<void> => {
      let isOver = false;
      const done = client.get('/').finally(() => (isOver = true));
      // The request after a redirect is sent by a timer of 0 ms.
      for (; !isOver; await nextTurn()) await clock.advance(0);
      await done;
    };
    await call();
    address = '127.0.0.2';
    await clock.advance(5_000);
    await call();
    await nextTurn();
    await call();
    expect([home.called.at(-1), there.called.at(-1)]).toEqual(['127.0.0.2', '127.0.0.2']);
  });

  test('AC37: keep connections open when they cannot be refreshed, and new connections never use expired addresses', async () => {
    const { port, called } = await twoServers();
    let fails = false;
    const resolve = async () => {
      if (fails) throw Object.assign(new Error('no answer'), { code: 'EAI_AGAIN' });
      return [{ address: '127.0.0.1', ttlMs: 5_000 }];
    };
    const clock = virtualClock();
    const dns = { resolve, maxConnectionAgeMs: 60_000 };
    const client = noBackoffClient({ baseUrl: `http://a.example:${port}`, dns, clock, retry: false });
    await client.get('/1');
    await nextTurn();
    fails = true;
    await clock.advance(6_000);
    await client.get('/2');
    await nextTurn();
    expect(called).toHaveLength(2);
    await clock.advance(60_000);
    expect(await failure(client.get('/3'))).toMatchObject({ code: 'MAC_HTTP_NETWORK', errorCode: 'EAI_AGAIN' });
    fails = false;
    await client.get('/4');
    expect(called).toHaveLength(3);
  });

  test('are checked by ssrf like any other address', async () => {
    const resolve = async () => [{ address: '10.0.0.1', ttlMs: 5_000 }];
    const client = noBackoffClient({ baseUrl: 'http://a.example', dns: { resolve }, ssrf: 'block-private' });
    expect(await failure(client.get('/'))).toMatchObject({ code: 'MAC_HTTP_SSRF_BLOCKED', address: '10.0.0.1' });
  });

  test('come from the operating system when DNS does not know them', async () => {
    const { port, called } = await twoServers();
    const client = noBackoffClient({ baseUrl: `http://localhost:${port}`, dns: { resolve: 'dns' } });
    expect((await client.get('/1')).status).toBe(200);
    expect(called).toEqual(['127.0.0.1']);
  });
});

describe('callbacks for tls, lookup and resolve that throw any value', () => {
  const values: [string, unknown][] = [
    ['text', 'down'],
    ['nothing', undefined],
    ['null', null],
    ['a number', 7],
    ['an object', { message: 'down' }],
    ['an error', new Error('down')],
    // A resolver over HTTP may fail with errors of undici: after these undici would reconnect in a loop.
    ['an error of undici', Object.assign(new Error('other side closed'), { code: 'UND_ERR_SOCKET' })],
    ['another error of undici', Object.assign(new Error('reset'), { code: 'UND_ERR_INFO' })],
    ['an error of a certificate', Object.assign(new Error('no'), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' })],
  ];

  test.each(values)('%s: fails the call within its attempt, and does not end the process', async (_what, value) => {
    let invocations = 0;
    const fail = (): never => {
      invocations++;
      throw value;
    };
    const lookup: LookupFunction = (_hostname, _options, callback) => {
      invocations++;
      callback(value as Error, []);
    };
    const proxy = 'http://127.0.0.1:1';
    const optionSets: Partial<HttpClientOptions>[] = [
      { tls: fail },
      { dns: { lookup } },
      { dns: { lookup: fail } },
      { dns: { lookup }, ssrf: 'block-private' },
      { dns: { lookup }, proxy },
      { dns: { lookup: fail }, proxy },
      { dns: { resolve: async () => fail() } },
      { dns: { resolve: fail } },
      { dns: { resolve: async () => fail() }, proxy },
    ];
    for (const options of optionSets) {
      invocations = 0;
      const baseUrl = 'https://a.example';
      const client = noBackoffClient({
        baseUrl,
        retry: false,
        timeoutMs: 60_000,
        attemptTimeoutMs: 60_000,
        ...options,
      });
      const error = await failure(client.get('/a'));
      expect(error).toMatchObject({ code: 'MAC_HTTP_NETWORK', phase: 'connect', errorCode: expect.any(String) });
      await client.close();
      expect(invocations).toBe(1);
    }
  });
});

describe('AC22: HTTP/2', () => {
  async function http2Server(
    onStream: (stream: ServerHttp2Stream, count: number) => void,
  ): Promise<{ url: string; sessions: () => number }> {
    let streams = 0;
    let sessions = 0;
    const server = createSecureServer(serverTls);
    server.on('session', () => sessions++);
    server.on('sessionError', () => {});
    server.on('stream', (stream) => {
      stream.on('error', () => {});
      onStream(stream, ++streams);
    });
    const port = await listening(server);
    return { url: `https://localhost:${port}`, sessions: () => sessions };
  }
  const answer = (stream: ServerHttp2Stream): void => {
    stream.respond({ ':status': 200, 'content-type': 'application/json' });
    stream.end('{"http":2}');
  };

  test('is used when the server offers it, with many calls on one connection', async () => {
    const { url, sessions } = await http2Server(answer);
    const client = noBackoffClient({ baseUrl: url, tls: { ca } });
    const responses = await Promise.all(Array.from({ length: 10 }, () => client.get('/a')));
    expect(responses.map(({ data }) => data)).toEqual(Array.from({ length: 10 }, () => ({ http: 2 })));
    expect(sessions()).toBe(1);
  });

  test.each(['GET', 'POST'])(
    'a %s that the server refused with REFUSED_STREAM is repeated whatever its method',
    async (method) => {
      const { url } = await http2Server((stream, count) =>
        count === 1 ? stream.close(constants.NGHTTP2_REFUSED_STREAM) : answer(stream),
      );
      const client = noBackoffClient({ baseUrl: url, tls: { ca }, retry: false });
      expect((await client.request(method, '/a')).data).toEqual({ http: 2 });
    },
  );

  test('after GOAWAY, further calls use a new connection', async () => {
    const { url, sessions } = await http2Server((stream, count) => {
      answer(stream);
      if (count === 1) stream.session?.goaway();
    });
    const client = noBackoffClient({ baseUrl: url, tls: { ca } });
    await client.get('/a');
    await nextTurn();
    expect((await client.get('/a')).data).toEqual({ http: 2 });
    expect(sessions()).toBe(2);
  });

  test('a connection that breaks while cancelled streams are still open does not end the process', async () => {
    const { url } = await http2Server((stream) => {
      stream.respond({ ':status': 200 });
      stream.write('begun');
      setTimeout(() => stream.session?.destroy(), 2);
    });
    const limits = { timeoutMs: 200, attemptTimeoutMs: 200, retry: false, circuitBreaker: false } as const;
    const client = noBackoffClient({ baseUrl: url, tls: { ca }, ...limits });
    const uncaught: unknown[] = [];
    const onUncaught = (error: unknown): void => void uncaught.push(error);
    process.on('uncaughtExceptionMonitor', onUncaught);
    for (let round = 0; round < 10; round++) {
      const callAndCancel = async (): Promise<void> => {
        const abort = new AbortController();
        const call = client.get('/a', { signal: abort.signal }).catch(() => {});
        setTimeout(() => abort.abort(), 1 + (round % 3));
        await call;
        (await client.stream('GET', '/a').catch(() => undefined))?.body.on('error', () => {}).destroy();
      };
      await Promise.all(Array.from({ length: 10 }, callAndCancel));
    }
    await client.close();
    process.off('uncaughtExceptionMonitor', onUncaught);
    expect(uncaught).toEqual([]);
  });
});

describe('rejects wrong connection options', () => {
  test.each<[Partial<HttpClientOptions>, string]>([
    [{ tls: { rejectUnauthorized: false } as never }, 'tls.rejectUnauthorized'],
    [{ tls: { cert: 'canary' } }, 'tls.key'],
    [{ tls: { ca: 7 as never } }, 'tls'],
    [{ tls: { cert: 'canary', key: 'canary' } }, 'tls'],
    [{ tls: { cert: pem('client-1'), key: pem('client-2.key') } }, 'tls'],
    [{ proxy: 'ftp://user:canary@a' }, 'proxy'],
    [{ proxy: 'http://a/path?canary' }, 'proxy'],
    [{ proxy: 'http://user:canary@' }, 'proxy'],
    [{ dns: { resolve: 'system' as 'dns' } }, 'dns.resolve'],
    [{ dns: { resolve: 'dns', lookup: (() => {}) as LookupFunction } }, 'dns.resolve'],
    [{ proxy: true as never }, 'proxy'],
    [{ ssrf: 'on' as never }, 'ssrf'],
    [{ dns: { maxConnectionAgeMs: 0 } }, 'dns.maxConnectionAgeMs'],
    [{ dns: { ttlMs: 1 } as never }, 'dns.ttlMs'],
    [{ dispatcher: new Agent(), tls: {} }, 'tls'],
  ])('%#: %o', (options, path) => {
    let thrown: unknown;
    try {
      createHttpClient({ baseUrl: 'https://a.example', ...options });
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ code: 'MAC_INVALID_OPTIONS', path: `createHttpClient.${path}` });
    expect(String(thrown)).not.toContain('canary');
  });
});

describe('AC21: a stale keep-alive connection', () => {
  async function staleAfterFirst(
    options: Partial<HttpClientOptions>,
  ): Promise<{ client: HttpClient; connections: () => number }> {
    const upstream = await startFaultServer({ faults: [{ fault: closeKeepAlive(), when: { requests: [2, 2] } }] });
    cleanUp.push(() => upstream.close());
    const client = noBackoffClient({ baseUrl: upstream.url, ...options });
    await client.get('/first');
    await nextTurn();
    return { client, connections: () => upstream.stats().connections };
  }

  test('repeats an idempotent request without using up an attempt or budget, and without a wait', async () => {
    const budget = retryBudget({ ratio: 0, minPerSecond: 0 });
    const retry = { maxAttempts: 2, budget, backoff: constant({ delayMs: 60_000 }) };
    const { client, connections } = await staleAfterFirst({ retry });
    const { attempts } = await client.get('/a');
    expect(attempts).toMatchObject([
      { attempt: 1, status: undefined },
      { attempt: 2, status: 200 },
    ]);
    expect(connections()).toBe(2);
    expect(client.stats().policies['retry']).toMatchObject({ transparent: 1, retries: 0, budget: { granted: 0 } });
  });

  test('fails a POST, which the server may have processed', async () => {
    const { client } = await staleAfterFirst({});
    expect(await failure(client.post('/a', { json: 1 }))).toMatchObject({ phase: 'request', attempts: { length: 1 } });
    expect(client.stats().policies['retryUnsent']).toMatchObject({ transparent: 0 });
  });

  test.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'repeats an idempotent request at no cost over %s too',
    async (maxVersion) => {
      let count = 0;
      const server = createHttpsServer({ ...serverTls, maxVersion }, (_request, response) => {
        if (++count === 2) response.socket?.destroy();
        else response.end();
      });
      const client = noBackoffClient({ baseUrl: `https://localhost:${await listening(server)}`, tls: { ca } });
      await client.get('/a');
      await nextTurn();
      await client.get('/a');
      expect(client.stats().policies['retry']).toMatchObject({ transparent: 1, retries: 0 });
    },
  );

  test.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'is not assumed for a fresh connection over %s: session tickets are no response',
    async (maxVersion) => {
      let count = 0;
      const server = createHttpsServer({ ...serverTls, maxVersion }, (_request, response) => {
        if (++count === 1) response.socket?.destroy();
        else response.end();
      });
      const client = noBackoffClient({ baseUrl: `https://localhost:${await listening(server)}`, tls: { ca } });
      await client.get('/a');
      expect(client.stats().policies['retry']).toMatchObject({ transparent: 0, retries: 1 });
    },
  );

  test('is not assumed for a fresh connection that is reset, which is an ordinary failure', async () => {
    const upstream = await startFaultServer({ faults: [{ fault: resetBeforeHeaders(), when: { requests: [1, 1] } }] });
    cleanUp.push(() => upstream.close());
    const client = noBackoffClient({ baseUrl: upstream.url });
    await client.get('/a');
    expect(client.stats().policies['retry']).toMatchObject({ transparent: 0, retries: 1 });
  });
});
