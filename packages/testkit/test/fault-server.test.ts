import { once } from 'node:events';
import { connect } from 'node:net';
import { createGunzip } from 'node:zlib';
import {
  blackHole,
  closeKeepAlive,
  fixed,
  garbage,
  gzipBomb,
  hang,
  latency,
  refuse,
  resetAfterHeaders,
  resetBeforeHeaders,
  resetMidBody,
  respond,
  slow,
  stallMidBody,
  startFaultServer,
  trickle,
  virtualClock,
  wrongContentLength,
  type Fault,
  type FaultServerOptions,
} from '@macadam/testkit';
import { Agent, request } from 'undici';
import { afterEach, describe, expect, test } from 'vitest';

const BODY = 'x'.repeat(1_000);
const opened: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

/** A server and a client with one kept-alive connection to it. */
async function start(options: FaultServerOptions = {}) {
  const upstream = await startFaultServer({ handle: () => ({ text: BODY }), ...options });
  const agent = new Agent({ connections: 1, pipelining: 1 });
  opened.push(
    () => agent.destroy(),
    () => upstream.close(),
  );
  const get = (path = '/', signal?: AbortSignal) =>
    request(upstream.url + path, { dispatcher: agent, ...(signal && { signal }) });
  return { upstream, get };
}

function fail(words: string): never {
  throw new Error(words);
}

/** Returns what the client receives: status and body, or the error and when it occurred. */
async function see(
  call: ReturnType<typeof request>,
): Promise<{ status?: number; body?: string; code?: string; error?: string }> {
  let status: number | undefined;
  try {
    const response = await call;
    status = response.statusCode;
    return { status, body: await response.body.text() };
  } catch (error) {
    const { code, name } = error as NodeJS.ErrnoException;
    return { ...(status !== undefined && { status }), code: String(code), error: name };
  }
}

test('responds with 200 and an echo of the request by default', async () => {
  await using upstream = await startFaultServer();
  const response = await request(`${upstream.url}/a?b=1`, {
    method: 'POST',
    headers: { 'X-Tag': 'seven' },
    body: 'héllo',
  });
  expect(response.statusCode).toBe(200);
  expect(await response.body.json()).toMatchObject({
    method: 'POST',
    path: '/a?b=1',
    headers: { 'x-tag': 'seven' },
    body: 'héllo',
  });
  expect(upstream.url).toBe(`http://127.0.0.1:${upstream.port}`);
});

