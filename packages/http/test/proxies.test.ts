import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { connect, createServer, type LookupFunction, type Socket } from 'node:net';
import { inspect } from 'node:util';
import { startFaultServer, virtualClock, type FaultServer } from '@macadam/testkit';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { HttpClientOptions, HttpNetworkError, HttpResponse } from '../src/index.ts';
import { failure, noBackoffClient } from './client-helpers.ts';
import { ca, cleanUp, closeAll, httpsServer, listening, pem, nextTurn } from './loopback.ts';

afterEach(async () => {
  vi.unstubAllEnvs();
  await closeAll();
});

const PROXY_VARIABLES = ['http_proxy', 'https_proxy', 'no_proxy', 'HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY'];

/** Sets the proxy variables of the environment, and removes the others. */
function stubProxies(variables: Record<string, string>): void {
  for (const name of PROXY_VARIABLES) vi.stubEnv(name, variables[name]);
}

interface LoopbackProxy {
  readonly port: number;
  readonly host: string;
  /** The tunnels and URLs that were requested, and the credentials. */
  readonly requested: string[];
  readonly authorization: unknown[];
}

/** Passes bytes in both directions until one side ends. */
function join(socket: Socket, port: number, host: string, open: () => void): void {
  const onward = connect(port, host, () => {
    open();
    onward.pipe(socket).pipe(onward);
  });
  for (const end of [socket, onward]) end.on('error', () => [socket, onward].forEach((one) => one.destroy()));
  cleanUp.push(() => onward.destroy());
}

interface HttpProxyOptions {
  /** The host that all tunnels lead to. Default: the requested one. */
  readonly to?: string;
  /** The name of its certificate. Default: no TLS. */
  readonly encrypted?: string;
  /** The `Location` that it responds with for a URL. */
  readonly redirect?: (url: string) => string | undefined;
}

async function httpProxy({ to, encrypted, redirect }: HttpProxyOptions = {}): Promise<LoopbackProxy> {
  const requested: string[] = [];
  const authorization: unknown[] = [];
  const server =
    encrypted === undefined
      ? createHttpServer()
      : createHttpsServer({ cert: pem(encrypted), key: pem(`${encrypted}.key`) });
  server.on('request', (request, response) => {
    requested.push(`${request.method} ${request.url}`);
    authorization.push(request.headers['proxy-authorization']);
    const location = redirect?.(request.url ?? '');
    if (location !== undefined) response.writeHead(307, { location });
    response.end(`forwarded for ${request.headers.host}`);
  });
  server.on('connect', (request, socket: Socket) => {
    requested.push(`CONNECT ${request.url}`);
    authorization.push(request.headers['proxy-authorization']);
    const [, host = '', port] = /^\[?(.*?)\]?:(\d+)$/.exec(request.url ?? '') ?? [];
    join(socket, Number(port), to ?? (host === 'localhost' ? '127.0.0.1' : host), () =>
      socket.write('HTTP/1.1 200 Connected\r\n\r\n'),
    );
  });
  const port = await listening(server);
  return { port, host: `127.0.0.1:${port}`, requested, authorization };
}

/** The part of RFC 1928 and 1929 that the client uses. */
async function socksProxy(to: number, authenticates = false): Promise<LoopbackProxy> {
  const requested: string[] = [];
  const authorization: unknown[] = [];
  const method = authenticates ? 2 : 0;
  const serve = async (socket: Socket): Promise<void> => {
    const next = async (): Promise<Buffer> => (await once(socket, 'data'))[0] as Buffer;
    socket.on('error', () => {});
    await next();
    socket.write(Uint8Array.of(5, method));
    if (authenticates) {
      const [, userLength = 0, ...rest] = await next();
      const user = rest.slice(0, userLength);
      authorization.push(`${Buffer.from(user)}:${Buffer.from(rest.slice(userLength + 1))}`);
      socket.write(Uint8Array.of(1, 0));
    }
    const request = await next();
    const length = request[3] === 3 ? (request[4] as number) + 1 : request[3] === 1 ? 4 : 16;
    const address = request.subarray(request[3] === 3 ? 5 : 4, 4 + length);
    const host = request[3] === 3 ? address.toString() : address.join('.');
    requested.push(`${host}:${request.readUInt16BE(4 + length)}`);
    join(socket, to, '127.0.0.1', () => socket.write(Uint8Array.of(5, 0, 0, 1, 127, 0, 0, 1, 0, 0)));
  };
  // Rejects when the client disconnects in the middle.
  const port = await listening(createServer((socket) => void serve(socket).catch(() => {})));
  return { port, host: `127.0.0.1:${port}`, requested, authorization };
}

