import { once } from 'node:events';
import { createReadStream, openAsBlob } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createSecureServer } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { ReadableStream as WebStream, type ReadableStream } from 'node:stream/web';
import { consecutiveFailures } from '@macadam/resilience';
import { hang, resetBeforeHeaders, resetMidBody, respond, startFaultServer, type FaultServer } from '@macadam/testkit';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { OpenStream } from '../src/body/source.ts';
import type { HttpClient, HttpClientOptions, StreamedBody } from '../src/index.ts';
import { ca, pem } from './http2-frames.ts';
import { closeClients, failure, noBackoffClient } from './client-helpers.ts';

let upstream: FaultServer;

beforeEach(async () => {
  upstream = await startFaultServer();
});
afterEach(async () => {
  await upstream.close();
  await closeClients();
});

function clientFor(options: Partial<HttpClientOptions> = {}): HttpClient {
  return noBackoffClient({ baseUrl: upstream.url, ...options });
}

const sent = () => upstream.requests.map(({ bodyText }) => bodyText);
const webStream = (text: string) => new Blob([text]).stream() as unknown as ReadableStream<Uint8Array>;
async function* pieces(...texts: string[]): AsyncGenerator<string> {
  for (const text of texts) yield Promise.resolve(text);
}
const turn = { settle: () => {} };
/** Two megabytes: more than is kept. */
async function* long(): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < 20; i++) yield Promise.resolve(Buffer.alloc(100_000, 'x'));
}

test('AC16: a Blob is sent with every attempt, with its type and its length', async () => {
  await upstream.setFaults([{ fault: respond(503), when: { requests: [1, 1] } }]);
  await clientFor().put('/a', { body: new Blob(['a,b'], { type: 'text/csv' }) });
  expect(sent()).toEqual(['a,b', 'a,b']);
  expect(upstream.requests[1]?.headers).toMatchObject({ 'content-type': 'text/csv', 'content-length': '3' });
});

describe('AC16: a function that creates a stream', () => {
  test.each<[string, () => StreamedBody]>([
    ['a Readable', () => Readable.from(['one ', 'two'])],
    ['a web stream', () => webStream('one two')],
    ['a generator', () => pieces('one ', 'two')],
  ])('sends the same bytes with every attempt: %s', async (_what, body) => {
    await upstream.setFaults([{ fault: respond(503), when: { requests: [1, 2] } }]);
    const { attempts } = await clientFor().put('/a', { body });
    expect(attempts.map(({ status }) => status)).toEqual([503, 503, 200]);
    expect(sent()).toEqual(['one two', 'one two', 'one two']);
    expect(upstream.requests[0]?.headers).toMatchObject({
      'content-type': 'application/octet-stream',
      'transfer-encoding': 'chunked',
    });
  });

  test.each<[string, (made: StreamedBody) => () => StreamedBody]>([
    ['one and the same stream', (made) => () => made],
    ['no stream', () => () => 'text' as unknown as StreamedBody],
    [
      'a stream that was read',
      () => () => {
        const used = Readable.from(['x']);
        used.read();
        used.destroy();
        return used;
      },
    ],
  ])('that returns %s is rejected, instead of sending an empty body', async (_what, make) => {
    await upstream.setFaults([{ fault: respond(503) }]);
    const error = await failure(clientFor().put('/a', { body: make(pieces('once')) }));
    expect(error).toMatchObject({ code: 'MAC_INVALID_OPTIONS', path: 'request.body()' });
    expect(sent().every((body) => body === 'once')).toBe(true);
  });

  test('that throws ends the call', async () => {
    const body = (): never => {
      throw new Error('no file');
    };
    const error = await failure(clientFor().put('/a', { body }));
    expect(error).toMatchObject({ code: 'MAC_HTTP_REQUEST', part: 'body', cause: { message: 'no file' } });
  });
});

/** Streams that never come to an end, and say when they are let go. */
const endless: Record<string, (onLetGo: () => void) => StreamedBody> = {
  'a Readable': (onLetGo) => new Readable({ read() {}, destroy: (error, done) => (onLetGo(), done(error)) }),
  'a Readable that flows': (onLetGo) =>
    new Readable({
      read() {
        this.push(Buffer.alloc(65_536));
      },
      destroy: (error, done) => (onLetGo(), done(error)),
    }),
  'a web stream': (cancel) => new WebStream({ pull: () => new Promise<void>(() => {}), cancel }),
  'a web stream that flows': (cancel) =>
    new WebStream({ pull: (controller) => controller.enqueue(new Uint8Array(65_536)), cancel }),
  'a generator': async function* (onLetGo) {
    try {
      for (;;) yield await Promise.resolve(Buffer.alloc(65_536));
    } finally {
      onLetGo();
    }
  },
};

