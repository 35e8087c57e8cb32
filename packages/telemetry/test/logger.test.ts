import { runInNewContext } from 'node:vm';
import { setImmediate } from 'node:timers/promises';
import { inspect } from 'node:util';
import { trace, TraceFlags, context, type Context } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { seededRandom, virtualClock } from '@macadam/testkit';
import { afterEach, describe, expect, it } from 'vitest';
import { createLogger, pii, secret } from '../src/index.ts';
import { capture } from './capture.ts';

const CANARY = 'C4nary-s3cret-value';

describe('the line format of pino', () => {
  it('has level, time, pid, hostname, name, bindings, fields and msg, in this order', () => {
    const { log, lines, last } = capture({ name: 'orders', clock: virtualClock() });
    log.child({ requestId: 'r1' }).info({ orderId: 17 }, 'placed %s', 'now');
    expect(Object.keys(last())).toEqual(['level', 'time', 'pid', 'hostname', 'name', 'requestId', 'orderId', 'msg']);
    expect(last()).toMatchObject({ level: 30, pid: process.pid, name: 'orders', orderId: 17, msg: 'placed now' });
    expect(lines).toHaveLength(1);
  });

  it.each([
    ['message', ['hello'], { msg: 'hello' }],
    ['fields', [{ a: 1 }], { a: 1 }],
    ['fields and message', [{ a: 1 }, 'hello'], { a: 1, msg: 'hello' }],
    ['message in the fields', [{ msg: 'hello' }], { msg: 'hello' }],
    ['null and message', [null, 'hello'], { msg: 'hello' }],
    ['undefined and message', [undefined, 'hello %d', 7], { msg: 'hello 7' }],
    ['a number', [42], { msg: '42' }],
    [
      'an error of another realm',
      [runInNewContext('new TypeError("boom")')],
      { msg: 'boom', err: { type: 'TypeError', message: 'boom' } },
    ],
    ['an error', [new Error('boom')], { msg: 'boom', err: { type: 'Error', message: 'boom' } }],
    ['an error and message', [new Error('boom'), 'hello'], { msg: 'hello', err: { message: 'boom' } }],
    ['an error as err', [{ err: new Error('boom') }], { msg: 'boom' }],
    ['a list', [['cookie', 'a=b']], { value: ['cookie', '[redacted]'] }],
    ['a Map', [new Map([['token', 'x']])], { value: { token: '[redacted]' } }],
    ['nothing', [], { level: 30 }],
  ])('accepts %s', (_name, args, expected) => {
    const { log, last } = capture();
    (log.info as (...all: unknown[]) => void)(...args);
    expect(last()).toMatchObject(expected);
  });

  it('writes the levels of pino from the threshold on', () => {
    const { log, lines } = capture({ level: 'warn' });
    for (const level of ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const) log[level](level);
    expect(lines.map((line) => (JSON.parse(line) as { level: number }).level)).toEqual([40, 50, 60]);
    expect(log.isLevelEnabled('info')).toBe(false);
    expect(log.isLevelEnabled('error')).toBe(true);
    expect(log.isLevelEnabled('nonsense')).toBe(false);
  });

  it('changes the level at run time, also for children without a level of their own; disabled methods are one shared no-op', () => {
    const { log, lines } = capture({ level: 'info' });
    const shares = log.child({ a: 1 });
    const own = log.child({ b: 1 }, { level: 'error' });
    const disabled = shares.debug;
    expect(disabled).toBe(capture({ level: 'silent' }).log.fatal);
    shares.debug('no');
    log.level = 'debug';
    shares.debug('yes');
    own.warn('no');
    expect(lines).toHaveLength(1);
    expect([shares.level, own.level]).toEqual(['debug', 'error']);
    const grandchild = shares.child({ c: 1 });
    shares.level = 'fatal';
    expect([log.level, shares.level, shares.child({}).level, grandchild.level]).toEqual([
      'debug',
      'fatal',
      'fatal',
      'debug',
    ]);
    log.level = 'warn';
    expect([shares.level, grandchild.level, own.level]).toEqual(['fatal', 'warn', 'error']);
    expect(() => (log.level = 'loud')).toThrow(expect.objectContaining({ code: 'MAC_INVALID_OPTIONS' }));
  });
});