describe('what a client receives for each fault', () => {
  test.each<[Fault, object]>([
    [latency(fixed(1)), { status: 200, body: BODY }],
    [trickle({ bytesPerChunk: 400, everyMs: 1 }), { status: 200, body: BODY }],
    [respond(503), { status: 503, body: '' }],
    [respond(418, { json: { tea: true } }), { status: 418, body: '{"tea":true}' }],
    [resetBeforeHeaders(), { code: 'ECONNRESET' }],
    [resetAfterHeaders(), { status: 200, code: 'ECONNRESET' }],
    [resetMidBody(), { status: 200, code: 'ECONNRESET' }],
    [resetMidBody({ afterBytes: 0 }), { status: 200, code: 'ECONNRESET' }],
    [resetMidBody({ afterBytes: 5_000 }), { status: 200, code: 'ECONNRESET' }],
    [wrongContentLength({ declared: 1_001 }), { status: 200, code: 'UND_ERR_SOCKET' }],
    [wrongContentLength({ declared: 10 }), { status: 200, body: BODY.slice(0, 10) }],
    [garbage(), { error: 'HTTPParserError' }],
    [garbage('HTTP/9.9 whatever\r\n'), { error: 'HTTPParserError' }],
  ])('$kind', async (fault, expected) => {
    const { upstream, get } = await start({ faults: [{ fault, when: { requests: [1, 1] } }] });
    expect(await see(get())).toMatchObject(expected);
    expect(upstream.requests[0]).toMatchObject({ number: 1, faults: [fault.kind] });
    expect(upstream.stats().faults).toEqual({ [fault.kind]: 1 });
    // The fault applied to the first request only.
    expect(await see(get())).toEqual({ status: 200, body: BODY });
  });

  test.each<[Fault, number]>([
    [hang(), 0],
    [stallMidBody({ afterBytes: 7 }), 7],
    [stallMidBody(), 500],
  ])('$kind: nothing more until the client times out', async (fault, bytesSeen) => {
    const { upstream, get } = await start({ faults: [{ fault, when: { requests: [1, 1] } }] });
    const controller = new AbortController();
    const reason = new Error('gave up');
    let seen = 0;
    const call = get('/', controller.signal).then(async ({ body }) => {
      for await (const chunk of body as AsyncIterable<Buffer>)
        if ((seen += chunk.length) === bytesSeen) controller.abort(reason);
    });
    await upstream.waitForRequests(1);
    if (bytesSeen === 0) controller.abort(reason);
    await expect(call).rejects.toBe(reason);
    await upstream.waitUntil(({ abandoned }) => abandoned === 1);
    expect(upstream.requests[0]).toMatchObject({ outcome: 'abandoned' });
    expect(seen).toBe(bytesSeen);
  });

  test('gzipBomb: a small body that decodes to a large one', async () => {
    const { get } = await start({ faults: [{ fault: gzipBomb({ decodedBytes: 20_000_000 }) }] });
    const { headers, body } = await get();
    expect(headers['content-encoding']).toBe('gzip');
    const gunzip = createGunzip();
    let encoded = 0;
    let decoded = 0;
    gunzip.on('data', (chunk: Buffer) => (decoded += chunk.length));
    for await (const chunk of body as AsyncIterable<Buffer>) {
      encoded += chunk.length;
      gunzip.write(chunk);
    }
    gunzip.end();
    await once(gunzip, 'end');
    expect(decoded).toBe(20_000_000);
    expect(encoded).toBeLessThan(decoded / 900);
  });

  test('closeKeepAlive: answers the first request of a connection, and closes it on the second', async () => {
    const { upstream, get } = await start({ faults: [{ fault: closeKeepAlive() }] });
    expect(await see(get())).toEqual({ status: 200, body: BODY });
    expect(await see(get())).toMatchObject({ code: 'UND_ERR_SOCKET' });
    expect(await see(get())).toEqual({ status: 200, body: BODY });
    expect(upstream.requests.map(({ connection, outcome }) => [connection, outcome])).toEqual([
      [1, 'answered'],
      [1, 'cut'],
      [2, 'answered'],
    ]);
  });

  test('blackHole: reads nothing until the rule is removed, and then answers the request', async () => {
    const { upstream, get } = await start({ faults: [{ fault: blackHole() }] });
    const call = see(get());
    await upstream.waitUntil(({ connections }) => connections === 1);
    expect(upstream.stats()).toMatchObject({ requests: 0, openConnections: 1, faults: { blackHole: 1 } });
    await upstream.setFaults([]);
    expect(await call).toEqual({ status: 200, body: BODY });
  });

  test('blackHole: stops answering on an open connection', async () => {
    const { upstream, get } = await start();
    await see(get());
    await upstream.setFaults([{ fault: blackHole() }]);
    const controller = new AbortController();
    const call = see(get('/', controller.signal));
    await upstream.waitForRequests(2);
    controller.abort();
    expect(await call).toMatchObject({ error: 'AbortError' });
  });

  test('refuse: resets open connections and refuses new ones, until the rule is removed on the same port', async () => {
    const { upstream, get } = await start();
    const { port } = upstream;
    const idle = connect(port, upstream.host);
    await once(idle, 'connect');
    await upstream.waitUntil(({ openConnections }) => openConnections === 1);
    const reset = once(idle, 'error');
    await upstream.setFaults([{ fault: refuse() }]);
    expect((await reset)[0]).toMatchObject({ code: 'ECONNRESET' });
    expect(await see(get())).toMatchObject({ code: 'ECONNREFUSED' });
    await upstream.setFaults([]);
    expect(upstream.port).toBe(port);
    expect(await see(get())).toMatchObject({ status: 200 });
  });

  test('close() ends listening although a change of the faults has not ended', async () => {
    const { upstream, get } = await start();
    const changed = upstream.setFaults([]);
    await upstream.close();
    await changed;
    expect(await see(get())).toMatchObject({ code: 'ECONNREFUSED' });
  });

  test.each([204, 304])('sends no content-length with a %d', async (status) => {
    for (const faults of [[], [{ fault: trickle({ everyMs: 1 }) }]]) {
      const { get } = await start({ handle: () => ({ status }), faults });
      const { headers } = await get();
      expect(headers).not.toHaveProperty('content-length');
    }
  });

  test('several faults of a rule combine to a slow 503', async () => {
    const clock = virtualClock();
    const { upstream, get } = await start({
      clock,
      faults: [{ fault: [slow(2_000), respond(503, { retryAfter: 1 })] }],
    });
    const call = see(get());
    await upstream.waitForRequests(1);
    await clock.advance(1_999);
    expect(upstream.requests[0]).toMatchObject({ faults: ['latency'], outcome: 'open' });
    await clock.advance(1);
    expect(await call).toMatchObject({ status: 503 });
    expect(upstream.requests[0]).toMatchObject({ faults: ['latency', 'respond'] });
  });
});

