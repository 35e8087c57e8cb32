import { randomBytes } from 'node:crypto';
import { getEventListeners, once } from 'node:events';
import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import zlib from 'node:zlib';
import { runWork } from '@macadam/core';
import { virtualClock } from '@macadam/testkit';
import { afterEach, describe, expect, test } from 'vitest';
import { createHttpClient, jsonLines, sse, type HttpClient, type HttpClientOptions } from '../src/index.ts';
import { closeClients, failure, noBackoffClient } from './client-helpers.ts';

let server: Server | undefined;

afterEach(async () => {
  server?.closeAllConnections();
  server?.close();
  server = undefined;
  await closeClients();
});

async function serve(handle: RequestListener): Promise<string> {
  server = createServer(handle).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function clientFor(baseUrl: string, options: Partial<HttpClientOptions> = {}): HttpClient {
  return noBackoffClient({ name: 'export', baseUrl, ...options });
}

async function all<T>(iterable: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const one of iterable) list.push(one);
  return list;
}

async function textOf(body: AsyncIterable<Uint8Array>): Promise<string> {
  return Buffer.concat(await all(body)).toString();
}

describe('stream()', () => {
  test('resolves with the headers, and streams the body', async () => {
    let response!: ServerResponse;
    const url = await serve((_request, answer) => {
      response = answer.writeHead(200, { 'content-type': 'text/plain' });
      response.write('first ');
    });
    const { status, ok, headers, body, attempts } = await clientFor(url).stream('GET', '/export/{id}', {
      params: { id: 1 },
    });
    expect([status, ok, headers.get('content-type'), attempts.length]).toEqual([200, true, 'text/plain', 1]);
    const pieces = body[Symbol.asyncIterator]();
    expect(String((await pieces.next()).value)).toBe('first ');
    response.end('last');
    expect(String((await pieces.next()).value)).toBe('last');
    expect(await pieces.next()).toMatchObject({ done: true });
  });

  test('applies backpressure to a body larger than responseLimits.maxBytes', async () => {
    const total = 64 * 1_048_576;
    let written = 0;
    let full!: () => void;
    const filled = new Promise<void>((resolve) => (full = resolve));
    const url = await serve((_request, answer) => {
      const piece = Buffer.alloc(1_048_576);
      const pump = (): void => {
        while (written < total) {
          written += piece.length;
          if (!answer.write(piece)) {
            full();
            answer.once('drain', pump);
            return;
          }
        }
        answer.end();
      };
      pump();
    });
    const { body } = await clientFor(url).stream('GET', '/a');
    await filled;
    for (let i = 0; i < 50; i++) await nextTurn();
    expect(body.readableLength).toBeLessThan(1_048_576);
    expect(written).toBeLessThan(total / 2);
    let read = 0;
    for await (const piece of body) read += (piece as Buffer).length;
    expect(read).toBe(total);
  });

  test('is retried until the headers arrive, but not afterwards', async () => {
    let requests = 0;
    const url = await serve((_request, answer) => {
      if (++requests < 3) answer.writeHead(503).end('busy');
      else {
        answer.writeHead(200, { 'content-length': '10' }).write('half');
        setImmediate(() => answer.destroy());
      }
    });
    const { body, attempts } = await clientFor(url).stream('GET', '/a');
    expect(attempts.map(({ status }) => status)).toEqual([503, 503, 200]);
    expect(await failure(textOf(body))).toMatchObject({
      code: 'MAC_HTTP_NETWORK',
      phase: 'response',
      retryable: false,
    });
    expect(requests).toBe(3);
  });

  test('a status outside 2xx is an error with its body, or streamed with throwOnStatus: false', async () => {
    const url = await serve((_request, answer) => answer.writeHead(404).end('x'.repeat(300_000)));
    const client = clientFor(url);
    const error = (await failure(client.stream('GET', '/a'))) as { status: number; response: { text(): string } };
    expect([error.status, error.response.text().length]).toEqual([404, 65_536]);
    const { status, ok, body } = await client.stream('GET', '/a', { throwOnStatus: false });
    expect([status, ok, (await textOf(body)).length]).toEqual([404, false, 300_000]);
  });

  test('a status that exhausts its retries counts for the circuit breaker, and has its body', async () => {
    const url = await serve((_request, answer) => answer.writeHead(503).end('busy'));
    const client = clientFor(url);
    const { status, body, attempts } = await client.stream('GET', '/a', { throwOnStatus: false });
    expect([status, await textOf(body), attempts.length]).toEqual([503, 'busy', 3]);
    await failure(client.stream('GET', '/a'));
    expect(await failure(client.stream('GET', '/a'))).toMatchObject({ code: 'MAC_CIRCUIT_OPEN' });
  });

  test.each([
    ['an empty one', 200, 'GET'],
    ['204', 204, 'GET'],
    ['HEAD', 200, 'HEAD'],
  ])('a response without a body ends at once: %s', async (_what, status, method) => {
    const url = await serve((_request, answer) => answer.writeHead(status, { 'content-encoding': 'gzip' }).end());
    expect(await textOf((await clientFor(url).stream(method, '/a')).body)).toBe('');
  });

  test.each([
    ['gzip', zlib.gzipSync],
    ['deflate', zlib.deflateSync],
    ['deflate', zlib.deflateRawSync],
    ['br', zlib.brotliCompressSync],
    ['zstd', zlib.zstdCompressSync],
    ['gzip, br', (data: Buffer) => zlib.brotliCompressSync(zlib.gzipSync(data))],
  ])('decodes %s', async (encoding, encode) => {
    const text = 'Zoë '.repeat(100_000);
    const wire = encode(Buffer.from(text));
    const url = await serve((_request, answer) => answer.writeHead(200, { 'content-encoding': encoding }).end(wire));
    const client = clientFor(url);
    expect((await textOf((await client.stream('GET', '/a')).body)) === text).toBe(true);
    const raw = await client.stream('GET', '/a', { decompress: false });
    expect(Buffer.concat(await all(raw.body)).equals(wire)).toBe(true);
  });

  test('zstd in more than 1,000 frames is decoded, unless they decode to nearly nothing', async () => {
    const repeated = (text: string): Buffer => {
      const frame = zlib.zstdCompressSync(text);
      return Buffer.concat(Array.from({ length: 1_500 }, () => frame));
    };
    const event = `data: ${'x'.repeat(80)}\n\n`;
    const url = await serve((request, response) => {
      response.writeHead(200, { 'content-encoding': 'zstd' }).end(repeated(request.url === '/events' ? event : ''));
    });
    const client = clientFor(url);
    expect(await all(sse((await client.stream('GET', '/events')).body))).toHaveLength(1_500);
    expect(await failure(textOf((await client.stream('GET', '/empty')).body))).toMatchObject({
      code: 'MAC_HTTP_DECODE',
      reason: 'encoding',
      message: expect.stringContaining(
        'has more zstd frames than allowed: 1000 frames, and one more for every 64 decoded bytes',
      ),
    });
  });

  test('a body that does not match its content encoding fails', async () => {
    const url = await serve((request, answer) => {
      const encoding = request.url === '/unknown' ? 'compress' : request.url === '/many' ? 'gzip, gzip, gzip' : 'gzip';
      answer.writeHead(200, { 'content-encoding': encoding }).end('this is not gzip');
    });
    const client = clientFor(url);
    const { body } = await client.stream('GET', '/corrupt');
    expect(await failure(textOf(body))).toMatchObject({ code: 'MAC_HTTP_DECODE', reason: 'encoding' });
    for (const path of ['/unknown', '/many']) {
      expect(await failure(client.stream('GET', path))).toMatchObject({ code: 'MAC_HTTP_DECODE', reason: 'encoding' });
    }
  });

  test.each([
    ['gzip', zlib.gzipSync],
    ['deflate', zlib.deflateSync],
    ['br', zlib.brotliCompressSync],
  ] as const)('releases its connection when bytes follow a complete body in %s', async (encoding, pack) => {
    let closed!: Promise<unknown>;
    const url = await serve(({ socket }, answer) => {
      closed = once(socket, 'close');
      answer.writeHead(200, { 'content-encoding': encoding }).write(Buffer.concat([pack('whole'), Buffer.alloc(15)]));
    });
    const { body } = await clientFor(url).stream('GET', '/a');
    await closed;
    expect(await textOf(body)).toBe('whole');
  });

  test('AC39: maxBytes stops a decompression bomb', async () => {
    const bomb = zlib.gzipSync(Buffer.alloc(100 * 1_048_576));
    const url = await serve((_request, answer) => answer.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb));
    const { body } = await clientFor(url).stream('GET', '/a', { maxBytes: 1_048_576 });
    let read = 0;
    const error = await failure(
      (async () => {
        for await (const piece of body) read += (piece as Buffer).length;
      })(),
    );
    expect(error).toMatchObject({ code: 'MAC_HTTP_RESPONSE_TOO_LARGE', limit: 'maxBytes', allowed: 1_048_576 });
    expect(read).toBeLessThanOrEqual(1_048_576);
  });

  test('a reader that stops early drops the connection only', async () => {
    let closed!: () => void;
    const gone = new Promise<void>((resolve) => (closed = resolve));
    const url = await serve((request, answer) => {
      if (request.url === '/short') answer.end('short');
      else {
        answer.on('close', closed);
        answer.write('x'.repeat(100));
      }
    });
    const client = clientFor(url);
    const { body } = await client.stream('GET', '/long');
    for await (const _ of body) break;
    await gone;
    expect((await client.get('/short')).text()).toBe('short');
  });

  test('the signal of the call cancels the body, and has no listener after the end', async () => {
    const url = await serve((request, answer) => {
      answer.write('begun');
      if (request.url === '/ends') answer.end();
    });
    const client = clientFor(url);
    const controller = new AbortController();
    let listeners = 0;
    const { signal } = controller;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = ((...args: Parameters<typeof add>) => (listeners++, add(...args))) as typeof add;
    signal.removeEventListener = ((...args: Parameters<typeof remove>) => (
      listeners--,
      remove(...args)
    )) as typeof remove;
    await textOf((await client.stream('GET', '/ends', { signal })).body);
    expect(listeners).toBe(0);
    const { body } = await client.stream('GET', '/hangs', { signal });
    const reason = new Error('enough');
    const reading = failure(textOf(body));
    controller.abort(reason);
    expect(await reading).toBe(reason);
  });

  test('sends its request body while the response is read', async () => {
    const url = await serve((request, answer) => {
      answer.writeHead(200);
      request.pipe(answer);
    });
    let send!: (text: string) => void;
    async function* upload(): AsyncGenerator<string> {
      yield 'one ';
      yield await new Promise<string>((resolve) => (send = resolve));
    }
    const { body } = await clientFor(url).stream('POST', '/echo', { body: upload });
    const pieces = body[Symbol.asyncIterator]();
    expect(String((await pieces.next()).value)).toBe('one ');
    send('two');
    expect(String((await pieces.next()).value)).toBe('two');
    expect((await pieces.next()).done).toBe(true);
  });

  test('sse() and jsonLines() parse the body', async () => {
    const url = await serve((request, answer) =>
      answer.end(request.url === '/sse' ? 'data: 1\n\ndata: 2\n\n' : '{"a":1}\n{"a":2}\n'),
    );
    const client = clientFor(url);
    const events = await all(sse((await client.stream('GET', '/sse')).body));
    expect(events.map(({ data }) => data)).toEqual(['1', '2']);
    expect(await all(jsonLines((await client.stream('GET', '/lines')).body))).toEqual([{ a: 1 }, { a: 2 }]);
  });

  test.each([
    ['idleTimeoutMs', { idleTimeoutMs: 0 }],
    ['unreadTimeoutMs', { unreadTimeoutMs: -1 }],
    ['maxBytes', { maxBytes: 0.5 }],
    ['decompress', { decompress: 1 }],
    ['request.shema', { shema: 1 }],
    ['did you mean idleTimeoutMs', { idleTimeout: 1 }],
    ['request is null', null],
    ['request is 5', 5],
  ])('rejects a wrong %s', async (name, options) => {
    const error = await failure(clientFor('http://127.0.0.1:1').stream('GET', '/a', options as object));
    expect(error).toMatchObject({ code: 'MAC_INVALID_OPTIONS' });
    expect((error as Error).message).toContain(name);
  });
});