describe('a log call', () => {
  it('T6: stays within its limits for circular, deeply shared and wide objects', () => {
    const { log, lines, last } = capture();
    const circle: Record<string, unknown> = { a: 1 };
    circle['self'] = circle;
    let shared: unknown = { x: 1 };
    for (let i = 0; i < 18; i++) shared = { left: shared, right: shared };
    log.info({ circle });
    expect(last()['circle']).toEqual({ a: 1, self: '[Circular]' });
    log.info({ shared });
    log.info({ wide: Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`k${i}`, i])) });
    expect(Object.keys(last()['wide'] as object)).toHaveLength(101);
    log.info({ list: Array.from({ length: 5_000 }, () => 'x'.repeat(1_000)) });
    for (const wide of ['\u0001', 'é', '漢', '😀', '"']) {
      log.info(
        Object.fromEntries(Array.from({ length: 30 }, (_, i) => [wide + i, wide.repeat(8_000 / wide.length)])),
        wide.repeat(8_000),
      );
      expect(Buffer.byteLength(lines.at(-1)!)).toBeGreaterThan(20_000);
    }
    log.info('m'.repeat(1_000_000));
    expect((last()['msg'] as string).endsWith('[…+991808]')).toBe(true);
    for (const line of lines) expect(Buffer.byteLength(line)).toBeLessThanOrEqual(65_536);
    expect(log.stats().cut).toBeGreaterThan(4);
  });

  it('counts one cut for each mark, and cuts a string that redaction makes longer', () => {
    for (const [limits, cut] of [
      [{ nodes: 5 }, '[1,2,3,4,"[…+3]"]'],
      [{ items: 3 }, '[1,2,3,"[…+4]"]'],
    ] as const) {
      const { log, lines } = capture({ limits });
      log.info({ list: [1, 2, 3, 4, 5, 6, 7] });
      expect(lines[0]).toContain(`"list":${cut}`);
      expect(log.stats().cut).toBe(1);
    }
    const { log, last } = capture({ limits: { nodes: 2 } });
    log.info({ a: { b: 1, c: 2 } });
    expect(last()['a']).toEqual({ b: 1, '[…]': '[…]' });
    expect(log.stats().cut).toBe(1);
    const long = capture();
    long.log.info({ query: 'pin=1&'.repeat(1_365) });
    expect(long.last()['query']).toMatch(/^pin=\[redacted\]&.{8000,8200}\[…\+\d+\]$/);
  });

  it('limits the bindings of all generations of children together, and says so in the line', () => {
    const { log, lines, last } = capture();
    let child = log;
    for (let i = 0; i < 8; i++) child = child.child({ [`a${i}`]: 'x'.repeat(7_000) });
    child.info('x');
    expect(last()).toMatchObject({ a0: expect.any(String) as string, '[…]': '[…more]' });
    expect(Buffer.byteLength(lines[0]!)).toBeLessThan(30_000);
  });

  it('T7: never throws, for getters, Proxies and toJSON that throw, and a frozen Error', () => {
    const { log, lines, last } = capture();
    const bad = (): never => {
      throw new Error('from inside');
    };
    log.info(
      {
        a: 1,
        get b() {
          return bad();
        },
        c: 3,
      },
      'getter',
    );
    expect(last()).toMatchObject({ a: 1, b: '[threw]', c: 3, msg: 'getter' });
    log.info(new Proxy({}, { ownKeys: bad }), 'proxy');
    log.info({ p: new Proxy({}, { getPrototypeOf: bad, get: bad, ownKeys: bad }), q: 1 }, 'inner proxy');
    expect(last()).toMatchObject({ p: '[threw]', q: 1 });
    log.info({ j: { toJSON: bad }, k: 1 });
    expect(last()).toMatchObject({ j: '[threw]', k: 1 });
    log.info(Object.freeze(new Error('frozen')));
    expect(last()).toMatchObject({ msg: 'frozen' });
    log.info({ e: Object.defineProperty(new Error('x'), 'message', { get: bad }) });
    log.info(
      { s: { [Symbol.toPrimitive]: bad, toString: bad } },
      '%s %d %j %o',
      { toString: bad },
      { valueOf: bad },
      Symbol('s'),
    );
    log.info(new Proxy(new Error('x'), { get: bad, getPrototypeOf: bad }));
    const revoked = Proxy.revocable({}, {});
    revoked.revoke();
    log.info(revoked.proxy, 'revoked');
    expect(last()).toMatchObject({ msg: 'revoked' });
    (log.info as (...args: unknown[]) => void)({ a: 1 }, Object.create(null));
    expect(lines.every((line) => typeof JSON.parse(line) === 'object')).toBe(true);
    expect(lines).toHaveLength(10);
  });

  it('keeps the fields of a line whose message cannot be converted to a string', () => {
    const { log, last } = capture();
    const message = Object.create(null) as string;
    expect(() => log.info({ orderId: 17 }, message)).not.toThrow();
    expect(last()).toMatchObject({ orderId: 17, msg: '[threw]' });
  });

  it('T13: does not modify its arguments, calls each getter once, and accepts frozen objects', () => {
    const { log } = capture();
    let reads = 0;
    const input = Object.freeze({
      r: { a: { b: { c: 1 }, x: { y: CANARY } }, password: CANARY },
      get once() {
        return ++reads;
      },
      err: Object.freeze(new Error('x', { cause: new Error('y') })),
    });
    const before = inspect(input, { depth: 9, showHidden: true, getters: false });
    log.info(input, 'x');
    expect(reads).toBe(1);
    expect(inspect(input, { depth: 9, showHidden: true, getters: false })).toBe(before);
  });

  it('retains none of its arguments', async () => {
    const { log } = capture();
    const reference = ((): WeakRef<object> => {
      const fields = { nested: { list: [{ deep: new Error('x') }] } };
      log.info(fields, 'x');
      return new WeakRef(fields.nested);
    })();
    for (let i = 0; i < 10 && reference.deref() !== undefined; i++) {
      await setImmediate();
      globalThis.gc?.();
    }
    expect(reference.deref()).toBeUndefined();
  });

  it('does not mix a line with another that a getter logs', () => {
    const { log, lines } = capture();
    log.info(
      {
        a: 1,
        get b() {
          log.warn({ inner: true }, 'inside');
          return 2;
        },
        c: 3,
      },
      'outside',
    );
    expect(lines.map((line) => JSON.parse(line) as object)).toMatchObject([
      { inner: true, msg: 'inside' },
      { a: 1, b: 2, c: 3, msg: 'outside' },
    ]);
  });

  it('never throws if the destination, the clock or the random source throws', () => {
    const bad = (): never => {
      throw new Error('bad');
    };
    const log = createLogger({ destination: { write: bad } });
    log.info('x');
    expect(log.stats().dropped).toBe(1);
    expect(() =>
      createLogger({ destination: { write: bad }, random: bad, sampling: { info: 0.5 } }).info('x'),
    ).not.toThrow();
    expect(() => capture({ clock: Object.assign(virtualClock(), { now: bad }) }).log.info('x')).not.toThrow();
  });
});