test.each([
  [2, '2'],
  [1.5, '1.5'],
  [new Date(Date.UTC(2026, 0, 1)), 'Thu, 01 Jan 2026 00:00:00 GMT'],
  ['soon', 'soon'],
])('Retry-After %s', async (retryAfter, header) => {
  const { get } = await start({ faults: [{ fault: respond(429, { retryAfter }) }] });
  expect((await get()).headers['retry-after']).toBe(header);
});

test('trickle sends the headers at once and the body in chunks', async () => {
  const clock = virtualClock();
  const { upstream, get } = await start({ clock, faults: [{ fault: trickle({ bytesPerChunk: 400, everyMs: 50 }) }] });
  const { body, headers } = await get();
  expect(headers['content-length']).toBe('1000');
  const sizes: number[] = [];
  const chunks = (body as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  while (sizes.length < 3) {
    await clock.runUntil(upstream.waitUntil(() => clock.pendingTimers === 1 || sizes.length === 2));
    await clock.advance(50);
    sizes.push(((await chunks.next()).value as Buffer).length);
  }
  expect(sizes).toEqual([400, 400, 200]);
  clock.assertNoTimers();
});

test('a latency in virtual time leaves no timer when the client disconnects first', async () => {
  const clock = virtualClock();
  const { upstream, get } = await start({ clock, faults: [{ fault: slow(60_000) }] });
  const controller = new AbortController();
  const call = see(get('/', controller.signal));
  await upstream.waitForRequests(1);
  expect(clock.pendingTimers).toBe(1);
  controller.abort();
  expect(await call).toMatchObject({ error: 'AbortError' });
  await upstream.waitUntil(({ abandoned }) => abandoned === 1);
  await clock.settle();
  clock.assertNoTimers();
});

describe('rules', () => {
  const statuses = async (get: () => ReturnType<typeof request>, count: number): Promise<number[]> => {
    const seen: number[] = [];
    for (let at = 0; at < count; at++) {
      const { statusCode, body } = await get();
      await body.dump();
      seen.push(statusCode);
    }
    return seen;
  };

  test('count request numbers from when they were set', async () => {
    const { upstream, get } = await start({ faults: [{ fault: respond(503), when: { requests: [2, 3] } }] });
    expect(await statuses(get, 4)).toEqual([200, 503, 503, 200]);
    await upstream.setFaults([{ fault: respond(429), when: { requests: [1, 1] } }]);
    expect(await statuses(get, 2)).toEqual([429, 200]);
  });

  test('count time windows from when they were set, also those of refuse()', async () => {
    const clock = virtualClock();
    const { upstream, get } = await start({ clock });
    await clock.advance(5_000);
    await upstream.setFaults([
      { fault: respond(503), when: { fromMs: 100, toMs: 200 } },
      { fault: refuse(), when: { fromMs: 200, toMs: 300 } },
    ]);
    expect(await statuses(get, 1)).toEqual([200]);
    await clock.advance(100);
    expect(await statuses(get, 1)).toEqual([503]);
    await clock.advance(100);
    expect((await once(connect(upstream.port), 'error'))[0]).toMatchObject({ code: 'ECONNREFUSED' });
    await clock.advance(100);
    await upstream.setFaults([]);
    expect((await request(upstream.url)).statusCode).toBe(200);
    expect(clock.pendingTimers).toBe(0);
  });

  test('select the same requests for the same seed, and others for another one', async () => {
    const run = async (seed: number): Promise<number[]> => {
      const { get } = await start({ seed, faults: [{ fault: respond(503), share: 0.3 }] });
      return statuses(get, 40);
    };
    const [first, again, other] = [await run(7), await run(7), await run(8)];
    expect(first).toEqual(again);
    expect(first).not.toEqual(other);
    expect(new Set(first)).toEqual(new Set([200, 503]));
  });

  test('pass the complete request to a predicate', async () => {
    const { upstream } = await start({
      faults: [{ fault: respond(409), when: ({ bodyText }) => bodyText.includes('twice') }],
    });
    const post = async (body: string) => (await request(upstream.url, { method: 'POST', body })).statusCode;
    expect([await post('once'), await post('twice')]).toEqual([200, 409]);
  });
});

describe('recorded requests', () => {
  test('are kept up to maxRecorded, with bodies up to maxBodyBytes', async () => {
    const { upstream } = await start({ maxRecorded: 2, maxBodyBytes: 4 });
    for (const body of ['one', 'two', 'three'])
      await (await request(upstream.url, { method: 'PUT', body })).body.dump();
    expect(
      upstream.requests.map(({ number, method, bodyText, bodyBytes }) => [number, method, bodyText, bodyBytes]),
    ).toEqual([
      [2, 'PUT', 'two', 3],
      [3, 'PUT', 'thre', 5],
    ]);
    await upstream.waitUntil(({ answered }) => answered === 3);
    expect(upstream.stats()).toMatchObject({ requests: 3, answered: 3, cut: 0, abandoned: 0 });
  });

  test('an error of handle is answered with 500 and its message', async () => {
    const { get } = await start({ handle: () => Promise.reject(new Error('no such place')) });
    expect(await see(get())).toEqual({ status: 500, body: 'handle failed: Error: no such place' });
  });

  test.each([
    ['a string as body', { body: 'x' }, 'Option handle().body is "x"; it must be a Uint8Array; pass a string as text'],
    ['no value', undefined, 'Option handle() is undefined; it must be an object.'],
    ['a bigint', { json: 1n }, 'serialize a BigInt'],
    ['an informational status', { status: 150 }, 'Option handle().status is 150'],
    ['an invalid status', { status: 1_000 }, 'Option handle().status is 1000'],
    ['an unknown option', { data: {} }, 'Option handle().data'],
    ['two bodies', { json: {}, text: 'x' }, 'at most one of json, text and body'],
    ['a line feed in a header', { headers: { x: 'a\nb' } }, 'Option handle().headers.x is a text that is not shown'],
  ])('a result of handle with %s is answered with 500 and the reason', async (_, answer, words) => {
    const { get } = await start({ handle: () => answer as never });
    expect(await see(get())).toEqual({ status: 500, body: expect.stringContaining(words) as string });
  });

  test('a header of handle replaces the default of that name, in any case', async () => {
    const headers = { 'Content-Type': 'application/problem+json', 'Content-Length': '2' };
    const { get } = await start({ handle: () => ({ json: {}, headers }) });
    const response = await get();
    expect(response.headers).toMatchObject({ 'content-type': 'application/problem+json', 'content-length': '2' });
    expect(await response.body.json()).toEqual({});
  });

  test.each<[string, FaultServerOptions['faults']]>([
    ['a predicate', [{ fault: hang(), when: () => fail('bug in the test') }]],
    ['a fault', [{ fault: { ...hang(), apply: () => fail('bug in the test') } }]],
  ])('%s that throws is answered with 500 and its message', async (_, faults) => {
    const { get } = await start({ faults: faults! });
    const body = 'a fault rule failed: Error: bug in the test';
    expect(await see(get())).toEqual({ status: 500, body });
  });

  test('a fault that throws after the response has begun counts the request as cut', async () => {
    const broken: Fault = {
      ...hang(),
      async apply(exchange) {
        exchange.response.writeHead(200, { 'content-length': '10' });
        exchange.response.write('x');
        await exchange.flush();
        return fail('bug in the test');
      },
    };
    const { upstream, get } = await start({ faults: [{ fault: broken }] });
    expect(await see(get())).toMatchObject({ status: 200, code: expect.stringContaining('UND_ERR') as string });
    expect(upstream.requests[0]?.outcome).toBe('cut');
  });

  test('a condition that throws rejects its own waitUntil() only', async () => {
    const { upstream, get } = await start();
    const waiting = upstream.waitUntil(({ requests }) => requests > 0 && fail('bug in the test'));
    const failed = expect(waiting).rejects.toThrow('bug in the test');
    expect(await see(get())).toEqual({ status: 200, body: BODY });
    await failed;
  });

  test('an incomplete request of a client that disconnects is not recorded', async () => {
    const { upstream, get } = await start();
    const socket = connect(upstream.port, upstream.host);
    await once(socket, 'connect');
    socket.write('POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhalf');
    await upstream.waitUntil(({ connections }) => connections === 1);
    socket.resetAndDestroy();
    await upstream.waitUntil(({ openConnections }) => openConnections === 0);
    await see(get());
    expect(upstream.stats()).toMatchObject({ requests: 1, connections: 2 });
  });
});

describe('close', () => {
  test.each<[string, Fault]>([
    ['a request that hangs', hang()],
    ['a request in a black hole', blackHole()],
    ['a request that waits', slow(600_000)],
    ['a body that stalls', stallMidBody()],
  ])('settles with %s open, and breaks its connection', async (_, fault) => {
    const { upstream, get } = await start({ faults: [{ fault }] });
    const call = see(get());
    await upstream.waitUntil(({ faults }) => faults[fault.kind] === 1);
    await upstream.close();
    await upstream.close();
    expect(await call).toMatchObject({ code: expect.stringMatching(/ECONNRESET|UND_ERR_SOCKET/) as string });
    expect(upstream.stats().openConnections).toBe(0);
    expect(await see(get())).toMatchObject({ code: 'ECONNREFUSED' });
  });

  test('rejects pending waits', async () => {
    const { upstream } = await start();
    const waiting = upstream.waitForRequests(1);
    await upstream.close();
    await expect(waiting).rejects.toThrow('closed');
    await expect(upstream.waitForRequests(1)).rejects.toThrow('closed');
  });
});

test.each<[string, object]>([
  ['startFaultServer.handle', { handle: 'hello' }],
  ['startFaultServer.port', { port: 70_000 }],
  ['startFaultServer.clock', { clock: Date }],
  ['startFaultServer.fault', { fault: [] }],
  ['startFaultServer.faults[0].fault', { faults: [{ fault: {} }] }],
  ['startFaultServer.maxRecorded', { maxRecorded: -1 }],
  ['startFaultServer.maxBodyBytes', { maxBodyBytes: 0.5 }],
  ['seededRandom.seed', { seed: 0.5 }],
])('refuses a wrong %s', async (path, options) => {
  await expect(startFaultServer(options)).rejects.toMatchObject({ code: 'MAC_INVALID_OPTIONS', path });
});

test.each<[string, () => Fault]>([
  ['respond.status', () => respond(99)],
  ['respond.retryAfter', () => respond(503, { retryAfter: -1 })],
  ['respond.body', () => respond(200, { body: 'x' as never })],
  ['respond.text', () => respond(200, { text: 5 as never })],
  ['trickle.everyMs', () => trickle({ everyMs: 0 })],
  ['trickle.bytesPerChunk', () => trickle({ bytesPerChunk: 0, everyMs: 1 })],
  ['wrongContentLength.declared', () => wrongContentLength({ declared: -1 })],
  ['resetMidBody.afterBytes', () => resetMidBody({ afterBytes: -1 })],
  ['gzipBomb.decodedBytes', () => gzipBomb({ decodedBytes: 0 })],
  ['latency.distribution', () => latency(200 as never)],
])('refuses a wrong %s', (path, make) => {
  expect(make).toThrow(expect.objectContaining({ path }));
});

test.each([-1, NaN, new Date(NaN)])('refuses an invalid Retry-After and names its unit: %s', (retryAfter) => {
  expect(() => respond(503, { retryAfter })).toThrow('it must be a number of seconds of at least 0');
});

test('throws the error of the system for a port in use', async () => {
  const { upstream } = await start();
  await expect(startFaultServer({ port: upstream.port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
});

test('describes itself', async () => {
  const { upstream } = await start({ faults: [{ fault: hang(), share: 0.5 }] });
  expect(upstream.describe()).toBe(`HTTP server on ${upstream.origin}: never answers for 50 % of requests`);
});

test('accepts any object with the shape of a fault', async () => {
  const teapot: Fault = {
    kind: 'teapot',
    level: 'exchange',
    describe: () => 'is a teapot',
    async apply(exchange) {
      await exchange.send({ ...(await exchange.answer()), status: 418 });
      return 'ended';
    },
  };
  const { get } = await start({ faults: [{ fault: teapot }] });
  expect(await see(get())).toEqual({ status: 418, body: BODY });
});
