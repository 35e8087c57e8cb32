import { EventEmitter, once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { fixed, startFaultProxy, uniform, virtualClock, type FaultProxyOptions } from '@macadam/testkit';
import { afterEach, describe, expect, test } from 'vitest';

const opened: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

/** An echo server, with its open sockets. */
async function startEcho() {
  const sockets: Socket[] = [];
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  opened.push(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { sockets, server, port: (server.address() as AddressInfo).port };
}

async function start(options: Partial<FaultProxyOptions> = {}) {
  const echo = await startEcho();
  const proxy = await startFaultProxy({ target: { host: '127.0.0.1', port: echo.port }, ...options });
  opened.push(() => proxy.close());
  return { echo, proxy };
}

const closing = (socket: Socket): Promise<string> =>
  new Promise((resolve) => socket.once('close', (hadError) => resolve(hadError ? 'with an error' : 'in good order')));

/** A client that records what it receives and how its connection ends. */
async function dial(port: number) {
  const socket = connect(port, '127.0.0.1');
  const changes = new EventEmitter();
  const client = {
    socket,
    received: '',
    ended: undefined as string | undefined,
    /** Resolves when this many bytes have been received. */
    has: async (bytes: number): Promise<string> => {
      while (client.received.length < bytes && client.ended === undefined) await once(changes, 'change');
      return client.received;
    },
    end: async (): Promise<string | undefined> => {
      while (client.ended === undefined) await once(changes, 'change');
      return client.ended;
    },
  };
  let code: string | undefined;
  socket.on('data', (bytes) => {
    client.received += bytes.toString();
    changes.emit('change');
  });
  socket.on('error', (error: NodeJS.ErrnoException) => (code = error.code));
  socket.on('close', () => {
    client.ended = code ?? 'closed';
    changes.emit('change');
  });
  opened.push(() => socket.destroy());
  await new Promise((resolve) => socket.once('connect', resolve).once('close', resolve));
  return client;
}

describe('a healthy link', () => {
  test('forwards bytes in both directions, also more than its capacity', async () => {
    const { proxy } = await start();
    const client = await dial(proxy.port);
    const text = 'abcdefgh'.repeat(250_000);
    client.socket.write(text);
    expect((await client.has(text.length)) === text).toBe(true);
    expect(proxy.stats()).toEqual({
      connections: 1,
      openConnections: 1,
      bytesToTarget: 2_000_000,
      bytesToClient: 2_000_000,
      bytesUnderWay: 0,
      bytesSwallowed: 0,
    });
  });

  test('forwards a FIN, and keeps forwarding in the other direction', async () => {
    const { echo, proxy } = await start();
    const client = await dial(proxy.port);
    client.socket.end('last words');
    expect(await client.end()).toBe('closed');
    expect(client.received).toBe('last words');
    await proxy.waitUntil(({ openConnections }) => openConnections === 0);
    expect(echo.sockets).toHaveLength(1);
  });

  test('resets the client when the target resets the connection', async () => {
    const { echo, proxy } = await start();
    const client = await dial(proxy.port);
    client.socket.write('a');
    await client.has(1);
    echo.sockets[0]!.resetAndDestroy();
    expect(await client.end()).toBe('ECONNRESET');
  });

  test('resets the target when the client resets the connection', async () => {
    const { echo, proxy } = await start();
    const client = await dial(proxy.port);
    client.socket.write('a');
    await client.has(1);
    const closed = closing(echo.sockets[0]!);
    client.socket.resetAndDestroy();
    expect(await closed).toBe('with an error');
  });

  test('resets the client when the target refuses the connection', async () => {
    const { echo, proxy } = await start();
    echo.server.close();
    await once(echo.server, 'close');
    expect(await (await dial(proxy.port)).end()).toBe('ECONNRESET');
  });
});

test('stops reading from a client while the target does not read', async () => {
  const { echo, proxy } = await start();
  const client = await dial(proxy.port);
  client.socket.write('a');
  await client.has(1);
  echo.sockets[0]!.unpipe().pause();
  const bytes = 67_108_864;
  client.socket.write(Buffer.alloc(bytes));
  for (let quiet = 0, passed = 0; quiet < 200; quiet++) {
    await turn();
    if (proxy.stats().bytesToTarget !== passed) quiet = 0;
    passed = proxy.stats().bytesToTarget;
  }
  // The buffers of the kernel hold a few megabytes.
  expect(proxy.stats().bytesToTarget).toBeLessThan(bytes / 2);
  echo.sockets[0]!.resume();
  await proxy.waitUntil(({ bytesToTarget }) => bytesToTarget === bytes + 1);
});

describe('latency', () => {
  test('delivers the last bytes of a target that has closed in the meantime', async () => {
    const clock = virtualClock();
    const { echo, proxy } = await start({ clock, conditions: { latency: { toClient: fixed(30) } } });
    const client = await dial(proxy.port);
    client.socket.end('bye');
    await proxy.waitUntil(({ bytesUnderWay }) => bytesUnderWay === 3);
    if (!echo.sockets[0]!.closed) await closing(echo.sockets[0]!);
    await turn();
    await clock.advance(30);
    expect(await client.end()).toBe('closed');
    expect(client.received).toBe('bye');
  });

  test('delays each direction by its own latency, in virtual time', async () => {
    const clock = virtualClock();
    const { proxy } = await start({ clock, conditions: { latency: { toTarget: fixed(30), toClient: fixed(5) } } });
    const client = await dial(proxy.port);
    client.socket.write('ping');
    await proxy.waitUntil(({ bytesUnderWay }) => bytesUnderWay === 4);
    await clock.advance(29);
    expect(proxy.stats().bytesToTarget).toBe(0);
    await clock.advance(1);
    expect(proxy.stats().bytesToTarget).toBe(4);
    await proxy.waitUntil(({ bytesUnderWay }) => bytesUnderWay === 4);
    await clock.advance(4);
    expect(proxy.stats().bytesToClient).toBe(0);
    await clock.advance(1);
    expect(await client.has(4)).toBe('ping');
  });

  test('keeps the order of bytes when a later one has less latency', async () => {
    const draws = [90, 10, 50, 0];
    const latency = { sample: () => draws.shift() ?? 0, describe: () => 'scripted' };
    const clock = virtualClock();
    const { proxy } = await start({ clock, conditions: { latency: { toTarget: latency } } });
    const client = await dial(proxy.port);
    for (const [at, letter] of ['a', 'b', 'c', 'd'].entries()) {
      client.socket.write(letter);
      // Each letter has reached the proxy, which has drawn its latency, before the next one is sent.
      await proxy.waitUntil(({ bytesUnderWay }) => bytesUnderWay === at + 1);
    }
    await clock.advance(90);
    expect(await client.has(4)).toBe('abcd');
  });

  test('is the same for the same seed', async () => {
    const delays = async (seed: number): Promise<number> => {
      const clock = virtualClock();
      const { proxy } = await start({ clock, seed, conditions: { latency: { toTarget: uniform(0, 1_000) } } });
      const client = await dial(proxy.port);
      client.socket.write('ping');
      await proxy.waitUntil(({ bytesUnderWay }) => bytesUnderWay === 4);
      await clock.advanceToNext();
      return clock.monotonic();
    };
    const [first, again, other] = [await delays(7), await delays(7), await delays(8)];
    expect(first).toBe(again);
    expect(first).not.toBe(other);
  });
});

test('delivers a limited bandwidth in slices over time', async () => {
  const clock = virtualClock();
  const { proxy } = await start({ clock });
  await proxy.set({ bytesPerSecond: 1_000 });
  const client = await dial(proxy.port);
  client.socket.write('x'.repeat(500));
  await proxy.waitUntil(({ bytesUnderWay }) => bytesUnderWay === 500);
  const passed: number[] = [];
  for (let step = 0; step < 5; step++) {
    await clock.advance(100);
    passed.push(proxy.stats().bytesToTarget);
  }
  expect(passed).toEqual([100, 200, 300, 400, 500]);
});

describe('blackHole', () => {
  test('holds bytes back with open sockets, and forwards them when healed', async () => {
    const { echo, proxy } = await start();
    const client = await dial(proxy.port);
    client.socket.write('a');
    await client.has(1);
    await proxy.set({ link: 'blackHole' });
    client.socket.write('bc');
    const late = await dial(proxy.port);
    late.socket.write('new');
    await proxy.waitUntil(({ connections }) => connections === 2);
    // After a round trip that bypasses the proxy, these bytes would have arrived if the proxy had forwarded them.
    const direct = await dial(echo.port);
    direct.socket.write('direct');
    await direct.has(6);
    expect([client.received, late.received, proxy.stats().bytesToTarget]).toEqual(['a', '', 1]);
    await proxy.heal();
    expect(await client.has(3)).toBe('abc');
    expect(await late.has(3)).toBe('new');
  });
});

test('a black hole also holds back bytes under way', async () => {
  const clock = virtualClock();
  const { proxy } = await start({ clock, conditions: { latency: { toTarget: fixed(30) } } });
  const client = await dial(proxy.port);
  client.socket.write('ping');
  await proxy.waitUntil(({ bytesUnderWay }) => bytesUnderWay === 4);
  await proxy.set({ link: 'blackHole' });
  await clock.advance(1_000);
  expect(proxy.stats()).toMatchObject({ bytesToTarget: 0, bytesUnderWay: 4 });
  await proxy.heal();
  expect(await client.has(4)).toBe('ping');
});

describe('halfOpen', () => {
  test('closes the connection when the client disconnects', async () => {
    const { proxy } = await start({ conditions: { link: 'halfOpen' } });
    const client = await dial(proxy.port);
    client.socket.end();
    await client.end();
    await proxy.waitUntil(({ connections, openConnections }) => connections === 1 && openConnections === 0);
  });

  test('closes the side of the target only, and resets the client when it sends on a healed link', async () => {
    const { echo, proxy } = await start();
    const client = await dial(proxy.port);
    client.socket.write('a');
    await client.has(1);
    const gone = closing(echo.sockets[0]!);
    await proxy.set({ link: 'halfOpen' });
    expect(await gone).toBe('in good order');
    expect([client.ended, client.socket.readyState, proxy.stats().openConnections]).toEqual([undefined, 'open', 1]);
    await proxy.heal();
    expect(client.ended).toBeUndefined();
    client.socket.write('b');
    expect(await client.end()).toBe('ECONNRESET');
    expect(client.received).toBe('a');
  });

  test('resets a client that has sent bytes in the meantime as soon as the link is healed', async () => {
    const { proxy } = await start();
    await proxy.set({ link: 'halfOpen' });
    const client = await dial(proxy.port);
    await proxy.waitUntil(({ connections }) => connections === 1);
    client.socket.write('lost');
    await proxy.waitUntil(({ bytesSwallowed }) => bytesSwallowed === 4);
    await proxy.heal();
    expect(await client.end()).toBe('ECONNRESET');
    const fresh = await dial(proxy.port);
    fresh.socket.write('a');
    expect(await fresh.has(1)).toBe('a');
  });
});

test('reset resets open and new connections', async () => {
  const { echo, proxy } = await start();
  const client = await dial(proxy.port);
  client.socket.write('a');
  await client.has(1);
  const target = closing(echo.sockets[0]!);
  await proxy.set({ link: 'reset' });
  expect(await client.end()).toBe('ECONNRESET');
  expect(await target).toBe('with an error');
  expect(await (await dial(proxy.port)).end()).toBe('ECONNRESET');
});

test('resetConnections resets open connections, once', async () => {
  const { proxy } = await start();
  const client = await dial(proxy.port);
  client.socket.write('a');
  await client.has(1);
  proxy.resetConnections();
  expect(await client.end()).toBe('ECONNRESET');
  const next = await dial(proxy.port);
  next.socket.write('b');
  expect(await next.has(1)).toBe('b');
});

test('refuse lets the kernel refuse connections, and heal listens on the same port', async () => {
  const { proxy } = await start({ conditions: { link: 'refuse' } });
  const { port } = proxy;
  expect(await (await dial(port)).end()).toBe('ECONNREFUSED');
  await proxy.heal();
  expect(proxy.port).toBe(port);
  const client = await dial(port);
  client.socket.write('a');
  expect(await client.has(1)).toBe('a');
  await proxy.set({ link: 'refuse' });
  expect(await client.end()).toBe('ECONNRESET');
});

test('the last of several changes wins, also without waiting for the one before', async () => {
  const { proxy } = await start();
  await Promise.all([proxy.set({ latency: fixed(5) }), proxy.set({ link: 'refuse' })]);
  expect(await (await dial(proxy.port)).end()).toBe('ECONNREFUSED');
  await Promise.all([proxy.heal(), proxy.set({ link: 'refuse' }), proxy.heal()]);
  const client = await dial(proxy.port);
  client.socket.write('a');
  expect(await client.has(1)).toBe('a');
});

test('an error for a wrong target does not show its password', async () => {
  for (const target of ['redis://:canary@localhost:port', 'user:canary']) {
    await expect(startFaultProxy({ target })).rejects.toThrow(/^(?!.*canary)/);
  }
});

test.each(['up', 'blackHole', 'halfOpen'] as const)(
  'close settles with connections open on a link that is %s',
  async (link) => {
    const clock = virtualClock();
    const { proxy } = await start({ clock, conditions: { latency: fixed(60_000) } });
    const client = await dial(proxy.port);
    client.socket.write('under way');
    await proxy.waitUntil(({ bytesUnderWay }) => bytesUnderWay === 9);
    await proxy.set({ link, latency: fixed(60_000) });
    const waiting = proxy.waitUntil(() => false);
    await proxy.close();
    await proxy.close();
    await expect(waiting).rejects.toThrow('closed');
    expect(await client.end()).toBe('ECONNRESET');
    expect(proxy.stats().openConnections).toBe(0);
    clock.assertNoTimers();
  },
);

test('url is the URL of the target with the host and port of the proxy', async () => {
  const urls = [
    'redis://user:secret@cache.internal:7000/2',
    new URL('redis://cache.internal'),
    'http://127.0.0.1:7000',
    'http://127.0.0.1:7000/api/',
    { host: '::1', port: 5 },
  ].map(async (target) => {
    await using proxy = await startFaultProxy({ target });
    return [proxy.url.replace(String(proxy.port), 'PORT'), proxy.describe().replace(String(proxy.port), 'PORT')];
  });
  expect(await Promise.all(urls)).toEqual([
    ['redis://user:secret@127.0.0.1:PORT/2', 'TCP proxy on 127.0.0.1:PORT to cache.internal:7000: link up'],
    ['redis://127.0.0.1:PORT', 'TCP proxy on 127.0.0.1:PORT to cache.internal:6379: link up'],
    ['http://127.0.0.1:PORT', 'TCP proxy on 127.0.0.1:PORT to 127.0.0.1:7000: link up'],
    ['http://127.0.0.1:PORT/api/', 'TCP proxy on 127.0.0.1:PORT to 127.0.0.1:7000: link up'],
    ['tcp://127.0.0.1:PORT', 'TCP proxy on 127.0.0.1:PORT to ::1:5: link up'],
  ]);
});

test('describes its target and conditions', async () => {
  const { proxy } = await start();
  await proxy.set({ latency: fixed(20), bytesPerSecond: 1_000, link: 'blackHole' });
  expect(proxy.describe()).toMatch(/: link blackHole, 20 ms to the target, 20 ms to the client, 1000 bytes a second$/);
});

test.each<[string, object]>([
  ['startFaultProxy.target', {}],
  ['startFaultProxy.target', { target: 'localhost' }],
  ['startFaultProxy.target', { target: 'tcp://localhost' }],
  ['startFaultProxy.target.host', { target: { hostname: 'localhost', port: 6_379 } }],
  ['startFaultProxy.target.port', { target: { host: 'localhost' } }],
  ['startFaultProxy.clock', { target: 'redis://a', clock: Date }],
  ['startFaultProxy.port', { target: 'redis://a', port: -1 }],
  ['startFaultProxy.link', { target: 'redis://a', link: 'up' }],
  ['startFaultProxy.conditions.link', { target: 'redis://a', conditions: { link: 'down' } }],
  ['startFaultProxy.conditions.bytesPerSecond', { target: 'redis://a', conditions: { bytesPerSecond: 0 } }],
  ['startFaultProxy.conditions.latency', { target: 'redis://a', conditions: { latency: 20 } }],
  ['startFaultProxy.conditions.latency.toTarget', { target: 'redis://a', conditions: { latency: { toTarget: 20 } } }],
])('refuses a wrong %s', async (path, options) => {
  await expect(startFaultProxy(options as FaultProxyOptions)).rejects.toMatchObject({
    code: 'MAC_INVALID_OPTIONS',
    path,
  });
});

test('close settles although neither side reads', async () => {
  const flood = Buffer.alloc(1_048_576);
  const target = createServer((socket) => {
    socket.on('error', () => undefined);
    for (let i = 0; i < 64; i++) socket.write(flood);
  });
  target.listen(0, '127.0.0.1');
  await once(target, 'listening');
  opened.push(() => target.close());
  const proxy = await startFaultProxy({ target: { host: '127.0.0.1', port: (target.address() as AddressInfo).port } });
  // This client reads nothing.
  const socket = connect(proxy.port, '127.0.0.1');
  socket.on('error', () => undefined);
  for (let i = 0; i < 64; i++) socket.write(flood);
  await proxy.waitUntil(({ bytesToClient, bytesToTarget }) => bytesToClient > 0 && bytesToTarget > 0);
  // Until the capacity of the link and of the kernel is reached.
  for (let before = -1, now = 0; before !== now; before = now, now = proxy.stats().bytesToClient) {
    for (let i = 0; i < 100; i++) await turn();
  }
  const ended = closing(socket);
  await proxy.close();
  expect(await ended).toBe('with an error');
  expect(proxy.stats().openConnections).toBe(0);
});