describe('values', () => {
  it.each([
    ['T8: a BigInt beyond 2^53, exact', 2n ** 64n, '18446744073709551616'],
    ['NaN', Number.NaN, null],
    ['an invalid date', new Date(Number.NaN), null],
    ['a date', new Date(0), '1970-01-01T00:00:00.000Z'],
    [
      'a Map',
      new Map<unknown, unknown>([
        [1, 'a'],
        ['1', 'b'],
        ['token', CANARY],
      ]),
      { 1: 'a', '1#2': 'b', token: '[redacted]' },
    ],
    ['a Set', new Set([1, 'a']), [1, 'a']],
    ['a Buffer', Buffer.from(CANARY), '[Buffer 19]'],
    ['a typed array', new Float64Array(3), '[Float64Array 24]'],
    ['a URL', new URL(`https://u:${CANARY}@h/`), 'https://[redacted]@h/'],
    ['headers', new Headers({ authorization: CANARY, accept: 'x' }), { accept: 'x', authorization: '[redacted]' }],
    ['flat raw headers', ['Accept', 'x', 'Cookie', CANARY], ['Accept', 'x', 'Cookie', '[redacted]']],
    ['boxed values', [Object('a'), Object(1)], ['a', 1]],
    ['holes and undefined in a list', [1, undefined, () => 1], [1, null, null]],
    ['undefined and functions in an object', { a: undefined, b: () => 1, c: Symbol('x'), d: 1 }, { d: 1 }],
    ['an object of another realm', runInNewContext('({ a: [1], password: "x" })'), { a: [1], password: '[redacted]' }],
    [
      'names that look dangerous',
      JSON.parse('{"__proto__":{"x":1},"toString":"y"}'),
      JSON.parse('{"__proto__":{"x":1},"toString":"y"}'),
    ],
    [
      'toJSON that returns itself',
      {
        a: 1,
        toJSON() {
          return this;
        },
      },
      { a: 1 },
    ],
    ['a card number as a number', 4111111111111111, '[redacted]'],
    ['a secret', secret(CANARY), '[redacted]'],
    ['a secret deep inside', { a: [{ b: secret(CANARY) }] }, { a: [{ b: '[redacted]' }] }],
    ['a promise', Promise.resolve(1), '[Promise]'],
  ])('writes %s', (_name, value, expected) => {
    const { log, last } = capture();
    log.info({ value });
    expect(last()['value']).toEqual(expected);
  });

  it('T9: calls toJSON on the original object, which can use its private fields', () => {
    class Account {
      readonly #id = 7;
      toJSON(): object {
        return { id: this.#id, password: CANARY };
      }
    }
    const { log, last } = capture();
    log.info({ account: new Account() });
    expect(last()['account']).toEqual({ id: 7, password: '[redacted]' });
  });

  it('T19: writes code, fields, circular causes, causes that are not errors, and aggregated errors of an error', () => {
    const { log, last } = capture();
    const root = Object.assign(new TypeError('root'), { code: 'E_ROOT', token: CANARY });
    const error = new Error('top', { cause: new Error('middle', { cause: root }) });
    Object.defineProperty(root, 'cause', { value: error });
    log.error(error);
    expect(last()['err']).toMatchObject({
      type: 'Error',
      cause: {
        message: 'middle',
        cause: { type: 'TypeError', code: 'E_ROOT', token: '[redacted]', cause: '[Circular]' },
      },
    });
    log.error({ err: new Error('x', { cause: 'just text' }) });
    expect(last()['err']).toMatchObject({ cause: 'just text' });
    log.error(new AggregateError([new Error('one'), 'two'], 'both'));
    expect(last()['err']).toMatchObject({ type: 'AggregateError', aggregateErrors: [{ message: 'one' }, 'two'] });
    class UpstreamError extends Error {}
    log.error(new UpstreamError('x'));
    expect(last()['err']).toMatchObject({ type: 'UpstreamError' });
  });

  it('T14: writes the error of an HTTP client without credentials and within 8 KiB', () => {
    const { log, lines, last } = capture();
    const config = {
      headers: { Authorization: `Bearer ${CANARY}`, 'X-Api-Key': CANARY },
      auth: { username: 'u', password: CANARY },
      data: JSON.stringify({ password: CANARY, amount: 5 }),
      url: `https://u:${CANARY}@api/x?access_token=${CANARY}`,
    };
    const request = {
      _header: `POST /x HTTP/1.1\r\nAuthorization: Basic ${CANARY}\r\nCookie: sid=${CANARY}\r\nHost: api\r\n\r\n`,
      big: Array.from({ length: 500 }, (_, i) => ({ i, text: 'x'.repeat(1_000) })),
    };
    const error = Object.assign(new Error(`Request with token=${CANARY} failed`), {
      config,
      request,
      code: 'E_BAD',
      status: 401,
    });
    log.error(error, 'call failed');
    expect(lines[0]).not.toContain(CANARY);
    expect(Buffer.byteLength(lines[0]!)).toBeLessThan(8_192);
    expect(last()['err']).toMatchObject({ code: 'E_BAD', status: 401 });
  });
});

describe('redaction', () => {
  it('T10 and T11: recognises names at any depth and in any spelling', () => {
    const { log, lines } = capture();
    log.info({
      a: [{ b: [{ 'X-API-KEY': CANARY }] }],
      headers: { Authorization: CANARY, 'set-cookie': [CANARY] },
      map: new Map([['client_secret', { deep: CANARY }]]),
      err: Object.assign(new Error('x', { cause: Object.assign(new Error('y'), { refreshToken: CANARY }) }), {
        PASSWORD: CANARY,
      }),
    });
    log.child({ apiKey: CANARY }).info('x');
    expect(lines.join()).not.toContain(CANARY);
  });

  it('T15: redacts messages and the arguments of placeholders', () => {
    const { log, lines } = capture();
    log.info('login with password=%s', CANARY);
    log.info('sent %s', `Bearer ${CANARY}`);
    log.info('body %j', { password: CANARY });
    log.info('secret %s', secret(CANARY));
    log.info(`POST /x?access_token=${CANARY}`);
    expect(lines.join()).not.toContain(CANARY);
    expect(lines).toHaveLength(5);
  });

  it.each([
    ['mask', '[pii]'],
    ['hash', expect.stringMatching(/^pii_[0-9a-f]{16}$/)],
    ['off', 'ada@example.org'],
  ] as const)('shows personal data as the policy %s says', (policy, expected) => {
    const { log, last } = capture({ redact: { pii: policy, hashKey: 'k'.repeat(16) } });
    log.info({ email: pii('ada@example.org') });
    expect(last()['email']).toEqual(expected);
  });

  it.each([
    ['hash', '[pii]'],
    ['off', { name: { first: 'Ada' } }],
  ] as const)('shows an object as the policy %s says', (policy, expected) => {
    const { log, last } = capture({ redact: { pii: policy, hashKey: 'k'.repeat(16) } });
    const person = { name: { first: 'Ada' } };
    log.info({ a: { b: { person } }, owner: pii(person), owners: [pii(person)] });
    expect(last()).toMatchObject({ owner: expected, owners: [expected] });
  });

  it('gives the same hash for the same person and key, and another one for another key', () => {
    const shown = (hashKey: string): unknown => {
      const { log, last } = capture({ redact: { pii: 'hash', hashKey } });
      log.info({ email: pii('ada@example.org') });
      return last()['email'];
    };
    expect(shown('a'.repeat(16))).toBe(shown('a'.repeat(16)));
    expect(shown('a'.repeat(16))).not.toBe(shown('b'.repeat(16)));
  });

  it('never prints secret() and pii() values by string conversion, JSON or console.log', () => {
    for (const wrapped of [secret(CANARY), pii(CANARY)]) {
      const prints = [
        String(wrapped),
        JSON.stringify({ wrapped }),
        inspect(wrapped, { showHidden: true }),
        `${wrapped as never}`,
      ];
      expect(prints.join()).not.toContain(CANARY);
      expect(JSON.stringify(structuredClone({ ...wrapped }))).not.toContain(CANARY);
      expect(Object.keys(wrapped)).toEqual([]);
      expect(wrapped.reveal()).toBe(CANARY);
    }
  });

  it('T20: recognises values wrapped by another copy of this package', async () => {
    const copy = (await import('../src/sensitive.ts?copy' as string)) as typeof import('../src/sensitive.ts');
    expect(copy.secret).not.toBe(secret);
    const { log, last } = capture();
    log.info({ value: copy.secret(CANARY), owner: copy.pii(CANARY) });
    expect(last()).toMatchObject({ value: '[redacted]', owner: '[pii]' });
  });

  it('applies the keys, patterns and allowed names of the options', () => {
    const { log, last } = capture({ redact: { keys: ['houseCode'], patterns: [/HC-\d+/], allow: ['publicToken'] } });
    log.info({ house_code: 'x', text: 'see HC-12 and HC-13', publicToken: 'shown' });
    expect(last()).toMatchObject({
      house_code: '[redacted]',
      text: 'see [redacted] and [redacted]',
      publicToken: 'shown',
    });
  });
});

describe('fields with reserved names', () => {
  it.each(['pino', 'otel', 'ecs', 'gcp'] as const)('T17: do not replace the fields of the format %s', (format) => {
    const { log, lines, last } = capture({ name: 'orders', format });
    const hostile = {
      level: 10,
      time: 0,
      severity: 'x',
      timestamp: 'x',
      msg: 'x',
      message: 'x',
      trace_id: 'x',
      '@timestamp': 1,
    };
    log
      .child({ level: 'fake', a: 1 })
      .error({ ...hostile, name: 'fake', shadowed: 1, err: new Error('e'), a: 2 }, 'real');
    expectUniqueNames(lines[0]!);
    const line = last();
    const [name, value] = {
      pino: ['level', 50],
      otel: ['severity_number', 17],
      ecs: ['log.level', 'error'],
      gcp: ['severity', 'ERROR'],
    }[format] as [string, unknown];
    expect(line[name]).toBe(value);
    expect(line[{ pino: 'msg', otel: 'body', ecs: 'message', gcp: 'message' }[format]]).toBe('real');
  });

  it('of bindings are written inside of "shadowed" too, where a field replaces a binding', () => {
    const { log, last, lines } = capture({ name: 'orders', bindings: { hostname: 'pod-7' } });
    const child = log.child({ name: 'worker', msg: 'bound', kept: 1 });
    child.info('ours');
    const shadowed = { hostname: 'pod-7', name: 'worker', msg: 'bound' };
    expect(last()).toMatchObject({ name: 'orders', msg: 'ours', kept: 1, shadowed });
    child.info({ name: 'fake', level: 10 }, 'ours');
    expect(last()['shadowed']).toEqual({ ...shadowed, name: 'fake', level: 10 });
    expect(lines.at(-1)!.match(/"name":/g)).toHaveLength(2);
  });

  it('T17: are written inside of "shadowed"', () => {
    const { log, last } = capture({ name: 'orders' });
    log.info({ level: 10, msg: 'theirs', name: 'fake' }, 'ours');
    expect(last()).toMatchObject({
      level: 30,
      name: 'orders',
      msg: 'ours',
      shadowed: { level: 10, msg: 'theirs', name: 'fake' },
    });
  });

  it('a field replaces a binding of the same name', () => {
    const { log, lines, last } = capture();
    log.child({ a: 1, b: 1 }).child({ b: 2, c: 2 }).info({ c: 3 });
    expect(last()).toMatchObject({ a: 1, b: 2, c: 3 });
    expectUniqueNames(lines[0]!);
  });

  it('T18: escapes control characters, DEL, C1 and the line separators', () => {
    const { log, lines, last } = capture();
    const evil = 'a\n{"level":60}\r\u001b[2J\u007f\u009b\u2028\u2029\ud800é';
    log.info({ [evil]: evil }, evil);

    expect(lines[0]).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\ud800]/);
    expect(last()['msg']).toBe(evil);
  });
});