describe('in virtual time', () => {
  interface Wire {
    onResponseStart(controller: unknown, status: number, headers: object, text: string): void;
    onResponseData(controller: unknown, chunk: Uint8Array): void;
    onResponseEnd(controller: unknown, trailers: object): void;
  }

  /** A transport whose answer the test gives by hand. */
  function byHand(options: Partial<HttpClientOptions> = {}) {
    const clock = virtualClock();
    const wire = { handler: undefined as unknown as Wire, paused: 0, resumed: 0, aborted: undefined as unknown };
    const controller = {
      pause: () => wire.paused++,
      resume: () => wire.resumed++,
      abort: (reason: unknown) => (wire.aborted = reason),
    };
    const dispatcher = {
      dispatch(_options: unknown, handler: Wire & { onRequestStart(c: unknown, x: unknown): void }) {
        wire.handler = handler;
        handler.onRequestStart(controller, null);
        return true;
      },
    };
    const client = createHttpClient({
      baseUrl: 'http://export.internal',
      clock,
      dispatcher: dispatcher as never,
      ...options,
    });
    const answered = async <T>(call: Promise<T>, headers: object): Promise<T> => {
      await Promise.resolve();
      wire.handler.onResponseStart(controller, 200, headers, 'OK');
      return call;
    };
    const open = (streamOptions = {}, headers = {}) => answered(client.stream('GET', '/a', streamOptions), headers);
    const fetched = (headers = {}) => answered(client.fetch('/a'), headers);
    const write = (chunk: Uint8Array) => wire.handler.onResponseData(controller, chunk);
    const send = (bytes: number) => write(Buffer.alloc(bytes));
    const end = () => wire.handler.onResponseEnd(controller, {});
    return { clock, wire, open, fetched, write, send, end };
  }

  test('AC29: (failsafe-go #123) the time limits of attempt and call do not apply to the body', async () => {
    const { clock, open, send, end } = byHand({ timeoutMs: 100, attemptTimeoutMs: 50 });
    const { body } = await runWork({ timeoutMs: 80, clock }, () => open());
    await clock.advance(5_000);
    send(10);
    const reading = all(body);
    await clock.advance(5_000);
    end();
    expect(Buffer.concat(await reading)).toHaveLength(10);
    clock.assertNoTimers();
  });

  test('a server that stops sending ends the body after idleTimeoutMs', async () => {
    const { clock, wire, open, send } = byHand();
    const { body } = await open({ idleTimeoutMs: 1_000 });
    const reading = failure(all(body));
    await clock.advance(900);
    send(10);
    await clock.advance(900);
    expect(body.destroyed).toBe(false);
    await clock.advance(200);
    const error = await reading;
    expect(error).toMatchObject({ code: 'MAC_TIMEOUT', timeoutMs: 1_000, retryable: false });
    expect((error as Error).message).toContain('silent');
    // With another code the transport may fail other requests with this one's reason.
    expect(wire.aborted).toMatchObject({ code: 'UND_ERR_INFO', cause: error });
    clock.assertNoTimers();
  });

  const EVENTS = { 'content-type': 'text/event-stream; charset=utf-8' };
  test.each<[string, Partial<HttpClientOptions>, object, object, number]>([
    ['10 s', {}, {}, {}, 10_000],
    ['60 s for events, which may be rare', {}, {}, EVENTS, 60_000],
    ['the limit of the client', { streams: { idleTimeoutMs: 120_000 } }, {}, EVENTS, 120_000],
    ['the limit of the call', { streams: { idleTimeoutMs: 120_000 } }, { idleTimeoutMs: 5_000 }, EVENTS, 5_000],
  ])('a server may send nothing for %s', async (_what, client, call, headers, limitMs) => {
    const { clock, open, send } = byHand(client);
    const { body } = await open(call, headers);
    send(10);
    await clock.advance(limitMs - 1);
    expect(body.destroyed).toBe(false);
    await clock.advance(1);
    expect(body.errored).toMatchObject({ code: 'MAC_TIMEOUT', timeoutMs: limitMs });
  });

  test('fetch applies the stream limits of the client', async () => {
    const { clock, fetched, send } = byHand({ streams: { idleTimeoutMs: Infinity, unreadTimeoutMs: 5_000 } });
    const { body } = await fetched(EVENTS);
    const reader = (body as ReadableStream<Uint8Array>).getReader();
    const first = reader.read();
    await clock.advance(3_600_000);
    send(10);
    expect((await first).value).toHaveLength(10);
    send(200_000);
    await clock.advance(10_000);
    expect(await failure(reader.read())).toMatchObject({ code: 'MAC_TIMEOUT', timeoutMs: 5_000 });
  });

  test('a body that is not read ends after unreadTimeoutMs, without an unhandled error', async () => {
    const { clock, wire, open, send } = byHand();
    const { body } = await open({ unreadTimeoutMs: 5_000, idleTimeoutMs: 1_000 });
    send(200_000);
    expect(wire.paused).toBe(1);
    await clock.advance(4_500);
    expect(body.destroyed).toBe(false);
    await clock.advance(1_500);
    expect(body.destroyed).toBe(true);
    expect(body.errored).toMatchObject({ code: 'MAC_TIMEOUT', timeoutMs: 5_000 });
    expect(wire.aborted).toBeDefined();
    clock.assertNoTimers();
  });

  test('a received body that is not read out of its decoder ends after unreadTimeoutMs', async () => {
    const small = zlib.gzipSync(Buffer.alloc(500_000));
    const url = await serve((_request, answer) => answer.writeHead(200, { 'content-encoding': 'gzip' }).end(small));
    const { signal } = new AbortController();
    const options = { unreadTimeoutMs: 20, idleTimeoutMs: 60_000, signal };
    const { body } = await clientFor(url).stream('GET', '/', options);
    if (!body.closed) await new Promise((resolve) => body.once('close', resolve));
    expect(body.errored).toMatchObject({ code: 'MAC_TIMEOUT', timeoutMs: 20 });
    expect((body.errored as Error).message).toContain('unread');
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });

  test.each([
    ['is paused', { unreadTimeoutMs: 1_000 }, randomBytes(1_000_000), 1],
    ['sends nothing', { idleTimeoutMs: 1_000 }, Buffer.alloc(1_000_000), 0],
  ])('a reader of a compressed body may take its time while the server %s', async (_what, limits, bytes, paused) => {
    const { clock, wire, open, write, end } = byHand();
    const { body } = await open(limits, { 'content-encoding': 'gzip' });
    write(zlib.gzipSync(bytes));
    expect(wire.paused).toBe(paused);
    let read = 0;
    for await (const piece of body) {
      read += (piece as Buffer).length;
      await clock.advance(500);
      if (read === bytes.length) end();
    }
    expect(read).toBe(bytes.length);
  });

  test('unreadTimeoutMs applies when it is shorter than idleTimeoutMs', async () => {
    const { clock, open, send } = byHand();
    const { body } = await open({ unreadTimeoutMs: 200, idleTimeoutMs: 10_000 });
    send(200_000);
    await clock.advance(500);
    expect(body.errored).toMatchObject({ code: 'MAC_TIMEOUT', timeoutMs: 200 });
  });

  test('the error of a body has the attempts of its call', async () => {
    const { clock, open, send } = byHand();
    const { body, attempts } = await open({ idleTimeoutMs: 1_000 });
    send(10);
    await clock.advance(2_000);
    expect(attempts).toHaveLength(1);
    expect(body.errored).toMatchObject({ attempts });
  });

  test('a small body that is not read holds no listener on the signal', async () => {
    const { open, send, end } = byHand();
    const { signal } = new AbortController();
    await open({ signal });
    send(100);
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    end();
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });

  test('a small body that is not read holds neither timer nor connection', async () => {
    const { clock, open, send, end } = byHand();
    await open();
    send(100);
    end();
    clock.assertNoTimers();
  });

  test('a slow reader does not cause idleTimeoutMs', async () => {
    const { clock, wire, open, send, end } = byHand();
    const { body } = await open({ idleTimeoutMs: 1_000, unreadTimeoutMs: 60_000 });
    const pieces = body[Symbol.asyncIterator]();
    for (let i = 0; i < 5; i++) {
      send(200_000);
      await clock.advance(30_000);
      expect((await pieces.next()).value).toHaveLength(200_000);
    }
    expect(wire.resumed).toBeGreaterThan(0);
    end();
    expect((await pieces.next()).done).toBe(true);
    clock.assertNoTimers();
  });
});