/** Passes the bytes of each connection to `onData`, and counts connections. */
async function byteServer(
  onData: (socket: Socket, bytes: Buffer, connections: number) => void,
): Promise<{ host: string; connections: () => number }> {
  let connections = 0;
  const server = createServer((socket) => {
    const number = ++connections;
    socket.on('error', () => {}).on('data', (bytes) => onData(socket, bytes, number));
  });
  return { host: `127.0.0.1:${await listening(server)}`, connections: () => connections };
}

async function upstreamServer(): Promise<FaultServer> {
  const upstream = await startFaultServer();
  cleanUp.push(() => upstream.close());
  return upstream;
}

const toLoopback: LookupFunction = (_hostname, _options, callback) =>
  callback(null, [{ address: '127.0.0.1', family: 4 }]);

describe('an HTTP proxy', () => {
  test('opens a tunnel for https, and the certificate of the target is verified', async () => {
    const { url, port } = await httpsServer();
    const proxy = await httpProxy();
    const client = noBackoffClient({ baseUrl: url, tls: { ca }, proxy: `http://user:canary@${proxy.host}` });
    expect((await client.get('/a')).status).toBe(200);
    expect(proxy.requested).toEqual([`CONNECT localhost:${port}`]);
    expect(proxy.authorization).toEqual([`Basic ${Buffer.from('user:canary').toString('base64')}`]);
    expect(client.describe()).toContain(`through tunnels of the proxy ${proxy.host}`);
    expect(client.stats().connections).toMatchObject({ connected: 1 });
    expect(inspect([client.describe(), client.stats(), client], { depth: 20 })).not.toContain('canary');
    const distrusting = noBackoffClient({ baseUrl: url, proxy: `http://${proxy.host}` });
    const error = await failure(distrusting.get('/a'));
    expect(error).toMatchObject({ errorCode: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', proxy: undefined });
  });

  test('is sent http requests with their absolute URL, over one keep-alive connection', async () => {
    const proxy = await httpProxy();
    const client = noBackoffClient({ baseUrl: 'http://a.example:81', proxy: `http://user:canary@${proxy.host}` });
    expect((await client.get('/b?c=1')).text()).toBe('forwarded for a.example:81');
    expect((await client.post('/d', { json: { e: 1 } })).status).toBe(200);
    expect(proxy.requested).toEqual(['GET http://a.example:81/b?c=1', 'POST http://a.example:81/d']);
    expect(proxy.authorization).toEqual(Array(2).fill(`Basic ${Buffer.from('user:canary').toString('base64')}`));
    expect(client.describe()).toContain(`to the proxy ${proxy.host}`);
    expect(client.stats().connections).toMatchObject({ connected: 1 });
  });

  test('gets credentials from its URL only: as a request header they would reach the origin', async () => {
    const { url, requests } = await httpsServer();
    const proxy = await httpProxy();
    for (const baseUrl of [url, 'http://a.example']) {
      const client = noBackoffClient({ baseUrl, tls: { ca }, proxy: `http://${proxy.host}` });
      const error = await failure(client.get('/a', { headers: { 'Proxy-Authorization': 'canary' } }));
      expect(error).toMatchObject({ errorCode: 'UND_ERR_INVALID_ARG', attempts: { length: 1 } });
      expect(inspect(error, { depth: 20, showHidden: true })).not.toContain('canary');
    }
    expect([...proxy.requested, ...requests]).toEqual([]);
  });

  test('is sent the host header of the caller, once', async () => {
    const proxy = await httpProxy();
    const client = noBackoffClient({ baseUrl: 'http://a.example', proxy: `http://${proxy.host}` });
    const response = await client.get('/a', { headers: { host: 'b.example' } });
    expect(response.text()).toBe('forwarded for b.example');
    expect(proxy.requested).toEqual(['GET http://a.example/a']);
  });

  test('reached over TLS must show a valid certificate', async () => {
    const { url } = await httpsServer();
    const proxy = await httpProxy({ encrypted: 'server' });
    const own = { tls: { ca }, proxy: `https://localhost:${proxy.port}` };
    expect((await noBackoffClient({ baseUrl: url, ...own }).get('/a')).status).toBe(200);
    expect((await noBackoffClient({ baseUrl: 'http://a.example', ...own }).get('/a')).status).toBe(200);
    const other = await httpProxy({ encrypted: 'elsewhere' });
    for (const baseUrl of ['https://a.example', 'http://a.example']) {
      const client = noBackoffClient({ baseUrl, tls: { ca }, proxy: `https://localhost:${other.port}` });
      const error = await failure(client.get('/a'));
      expect(error).toMatchObject({
        errorCode: 'ERR_TLS_CERT_ALTNAME_INVALID',
        phase: 'connect',
        proxy: `localhost:${other.port}`,
        attempts: { length: 1 },
      });
    }
    expect(other.requested).toEqual([]);
  });

  test('is used for the target of a redirect too, and the origin gets no proxy credentials', async () => {
    const { url, port, requests } = await httpsServer();
    const places: Record<string, string> = {
      'http://a.example/a': 'http://b.example/b',
      'http://b.example/b': `${url}/c`,
    };
    const proxy = await httpProxy({ redirect: (from) => places[from] });
    const own = { tls: { ca }, redirects: { crossOrigin: true }, proxy: `http://user:canary@${proxy.host}` };
    const client = noBackoffClient({ baseUrl: 'http://a.example', ...own });
    expect((await client.get('/a')).status).toBe(200);
    expect(proxy.requested).toEqual(['GET http://a.example/a', 'GET http://b.example/b', `CONNECT localhost:${port}`]);
    expect(requests[0]?.headers['proxy-authorization']).toBeUndefined();
  });

  test('that closed an idle connection costs neither an attempt nor budget', async () => {
    const { host, connections } = await byteServer((socket, _bytes, number) => {
      if (socket.bytesRead > 200) socket.destroy();
      else socket.write(`HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n${number}`);
    });
    const client = noBackoffClient({
      baseUrl: 'http://a.example',
      proxy: `http://${host}`,
      headers: { x: 'x'.repeat(60) },
    });
    expect((await client.get('/a')).text()).toBe('1');
    await nextTurn();
    expect((await client.get('/b')).text()).toBe('2');
    expect(connections()).toBe(2);
    expect(client.stats().policies['retry']).toMatchObject({ transparent: 1, retries: 0 });
  });

  test('reads tls() for each new connection through a tunnel, as for a direct one', async () => {
    const { url } = await httpsServer({ requestCert: true, rejectUnauthorized: true, ca });
    const proxy = await httpProxy();
    const clock = virtualClock();
    let name = 'client-1';
    // A new object each time, as when the files are read again.
    const tls = (): { ca: Buffer; cert: Buffer; key: Buffer } => ({ ca, cert: pem(name), key: pem(`${name}.key`) });
    const dns = { maxConnectionAgeMs: 60_000 };
    const client = noBackoffClient({ baseUrl: url, tls, clock, dns, proxy: `http://${proxy.host}` });
    const peer = async (): Promise<unknown> => {
      const { data } = await client.get('/a');
      await nextTurn();
      return data;
    };
    expect([await peer(), await peer()]).toEqual([{ peer: 'client-1' }, { peer: 'client-1' }]);
    name = 'client-2';
    expect(await peer()).toEqual({ peer: 'client-1' });
    expect(proxy.requested).toHaveLength(1);
    await clock.advance(60_000);
    expect(await peer()).toEqual({ peer: 'client-2' });
    expect(proxy.requested).toHaveLength(2);
  });

  test('is not connected to when tls() throws, which fails the call', async () => {
    const tls = (): never => {
      throw new Error('cannot read the certificate');
    };
    const client = noBackoffClient({ baseUrl: 'https://a.example', tls, proxy: 'http://127.0.0.1:1', retry: false });
    const error = await failure(client.get('/a'));
    expect(error).toMatchObject({ code: 'MAC_HTTP_NETWORK', cause: { message: 'cannot read the certificate' } });
  });
});

describe('a SOCKS proxy', () => {
  test('is sent the host name and resolves it, for http and https', async () => {
    const upstream = await upstreamServer();
    const plain = await socksProxy(upstream.port);
    const client = noBackoffClient({ baseUrl: 'http://a.example', proxy: `socks5://${plain.host}` });
    expect((await client.get('/a')).status).toBe(200);
    expect(plain.requested).toEqual(['a.example:80']);
    expect(client.describe()).toContain(`through the SOCKS proxy ${plain.host}`);
    const { port } = await httpsServer();
    const encrypted = await socksProxy(port);
    const secure = noBackoffClient({ baseUrl: 'https://localhost', tls: { ca }, proxy: `socks5h://${encrypted.host}` });
    expect((await secure.get('/a')).status).toBe(200);
    expect(encrypted.requested).toEqual(['localhost:443']);
  });

  test('is sent user and password', async () => {
    const upstream = await upstreamServer();
    const proxy = await socksProxy(upstream.port, true);
    const client = noBackoffClient({ baseUrl: 'http://a.example', proxy: `socks5://user:can%3Aary@${proxy.host}` });
    expect((await client.get('/a')).status).toBe(200);
    expect(proxy.authorization).toEqual(['user:can:ary']);
    expect(inspect([client.describe(), client.stats(), client], { depth: 20 })).not.toMatch(/can(:|%3A)ary/);
  });
});

describe('a proxy that fails is named by the error, which contains no password', () => {
  const respondingWith = (text: string) => (socket: Socket) => void socket.end(text);
  const socksReplies = (...replies: number[][]) => {
    let turn = 0;
    return (socket: Socket) => void socket.write(Uint8Array.from(replies[turn++] ?? []));
  };
  const rows: [string, 'http' | 'socks5', (socket: Socket) => void, Partial<HttpNetworkError>, string][] = [
    [
      'refuses',
      'http',
      respondingWith('HTTP/1.1 403 canary\r\n\r\n'),
      { errorCode: 'ERR_PROXY_TUNNEL' },
      'answered 403',
    ],
    [
      'requires credentials',
      'http',
      respondingWith('HTTP/1.1 407 canary\r\n\r\n'),
      { errorCode: 'ERR_PROXY_TUNNEL' },
      '407',
    ],
    [
      'cannot connect',
      'http',
      respondingWith('HTTP/1.1 502 canary\r\n\r\n'),
      { errorCode: 'ERR_PROXY_UNAVAILABLE', retryable: true },
      'answered 502',
    ],
    [
      'does not speak HTTP',
      'http',
      respondingWith('220 canary SMTP\r\n'),
      { errorCode: 'ERR_PROXY_TUNNEL' },
      'not HTTP',
    ],
    [
      'sends a response head without an end',
      'http',
      respondingWith(`HTTP/1.1 200 OK\r\nx: ${'canary'.repeat(3_000)}`),
      { errorCode: 'ERR_PROXY_TUNNEL' },
      'head is too long',
    ],
    [
      'closes the connection',
      'http',
      (socket) => socket.destroy(),
      { errorCode: 'ECONNRESET', retryable: true },
      'closed',
    ],
    [
      'closes in the middle of its response',
      'http',
      respondingWith('HTTP/1.1 200 OK\r\n'),
      { errorCode: 'ECONNRESET', retryable: true },
      'closed the connection',
    ],
    [
      'opens a tunnel and closes it',
      'http',
      respondingWith('HTTP/1.1 200 OK\r\n\r\n'),
      { errorCode: 'ECONNRESET', retryable: true },
      'closed the tunnel before it was encrypted',
    ],
    [
      'closes the connection',
      'socks5',
      (socket) => socket.destroy(),
      { errorCode: 'ECONNRESET', retryable: true },
      'closed',
    ],
    [
      'does not speak SOCKS',
      'socks5',
      respondingWith('HTTP/1.1 400 canary\r\n'),
      { errorCode: 'ERR_PROXY_TUNNEL' },
      'does not speak SOCKS',
    ],
    [
      'rejects the credentials',
      'socks5',
      socksReplies([5, 2], [1, 1]),
      { errorCode: 'ERR_PROXY_TUNNEL' },
      'did not accept user and password',
    ],
    ['refuses', 'socks5', socksReplies([5, 0], [5, 2, 0, 1]), { errorCode: 'ERR_PROXY_TUNNEL' }, 'does not allow'],
    [
      'cannot connect',
      'socks5',
      socksReplies([5, 0], [5, 5, 0, 1, 0, 0, 0, 0, 0, 0]),
      { errorCode: 'ERR_PROXY_UNAVAILABLE', retryable: true },
      'connection refused by the host',
    ],
  ];

  test.each(rows)('%s (%s)', async (_what, protocol, onData, expected, message) => {
    const { host } = await byteServer(onData);
    const own = { proxy: `${protocol}://user:canary@${host}`, retry: false as const };
    for (const options of [own, { ...own, dns: { lookup: toLoopback } }]) {
      if (protocol === 'socks5' && 'dns' in options) continue;
      const client = noBackoffClient({ baseUrl: 'https://a.example', ...options });
      const error = (await failure(client.get('/a'))) as HttpNetworkError;
      expect(error).toMatchObject({
        code: 'MAC_HTTP_NETWORK',
        phase: 'connect',
        proxy: host,
        retryable: false,
        ...expected,
      });
      expect(error.message).toContain(`: the proxy ${host} `);
      expect(error.message).toContain(message);
      expect(inspect(error, { depth: 20, showHidden: true })).not.toContain('canary');
    }
  });

  test('is unreachable', async () => {
    const { host } = await byteServer(() => {});
    await closeAll();
    for (const proxy of [`http://user:canary@${host}`, `https://user:canary@${host}`, `socks5://user:canary@${host}`]) {
      for (const baseUrl of ['http://a.example', 'https://a.example']) {
        const error = await failure(noBackoffClient({ baseUrl, proxy, retry: false }).get('/a'));
        expect(error).toMatchObject({ errorCode: 'ECONNREFUSED', phase: 'connect', proxy: host, retryable: true });
        expect(inspect(error, { depth: 20, showHidden: true })).not.toContain('canary');
      }
    }
  });

  test('breaks off a response that it forwards', async () => {
    const { host } = await byteServer((socket) =>
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n1', () => socket.destroy()),
    );
    const error = await failure(
      noBackoffClient({ baseUrl: 'http://a.example', proxy: `http://${host}`, retry: false }).get('/a'),
    );
    expect(error).toMatchObject({ phase: 'response', proxy: host });
    expect(String(error)).toContain(`the connection to the proxy ${host} broke`);
  });

  test('any method is retried while no request has been sent, unless the proxy refuses the tunnel', async () => {
    const { port } = await httpsServer();
    const post = async (first: string): Promise<{ call: Promise<HttpResponse>; connections: () => number }> => {
      const { host, connections } = await byteServer((socket, _bytes, number) => {
        socket.removeAllListeners('data');
        if (number === 1) socket.end(first);
        else join(socket, port, '127.0.0.1', () => socket.write('HTTP/1.1 200 OK\r\n\r\n'));
      });
      const client = noBackoffClient({ baseUrl: 'https://localhost', tls: { ca }, proxy: `http://${host}` });
      return { call: client.post('/a', { json: 1 }), connections };
    };
    const passing = await post('HTTP/1.1 503 Busy\r\n\r\n');
    expect((await passing.call).attempts).toMatchObject([{ errorCode: 'ERR_PROXY_UNAVAILABLE' }, { status: 200 }]);
    const final = await post('HTTP/1.1 407 No\r\n\r\n');
    expect(await failure(final.call)).toMatchObject({ errorCode: 'ERR_PROXY_TUNNEL', attempts: { length: 1 } });
    expect(final.connections()).toBe(1);
  });
});

describe('a proxy that never finishes the handshake', () => {
  async function closed(socket: Socket): Promise<void> {
    if (!socket.closed) await new Promise((resolve) => socket.on('close', resolve));
  }

  /** Writes `beginning` to its connection, and nothing more. */
  async function slowProxy(beginning: string): Promise<{ host: string; connection: Promise<Socket> }> {
    let onConnection: (socket: Socket) => void;
    const connection = new Promise<Socket>((resolve) => (onConnection = resolve));
    const { host } = await byteServer((socket) => {
      socket.write(beginning);
      onConnection(socket);
    });
    return { host, connection };
  }

  test.each([
    ['http', ''],
    ['http', 'HTTP/1.1 200 OK\r\nx: '],
    ['http', 'HTTP/1.1 100 Continue\r\n\r\n'],
    ['socks5', ''],
    ['socks5', '\x05'],
  ])('%s, %j: fails by the connect timeout, even if bytes trickle in', async (protocol, beginning) => {
    const clock = virtualClock();
    const { host, connection } = await slowProxy(beginning);
    const limits = {
      clock,
      connectTimeoutMs: 1_000,
      attemptTimeoutMs: 60_000,
      timeoutMs: 60_000,
      retry: false as const,
    };
    const client = noBackoffClient({ baseUrl: 'https://a.example', proxy: `${protocol}://${host}`, ...limits });
    const call = failure(client.get('/a'));
    const socket = await connection;
    await clock.advance(999);
    if (beginning.startsWith('HTTP')) socket.write(beginning.startsWith('HTTP/1.1 1') ? beginning : 'y');
    await clock.advance(1);
    const error = await call;
    expect(error).toMatchObject({ errorCode: 'UND_ERR_CONNECT_TIMEOUT', phase: 'connect', proxy: host });
    expect(String(error)).toContain('made no connection within 1000 ms');
    await closed(socket);
    await client.close();
  });

  test('a tunnel in which the target does not start TLS fails by the same timeout, and is not reported as a failure of the proxy', async () => {
    const clock = virtualClock();
    let open: (socket: Socket) => void;
    const opened = new Promise<Socket>((resolve) => (open = resolve));
    const { host } = await byteServer((socket, _bytes) => {
      socket.removeAllListeners('data').resume();
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      socket.once('data', () => open(socket));
    });
    const limits = { connectTimeoutMs: 1_000, attemptTimeoutMs: 60_000, timeoutMs: 60_000, retry: false as const };
    const client = noBackoffClient({ baseUrl: 'https://a.example', proxy: `http://${host}`, clock, ...limits });
    const call = failure(client.get('/a'));
    const socket = await opened;
    await clock.advance(1_000);
    expect(await call).toMatchObject({
      errorCode: 'UND_ERR_CONNECT_TIMEOUT',
      proxy: undefined,
      cause: { message: 'There was no TLS connection to the host within 1000 ms' },
    });
    await closed(socket);
  });

  test('certificates that cannot be loaded fail the call, through a tunnel too', async () => {
    const { host } = await byteServer((socket) => {
      socket.removeAllListeners('data').resume();
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
    });
    const tls = () => ({ cert: 'half a certificate', key: 'half a key' });
    const client = noBackoffClient({ baseUrl: 'https://a.example', proxy: `http://${host}`, tls, retry: false });
    expect(await failure(client.get('/a'))).toMatchObject({ code: 'MAC_HTTP_NETWORK', phase: 'connect' });
  });

  test('a cancelled call rejects at once, and the handshake ends by its timeout', async () => {
    const clock = virtualClock();
    const { host, connection } = await slowProxy('');
    const client = noBackoffClient({
      baseUrl: 'https://a.example',
      proxy: `http://${host}`,
      clock,
      connectTimeoutMs: 1_000,
    });
    const abort = new AbortController();
    const call = failure(client.get('/a', { signal: abort.signal }));
    const socket = await connection;
    abort.abort(new Error('gone'));
    expect(await call).toMatchObject({ message: 'gone' });
    const closing = client.close();
    await clock.advance(1_000);
    await closing;
    await closed(socket);
  });

  test('a name that does not resolve in time is not reported as a failure of the proxy', async () => {
    const clock = virtualClock();
    let onLookup: () => void;
    const lookedUp = new Promise<void>((resolve) => (onLookup = resolve));
    const lookup = (): void => onLookup();
    const limits = { clock, connectTimeoutMs: 1_000, retry: false as const };
    const client = noBackoffClient({
      baseUrl: 'https://a.example',
      proxy: 'http://127.0.0.1:1',
      dns: { lookup },
      ...limits,
    });
    const call = failure(client.get('/a'));
    await lookedUp;
    await clock.advance(1_000);
    const expected = { errorCode: 'UND_ERR_CONNECT_TIMEOUT', proxy: undefined };
    expect(await call).toMatchObject({
      ...expected,
      cause: { message: 'The host name was not resolved within 1000 ms' },
    });
  });
});

describe('a proxy, with names resolved by the client', () => {
  test('is sent the address, and the certificate must match the name', async () => {
    const { url, port } = await httpsServer();
    const proxy = await httpProxy();
    const own = { proxy: `http://user:canary@${proxy.host}`, dns: { lookup: toLoopback } };
    const client = noBackoffClient({ baseUrl: url, tls: { ca }, ...own });
    expect((await client.get('/a')).status).toBe(200);
    expect(proxy.requested).toEqual([`CONNECT 127.0.0.1:${port}`]);
    expect(proxy.authorization).toEqual([`Basic ${Buffer.from('user:canary').toString('base64')}`]);
    const other = noBackoffClient({ baseUrl: `https://other.example:${port}`, tls: { ca }, ...own, retry: false });
    expect(await failure(other.get('/a'))).toMatchObject({
      errorCode: 'ERR_TLS_CERT_ALTNAME_INVALID',
      proxy: undefined,
    });
  });

  const addressesByName: Record<string, string[]> = {
    'public.example': ['93.184.216.34'],
    'rebound.example': ['93.184.216.34', '169.254.169.254'],
    'none.example': [],
  };
  const resolve = async (name: string): Promise<{ address: string; ttlMs: number }[]> =>
    (addressesByName[name] ?? []).map((address) => ({ address, ttlMs: 60_000 }));

  test.each<[string, (upstream: number) => Promise<LoopbackProxy>, string]>([
    ['http', () => httpProxy({ to: '127.0.0.1' }), 'CONNECT '],
    ['socks5', (upstream) => socksProxy(upstream), ''],
  ])(
    'ssrf (%s): the proxy is not asked for a private address, and is asked for a public one by address',
    async (protocol, start, prefix) => {
      const inside = await upstreamServer();
      const proxy = await start(inside.port);
      const get = (host: string, options: Partial<HttpClientOptions> = {}): Promise<HttpResponse> =>
        noBackoffClient({
          baseUrl: `http://${host}:${inside.port}`,
          ssrf: 'block-private',
          proxy: `${protocol}://${proxy.host}`,
          retry: false,
          dns: { resolve },
          ...options,
        }).get('/a');
      expect((await get('public.example')).status).toBe(200);
      expect(proxy.requested).toEqual([`${prefix}93.184.216.34:${inside.port}`]);
      for (const host of [
        'rebound.example',
        '127.0.0.1',
        '[::1]',
        '0x7f.1',
        '[64:ff9b::7f00:1]',
        '[::ffff:10.0.0.1]',
      ]) {
        expect(await failure(get(host)), host).toMatchObject({ code: 'MAC_HTTP_SSRF_BLOCKED' });
      }
      expect(await failure(get('none.example'))).toMatchObject({ code: 'MAC_HTTP_NETWORK', errorCode: 'ENODATA' });
      expect(proxy.requested).toHaveLength(1);
      // The same with the proxy of the environment, and for hosts that NO_PROXY excludes.
      stubProxies({ HTTP_PROXY: `${protocol}://${proxy.host}`, NO_PROXY: 'rebound.example,169.254.0.0/16' });
      expect((await get('public.example', { proxy: 'env' })).status).toBe(200);
      for (const host of ['rebound.example', '169.254.169.254', 'localhost']) {
        const options: Partial<HttpClientOptions> = host === 'localhost' ? { dns: {} } : {};
        const call = get(host, { proxy: 'env', ...options });
        expect(await failure(call), host).toMatchObject({ code: 'MAC_HTTP_SSRF_BLOCKED' });
      }
      expect(proxy.requested).toHaveLength(2);
    },
  );

  test('that cannot connect to one address family is asked for the other', async () => {
    const inside = await upstreamServer();
    const requested: string[] = [];
    const { host } = await byteServer((socket, bytes) => {
      const [, authority = ''] = /^CONNECT (\S+)/.exec(bytes.toString()) ?? [];
      requested.push(authority);
      if (authority.startsWith('[')) socket.end('HTTP/1.1 502 No IPv6\r\n\r\n');
      else {
        socket.removeAllListeners('data');
        join(socket, inside.port, '127.0.0.1', () => socket.write('HTTP/1.1 200 OK\r\n\r\n'));
      }
    });
    const found = ['2001:db8::1', '2001:db8::2', '192.0.2.1', '192.0.2.2'];
    const dns = { resolve: async () => found.map((address) => ({ address, ttlMs: 60_000 })) };
    const client = noBackoffClient({ baseUrl: 'http://a.example', proxy: `http://${host}`, dns, retry: false });
    expect((await client.get('/a')).status).toBe(200);
    expect(requested).toEqual(['[2001:db8::1]:80', '192.0.2.1:80']);
  });
});

describe('the proxy of the environment', () => {
  test('is used only with proxy: env, and NO_PROXY is honoured: names, address ranges and loopback', async () => {
    const proxy = await httpProxy();
    const upstream = await upstreamServer();
    stubProxies({ HTTP_PROXY: proxy.host });
    const get = async (host: string, path: string, option: 'env' | false = 'env'): Promise<void> =>
      void (await noBackoffClient({ baseUrl: `http://${host}:${upstream.port}`, proxy: option }).get(path));
    // Reaches this machine, and is no loopback address, which would bypass the proxy.
    const localHost = '0.0.0.0';
    await get(localHost, '/1', false);
    await get(localHost, '/2');
    stubProxies({ HTTP_PROXY: proxy.host, NO_PROXY: '10.0.0.0/8, 0.0.0.0/8' });
    await get(localHost, '/3');
    await get('192.0.2.1', '/4');
    stubProxies({ HTTP_PROXY: proxy.host, NO_PROXY: `10.0.0.0/8,${localHost}:1` });
    await get(localHost, '/5');
    stubProxies({ HTTP_PROXY: proxy.host, NO_PROXY: `${localHost}:${upstream.port}` });
    await get(localHost, '/6');
    stubProxies({ HTTP_PROXY: proxy.host });
    await get('localhost', '/7');
    await get('127.0.0.1', '/8');
    expect(proxy.requested).toEqual([
      `GET http://${localHost}:${upstream.port}/2`,
      `GET http://192.0.2.1:${upstream.port}/4`,
      `GET http://${localHost}:${upstream.port}/5`,
    ]);
    expect(upstream.requests.map(({ path }) => path)).toEqual(['/1', '/3', '/6', '/7', '/8']);
  });

  test('is selected again for the target of a redirect', async () => {
    const upstream = await upstreamServer();
    const proxy = await httpProxy({ redirect: () => `http://0.0.0.0:${upstream.port}/b` });
    stubProxies({ http_proxy: `http://${proxy.host}`, no_proxy: '0.0.0.0/8' });
    const client = noBackoffClient({ baseUrl: 'http://a.example', proxy: 'env', redirects: { crossOrigin: true } });
    expect((await client.get('/a')).status).toBe(200);
    expect(proxy.requested).toEqual(['GET http://a.example/a']);
    expect(upstream.requests.map(({ path }) => path)).toEqual(['/b']);
  });
});