describe('trace context', () => {
  afterEach(() => context.disable());

  it('adds the ids of the active span to every line, without patching anything', () => {
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    const span = {
      traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
      spanId: '00f067aa0ba902b7',
      traceFlags: TraceFlags.SAMPLED,
    };
    const within = (spanContext: typeof span): Context => trace.setSpanContext(context.active(), spanContext);
    const pino = capture();
    const gcp = capture({ format: 'gcp' });
    context.with(within(span), () => {
      pino.log.info('x');
      gcp.log.info('x');
    });
    expect(pino.last()).toMatchObject({ trace_id: span.traceId, span_id: span.spanId, trace_flags: '01' });
    expect(gcp.last()).toMatchObject({ 'logging.googleapis.com/trace_sampled': true });
    context.with(within({ ...span, traceId: '"injected' }), () => pino.log.info('x'));
    expect(pino.last()).not.toHaveProperty('trace_id');
    pino.log.info('outside');
    expect(pino.last()).not.toHaveProperty('trace_id');
  });
});

describe('sampling, serializers and options', () => {
  it('samples lines by level, and writes the rate on the line', () => {
    const { log, lines } = capture({ sampling: { info: 0.25 }, random: seededRandom(1) });
    for (let i = 0; i < 1_000; i++) log.info('x');
    log.error('always');
    const kept = lines.length - 1;
    expect(kept).toBeGreaterThan(200);
    expect(kept).toBeLessThan(300);
    expect(JSON.parse(lines[0]!)).toMatchObject({ sample_rate: 0.25 });
    expect(JSON.parse(lines.at(-1)!)).not.toHaveProperty('sample_rate');
    expect(log.stats().sampledOut).toBe(1_000 - kept);
  });

  it('applies serializers, but not to an Error, and continues if one throws', () => {
    const { log, last } = capture({ serializers: { user: (user: { id: number }) => user.id } });
    const child = log.child(
      {},
      {
        serializers: {
          bad: () => {
            throw new Error('x');
          },
          err: () => 'lost',
        },
      },
    );
    child.info({ user: { id: 7, name: 'Ada' }, bad: 1, err: new Error('kept') });
    expect(last()).toMatchObject({ user: 7, bad: '[threw]', err: { message: 'kept' } });
    child.info({ err: runInNewContext('new Error("kept")') });
    expect(last()).toMatchObject({ err: { message: 'kept' } });
  });

  it.each([
    [{ levl: 'info' }, 'createLogger.levl'],
    [{ level: 'loud' }, 'createLogger.level'],
    [{ format: 'xml' }, 'createLogger.format'],
    [{ destination: {} }, 'createLogger.destination'],
    [{ redact: { pii: 'hash' } }, 'createLogger.redact.hashKey'],
    [{ redact: { patterns: ['x'] } }, 'createLogger.redact.patterns[0]'],
    [{ redact: { patterns: /x/ } }, 'createLogger.redact.patterns'],
    [{ redact: { keys: 'password' } }, 'createLogger.redact.keys'],
    [{ redact: { allow: 'token' } }, 'createLogger.redact.allow'],
    [{ clock: { now: () => 0 } }, 'createLogger.clock'],
    [{ random: 0.5 }, 'createLogger.random'],
    [{ limits: { depth: 0 } }, 'createLogger.limits.depth'],
    [{ limits: { lineBytes: 100 } }, 'createLogger.limits.lineBytes'],
    [{ sampling: { info: 0 } }, 'createLogger.sampling.info'],
    [{ sampling: { all: 1 } }, 'createLogger.sampling.all'],
    [{ maxBacklogBytes: 1 }, 'createLogger.maxBacklogBytes'],
    [{ serializers: { a: 1 } }, 'createLogger.serializers.a'],
  ])('refuses %j', (options, path) => {
    expect(() => createLogger(options as never)).toThrow(
      expect.objectContaining({ code: 'MAC_INVALID_OPTIONS', path }),
    );
  });

  it('describes itself, counts its lines, and drops lines after close', async () => {
    const { log, lines } = capture();
    log.info('x');
    expect(log.describe()).toContain('logs trace and above as pino lines');
    await log.close();
    log.info('late');
    expect(lines).toHaveLength(1);
    expect(log.stats()).toMatchObject({ lines: { info: 2 }, dropped: 1, backlogBytes: 0 });
  });
});

/** JSON.parse hides a name that stands twice; the positions of names in the text do not. */
function expectUniqueNames(line: string): void {
  expect(JSON.stringify(JSON.parse(line)).split('":').length).toBe(line.split('":').length);
}