describe.each(Object.entries(endless))('%s created by a function', (_what, make) => {
  test.each(['http', 'https'])('is closed with its call, one for each attempt, over %s', async (protocol) => {
    const server = await silentServer(protocol);
    let made = 0;
    let letGo = 0;
    const body = (): StreamedBody => {
      made++;
      return make(() => letGo++);
    };
    // Enough to connect: a generator that nobody has asked for anything has nothing to let go of.
    const client = noBackoffClient({ baseUrl: server.url, ...server.options, attemptTimeoutMs: 300, timeoutMs: 5_000 });
    expect(await failure(client.put('/a', { body }))).toMatchObject({ code: 'MAC_TIMEOUT' });
    expect(made).toBe(3);
    await vi.waitFor(() => expect(letGo).toBe(3));
    server.close();
  });
});

/** One that takes requests and answers none, over HTTP/1.1 or HTTP/2. */
async function silentServer(protocol: string) {
  const sockets = new Set<Socket>();
  const server =
    protocol === 'http' ? createServer() : createSecureServer({ key: pem('server.key'), cert: pem('server') });
  server.on('connection', (socket: Socket) => sockets.add(socket));
  server.on('request', () => {});
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    url: `${protocol}://localhost:${(server.address() as AddressInfo).port}`,
    options: protocol === 'http' ? {} : { tls: { ca } },
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

test('a stream that is released while it is sent fails instead of ending, so that half of it does not pass for the whole', async () => {
  for (const body of [pieces('half', 'the rest'), webStream('half'), Readable.from(['half', 'the rest'])]) {
    const sending = new OpenStream(body);
    await sending.next();
    sending.release();
    await expect(sending.next()).rejects.toThrow();
    expect(sending.failure).toBeUndefined();
  }
});

describe('a stream of the caller', () => {
  test.each<[string, () => StreamedBody]>([
    ['a Readable', () => Readable.from([Buffer.from('one '), Buffer.from('two')])],
    ['a web stream', () => webStream('one two')],
    ['a generator', () => pieces('one ', 'two')],
  ])('up to 1 MiB is buffered and sent with every attempt: %s', async (_what, make) => {
    await upstream.setFaults([{ fault: resetBeforeHeaders(), when: { requests: [1, 2] } }]);
    await clientFor().put('/a', { body: make() });
    expect(sent()).toEqual(['one two', 'one two', 'one two']);
    expect(upstream.requests[0]?.headers['content-length']).toBe('7');
  });

  test('AC16: (fetch-retry #99: empty bodies sent on retries) a longer one is sent once, and the error says so', async () => {
    await upstream.setFaults([{ fault: respond(503) }]);
    const error = await failure(clientFor().put('/a', { body: long() }));
    expect(error).toMatchObject({
      code: 'MAC_HTTP_STATUS',
      status: 503,
      gaveUp: 'bodyNotReplayable',
      retryable: false,
    });
    expect((error as Error).message).toContain('bodyNotReplayable');
    expect(upstream.requests.map(({ bodyBytes }) => bodyBytes)).toEqual([2_000_000]);
  });

  test('a longer one is not sent again after its attempt timed out', async () => {
    await upstream.setFaults([{ fault: hang() }]);
    const error = await failure(
      clientFor({ attemptTimeoutMs: 200, circuitBreaker: false }).put('/a', { body: long() }),
    );
    expect(error).toMatchObject({ code: 'MAC_TIMEOUT', gaveUp: 'bodyNotReplayable', timeoutMs: 200 });
    expect(upstream.stats().requests).toBeLessThanOrEqual(1);
  });

  test('a longer one is not sent again after a refused connection', async () => {
    const client = clientFor({ baseUrl: 'http://127.0.0.1:1' });
    expect(await failure(client.put('/a', { body: long() }))).toMatchObject({
      code: 'MAC_HTTP_NETWORK',
      gaveUp: 'bodyNotReplayable',
      attempts: [{ attempt: 1 }],
    });
  });

  test('that fails rejects with HttpRequestError, not with a network error', async () => {
    async function* failing(): AsyncGenerator<string> {
      yield Promise.resolve('some');
      throw new Error('disk full');
    }
    const client = clientFor();
    for (const body of [failing(), failing]) {
      const error = await failure(client.put('/a', { body }));
      expect(error).toMatchObject({ code: 'MAC_HTTP_REQUEST', part: 'body', cause: { message: 'disk full' } });
      expect(error).toMatchObject({ attempts: [{ errorCode: 'MAC_HTTP_REQUEST' }] });
    }
  });

  test.each<[string, (failed: Promise<unknown>) => Partial<HttpClientOptions>, 'stream' | 'function']>([
    ['while the connection is opened', () => ({}), 'function'],
    ['while auth is asked', (failed) => ({ auth: { authorize: () => failed.then(() => ({})) } }), 'function'],
    ['while auth is asked', (failed) => ({ auth: { authorize: () => failed.then(() => ({})) } }), 'stream'],
    ['while its turn is awaited', (failed) => ({ pacing: { acquire: () => failed.then(() => turn) } }), 'stream'],
    ['in the queue of the bulkhead', () => ({ bulkhead: { maxConcurrent: 1, maxQueued: 1 } }), 'stream'],
  ])('that fails %s rejects, and does not end the process', async (_what, optionsOf, kind) => {
    let onFailed: () => void = () => {};
    const failed = new Promise<void>((resolve) => (onFailed = resolve));
    const client = clientFor({ ...optionsOf(failed), retry: false });
    const make = () => createReadStream('/nowhere/at-all').once('close', onFailed);
    async function* late(): AsyncGenerator<string> {
      await failed;
      yield 'x';
    }
    const other = client.put('/b', { body: late() });
    const error = await failure(client.put('/a', { body: kind === 'function' ? make : make() }));
    expect(error).toMatchObject({ code: 'MAC_HTTP_REQUEST', part: 'body', cause: { code: 'ENOENT' } });
    await other;
  });

  test('that fails after its attempt timed out is not blamed for the failure of the next attempt', async () => {
    let failFirst: (error: Error) => void = () => {};
    const first = new Promise<string>((_, reject) => (failFirst = reject));
    let requests = 0;
    const server = createServer(({ socket }) => {
      if (++requests === 1) return;
      failFirst(new Error('disk full'));
      socket.destroy();
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const parts = [first, new Promise<string>(() => {})];
    async function* body(): AsyncGenerator<string> {
      const rest = parts.shift() as Promise<string>;
      yield 'part';
      yield await rest;
    }
    const client = noBackoffClient({ baseUrl, attemptTimeoutMs: 300, retry: { maxAttempts: 2 } });
    const error = await failure(client.put('/a', { body }));
    expect(error).toMatchObject({ code: 'MAC_HTTP_NETWORK', attempts: [{ errorCode: 'MAC_TIMEOUT' }, {}] });
    server.close();
  });

  test('is closed after an early redirect that does not keep the body, with the response that is streamed', async () => {
    const server = createServer((request, response) => {
      if (request.url === '/a') response.writeHead(303, { location: '/b' }).end();
      else response.end('done');
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const upload = new Readable({ read() {} });
    upload.push(Buffer.alloc(2_000_000));
    const { body } = await noBackoffClient({ baseUrl }).stream('POST', '/a', { body: () => upload });
    body.resume();
    await vi.waitFor(() => expect(upload.destroyed).toBe(true));
    server.closeAllConnections();
    server.close();
  });

  test.each([200, 404])('is sent on while the response is streamed, which began before its end: %i', async (status) => {
    const server = createServer((request, response) => {
      response.writeHead(status).write('begun, ');
      request.resume().on('end', () => response.end('complete'));
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const client = noBackoffClient({ baseUrl, throwOnStatus: false });
    let finish!: () => void;
    const answered = new Promise<void>((resolve) => (finish = resolve));
    async function* body(): AsyncGenerator<string> {
      yield 'part';
      await answered;
      yield 'rest';
    }
    const response = await client.stream('POST', '/a', { body });
    finish();
    expect(Buffer.concat((await response.body.toArray()) as Buffer[]).toString()).toBe('begun, complete');
    server.close();
  });

  test('that was already read is rejected', async () => {
    const used = Readable.from(['a', 'b']);
    for await (const _ of used) break;
    expect(await failure(clientFor().put('/a', { body: used }))).toMatchObject({ code: 'MAC_INVALID_OPTIONS' });
  });

  test('with chunks that are neither bytes nor text is rejected, and does not count against the server', async () => {
    const client = clientFor({ circuitBreaker: { trip: [consecutiveFailures({ count: 1 })] } });
    for (const body of [Readable.from([{ a: 1 }]), () => Readable.from([{ a: 1 }])]) {
      const error = await failure(client.put('/a', { body }));
      expect(error).toMatchObject({ code: 'MAC_INVALID_OPTIONS', path: 'request.body' });
    }
    expect((await client.get('/a')).status).toBe(200);
  });

  test('that is a truncated response of another server does not count against this server', async () => {
    const source = await startFaultServer({ faults: [{ fault: resetMidBody({ afterBytes: 1 }) }] });
    const other = noBackoffClient({ baseUrl: source.url, retry: false, circuitBreaker: false });
    const client = clientFor({ circuitBreaker: { trip: [consecutiveFailures({ count: 1 })] } });
    for (const wrapped of [false, true]) {
      const { body } = await other.stream('GET', '/export');
      const error = await failure(client.put('/a', { body: wrapped ? () => body : body }));
      expect(error).toMatchObject({ code: 'MAC_HTTP_REQUEST', part: 'body', gaveUp: 'notRetryable' });
      expect(error).toMatchObject({
        url: `${upstream.url}/a`,
        cause: { code: 'MAC_HTTP_NETWORK', attempts: [{ status: 200 }] },
      });
    }
    expect((await client.get('/a')).status).toBe(200);
    await source.close();
  });

  test('that fails with undefined has failed', async () => {
    const failing = () => new WebStream<Uint8Array>({ start: (controller) => controller.error() });
    for (const body of [failing(), failing]) {
      expect(await failure(clientFor().put('/a', { body }))).toMatchObject({ code: 'MAC_HTTP_REQUEST', part: 'body' });
    }
  });

  test('that never ends is closed when the call times out', async () => {
    const silent = new Readable({ read() {} });
    expect(await failure(clientFor({ timeoutMs: 50 }).put('/a', { body: silent }))).toMatchObject({
      code: 'MAC_TIMEOUT',
    });
    expect(silent.destroyed).toBe(true);
  });

  test('is closed when the call ends', async () => {
    let ended = false;
    async function* watched(): AsyncGenerator<string> {
      try {
        yield Promise.resolve('x');
      } finally {
        ended = true;
      }
    }
    await clientFor().put('/a', { body: watched() });
    expect(ended).toBe(true);
  });
});

describe('multipart', () => {
  /** What a server makes of the bytes: the parser of the Fetch standard, so not ours. */
  const parsed = (at: number) => {
    const { headers, bodyText } = upstream.requests[at] as (typeof upstream.requests)[number];
    return new Response(bodyText, { headers: { 'content-type': headers['content-type'] as string } }).formData();
  };

  test('AC17: sends text and files, with a new boundary for each attempt', async () => {
    await upstream.setFaults([{ fault: respond(503), when: { requests: [1, 1] } }]);
    const file = new File(['{"a":1}'], 'a "quoted".json', { type: 'application/json' });
    await clientFor().put('/a', { multipart: { name: 'Zoë', count: 3, tag: ['x', 'y'], gone: undefined, file } });
    for (const at of [0, 1]) {
      const form = await parsed(at);
      expect([...form.keys()]).toEqual(['name', 'count', 'tag', 'tag', 'file']);
      expect([form.get('name'), form.get('count'), form.getAll('tag')]).toEqual(['Zoë', '3', ['x', 'y']]);
      const received = form.get('file') as File;
      expect([received.type, await received.text()]).toEqual(['application/json', '{"a":1}']);
      expect(received.name).toMatch(/^a .*quoted.*\.json$/);
    }
    const [first, second] = upstream.requests.map(({ headers }) => headers['content-type']);
    expect(first).not.toBe(second);
    expect(upstream.requests[0]?.headers['content-length']).toBe(String(upstream.requests[0]?.bodyBytes));
  });

  test('sends a FormData with a file that is read while it is sent', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'macadam-'));
    await writeFile(join(folder, 'a.txt'), 'x'.repeat(200_000));
    const form = new FormData();
    form.append('note', 'line\nbreak');
    form.append('file', (await openAsBlob(join(folder, 'a.txt'))) as never, 'a.txt');
    await clientFor().post('/a', { multipart: form });
    const received = await parsed(0);
    expect(received.get('note')).toBe('line\r\nbreak');
    expect((received.get('file') as File).size).toBe(200_000);
    await clientFor().put('/b', { body: () => createReadStream(join(folder, 'a.txt')) });
    expect(upstream.requests[1]?.bodyBytes).toBe(200_000);
    await rm(folder, { recursive: true });
  });

  test('escapes names, so that they cannot inject headers', async () => {
    await clientFor().post('/a', { multipart: { 'a"\r\nx-evil: 1': 'v' } });
    expect(sent()[0]).not.toContain('\r\nx-evil');
    expect([...(await parsed(0)).keys()]).toHaveLength(1);
  });

  test.each([
    ['an object', { a: {} }],
    ['null', { a: null }],
    ['NaN', { a: Number.NaN }],
  ])('rejects %s, which cannot be encoded', async (_what, multipart) => {
    expect(await failure(clientFor().post('/a', { multipart: multipart as never }))).toMatchObject({
      code: 'MAC_INVALID_OPTIONS',
      path: 'request.multipart.a',
    });
  });
});

test('rejects more than one of json, form, multipart and body', async () => {
  const error = await failure(clientFor().post('/a', { json: 1, multipart: { a: 'x' } }));
  expect(error).toMatchObject({ code: 'MAC_INVALID_OPTIONS', path: 'request.multipart' });
});
