// A stand-in that speaks the documented HTTP API of OpenFGA (Check and BatchCheck), over real sockets. The server itself is
// a Go program, which does not come through npm.
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { currentWork, runWork } from '@macadam/core';
import { virtualClock } from '@macadam/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ForbiddenError, type FgaTuple, type OpenFgaPermissionsOptions, openFgaPermissions } from '../src/index.ts';

interface Check {
  tuple_key: FgaTuple;
  correlation_id?: string;
  context?: { office?: boolean };
  contextual_tuples?: { tuple_keys: FgaTuple[] };
}
interface ReceivedRequest {
  path: string;
  headers: Record<string, unknown>;
  body: Check & { checks?: Check[]; authorization_model_id: string; consistency: string };
}

const tuples = new Set<string>();
const received: ReceivedRequest[] = [];
/** Replaces the regular response of the server. */
let fault: ((received: ReceivedRequest) => unknown) | undefined;

function allowed({ tuple_key, contextual_tuples, context }: Check): boolean {
  const text = ({ user, relation, object }: FgaTuple) => `${user} ${relation} ${object}`;
  const known = (one: FgaTuple) =>
    tuples.has(text(one)) || contextual_tuples?.tuple_keys.some((more) => text(more) === text(one));
  return known(tuple_key) === true && context?.office !== false;
}

let server: Server;
let apiUrl: string;

beforeAll(async () => {
  server = createServer((request, response) => {
    void (async () => {
      let text = '';
      for await (const chunk of request) text += String(chunk);
      const one: ReceivedRequest = {
        path: request.url!,
        headers: request.headers,
        body: JSON.parse(text) as ReceivedRequest['body'],
      };
      received.push(one);
      const reply: unknown =
        fault === undefined
          ? one.path.endsWith('/batch-check')
            ? {
                result: Object.fromEntries(
                  one.body.checks!.map((check) => [check.correlation_id, { allowed: allowed(check) }]).reverse(),
                ),
              }
            : { allowed: allowed(one.body), resolution: '' }
          : fault(one);
      if (reply === 'hang') return;
      response.writeHead(typeof reply === 'number' ? reply : 200, { 'content-type': 'application/json' });
      response.end(typeof reply === 'string' ? reply : JSON.stringify(reply));
    })();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  apiUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  server.close();
  server.closeAllConnections();
  await once(server, 'close');
});
beforeEach(() => {
  received.length = 0;
  fault = undefined;
  tuples.clear();
  for (const one of ['user:a viewer doc:1', 'user:a editor doc:1', 'user:a viewer doc:2']) tuples.add(one);
});

interface User {
  id: string | undefined;
}
interface Doc {
  id: string;
}
const make = (options: Partial<OpenFgaPermissionsOptions<User, Doc>> = {}) =>
  openFgaPermissions<User, Doc>({
    apiUrl,
    storeId: 'store-1',
    authorizationModelId: 'model-1',
    userOf: ({ id }) => (id === undefined ? undefined : `user:${id}`),
    objectOf: (doc) => doc && `doc:${doc.id}`,
    relationOf: { 'doc:read': 'viewer', 'doc:write': 'editor' },
    // A long time limit, since the sockets are real and the machine may be busy.
    ...(options.clock === undefined && { timeoutMs: 10_000 }),
    ...options,
  });
const ann = { id: 'a' };

describe('OpenFGA permissions', () => {
  it('send a Check request with user, relation and object', async () => {
    const can = make({ contextOf: () => ({ office: true }), headersOf: () => ({ authorization: 'Bearer t' }) });
    expect(await can(ann, 'doc:read', { id: '1' })).toEqual({
      allowed: true,
      reason: 'allowed',
      rule: 'viewer',
      policyVersion: 'model-1',
    });
    expect(await can(ann, 'doc:write', { id: '2' })).toMatchObject({ allowed: false, reason: 'noRule' });
    expect(received[0]).toMatchObject({
      path: '/stores/store-1/check',
      headers: { authorization: 'Bearer t', 'content-type': 'application/json' },
      body: {
        tuple_key: { user: 'user:a', relation: 'viewer', object: 'doc:1' },
        context: { office: true },
        authorization_model_id: 'model-1',
        consistency: 'MINIMIZE_LATENCY',
      },
    });
    await expect(can.assert(ann, 'doc:write', { id: '2' })).rejects.toThrow(ForbiddenError);
    await expect(can.assert(ann, 'doc:write', { id: '1' })).resolves.toBeUndefined();
    expect(can.describe()).toContain('denies');
  });

  it('send concurrent checks in one BatchCheck, equal ones once', async () => {
    const can = make({ maxBatch: 3 });
    const docs = ['1', '2', '3', '2', '4'].map((id) => ({ id }));
    const decisions = await can.many(ann, 'doc:read', docs);
    expect(decisions.map((one) => one.allowed)).toEqual([true, true, false, true, false]);
    expect(received.map(({ path, body }) => [path.split('/').at(-1), body.checks?.length])).toEqual([
      ['batch-check', 3],
      ['check', undefined],
    ]);
    for (const { body } of received)
      for (const { correlation_id } of body.checks ?? []) expect(correlation_id).toMatch(/^[\w-]{1,36}$/);
    expect(can.stats()).toMatchObject({ checks: 5, requests: 2, unavailable: 0 });
  });

  it('send contextual tuples and context', async () => {
    const can = make({
      contextualTuplesOf: ({ id }, doc) =>
        doc?.id === '9' ? [{ user: `user:${id}`, relation: 'viewer', object: 'doc:9' }] : [],
      contextOf: (_, __, doc) => (doc?.id === '2' ? { office: false } : undefined),
    });
    const decisions = await can.many(ann, 'doc:read', [{ id: '9' }, { id: '2' }, { id: '1' }]);
    expect(decisions.map((one) => one.allowed)).toEqual([true, false, true]);
  });

  it('are denied without a request for no user, no object, or an action without a relation', async () => {
    const can = make();
    expect((await can({ id: undefined }, 'doc:read', { id: '1' })).reason).toBe('noRule');
    expect((await can(ann, 'doc:read')).reason).toBe('noRule');
    for (const id of ['', 'eng#member', 'a b']) {
      expect((await can({ id }, 'doc:read', { id: '1' })).reason).toBe('noRule');
      expect((await can(ann, 'doc:read', { id })).reason).toBe('noRule');
    }
    for (const action of ['doc:drop', 'constructor', '__proto__']) {
      expect((await can(ann, action, { id: '1' })).reason).toBe('noRule');
    }
    expect(received).toEqual([]);
  });

  const unrelated = 'a result with neither allowed nor error';
  it.each<[string, (received: ReceivedRequest) => unknown, string]>([
    ['fails', () => 500, 'status 500'],
    ['redirects', () => 302, 'status 302'],
    ['responds with something other than JSON', () => '<html>', 'something other than a JSON object'],
    ['responds with a list', () => [], 'something other than a JSON object'],
    ['responds with a duplicate name', () => '{"allowed":false,"allowed":true}', 'something other than a JSON object'],
    ['responds with an unrelated object', () => ({ status: 'ok' }), unrelated],
    ['responds with a wrong type', () => ({ allowed: 'yes' }), unrelated],
    ['responds with too many bytes', () => `{"allowed":true,"x":"${'x'.repeat(300_000)}"}`, 'longer than 262144 bytes'],
    ['responds with an error', () => ({ allowed: true, error: { message: 'too deep' } }), 'an error without a code'],
    ['responds with an error code', () => ({ error: { internal_error: 'unavailable' } }), 'check: unavailable'],
    ['does not accept our credentials', () => 401, 'status 401'],
    ['is overloaded', () => 429, 'status 429'],
    ['is throttled', () => 422, 'status 422'],
  ])('are closed by default when the server %s, with the cause', async (_, broken, why) => {
    fault = broken;
    const can = make({ cache: {} });
    const decision = await can(ann, 'doc:read', { id: '1' });
    expect(decision).toMatchObject({ allowed: false, reason: 'unavailable' });
    expect((decision.cause as Error).message).toContain(why);
    const thrown: unknown = await can.assert(ann, 'doc:read', { id: '1' }).catch((error: unknown) => error);
    expect(thrown).toMatchObject({ code: 'MAC_FORBIDDEN', retryable: true, cause: decision.cause });
    const opened = await can(ann, 'doc:read', { id: '1' }, { onFailure: 'open' });
    expect(opened).toMatchObject({ allowed: true, reason: 'unavailable' });
    expect(await make({ onFailure: 'open' })(ann, 'doc:read', { id: '3' })).toMatchObject({ allowed: true });
    expect(can.stats()).toMatchObject({ unavailable: 3, cache: { entries: 0 } });
  });

  it.each<[string, (received: ReceivedRequest) => unknown, string]>([
    ['the status', () => 400, 'status 400'],
    ['the status of a proxy', () => 413, 'status 413'],
    ['the result', () => ({ error: { input_error: 'relation_not_found' } }), 'check: relation_not_found'],
  ])(
    'are denied with onFailure open, too, when the server refuses a check as invalid by %s',
    async (_, refuse, why) => {
      fault = refuse;
      const can = make({ onFailure: 'open', cache: {} });
      const decision = await can(ann, 'doc:read', { id: '1' });
      expect(decision).toMatchObject({ allowed: false, reason: 'ruleFailed', rule: undefined });
      expect((decision.cause as Error).message).toContain(why);
      const thrown: unknown = await can.assert(ann, 'doc:read', { id: '1' }).catch((error: unknown) => error);
      expect(thrown).toMatchObject({
        message: 'doc:read is not allowed: the request could not be evaluated.',
        retryable: false,
        cause: decision.cause,
      });
      expect(can.stats()).toMatchObject({ unavailable: 2, cache: { entries: 0 } });
    },
  );

  it('are not affected by an invalid check in the same batch', async () => {
    const tooLong = 'x'.repeat(300);
    fault = ({ body: { checks, ...one } }) =>
      (checks ?? [one]).some(({ tuple_key }) => tuple_key.object.length > 256) ? 400 : { allowed: allowed(one) };
    for (const onFailure of ['closed', 'open'] as const) {
      const decisions = await make({ onFailure }).many(ann, 'doc:read', [{ id: '1' }, { id: tooLong }, { id: '3' }]);
      expect(decisions.map(({ reason }) => reason)).toEqual(['allowed', 'ruleFailed', 'noRule']);
      expect(received.splice(0).map(({ path }) => path.split('/').at(-1))).toEqual([
        'batch-check',
        'check',
        'check',
        'check',
      ]);
    }
  });

  it('have one time limit for a batch and the checks that are sent again', async () => {
    const clock = virtualClock();
    const sent: string[] = [];
    const can = make({
      clock,
      fetch: async (url) => {
        sent.push(url.split('/').at(-1)!);
        if (sent.length > 1) return new Promise(() => {});
        await clock.sleep(200);
        return new Response('{}', { status: 400 });
      },
    });
    const decisions = can.many(ann, 'doc:read', [{ id: '1' }, { id: '2' }]);
    await clock.advance(200);
    expect(sent).toEqual(['batch-check', 'check', 'check']);
    await clock.advance(100);
    expect((await decisions).map(({ reason }) => reason)).toEqual(['unavailable', 'unavailable']);
    clock.assertNoTimers();
  });

  it('are denied when the server omits allowed: false, as protocol buffers do', async () => {
    for (const reply of [{}, { resolution: '' }]) {
      fault = () => reply;
      expect(await make({ onFailure: 'open' })(ann, 'doc:read', { id: '1' })).toMatchObject({ reason: 'noRule' });
    }
  });

  it.each<[string, Partial<OpenFgaPermissionsOptions<User, Doc>>]>([
    ['a name cannot be had', { userOf: (user) => user.id!.at(0)!.at(9)!.at(0) }],
    ['a value cannot be had', { contextOf: (user) => ({ name: user.id!.at(9)!.length }) }],
    ['a value cannot be sent', { contextOf: () => ({ n: 1n }) }],
  ])('are denied with onFailure open, too, when %s, and the call is counted', async (_, broken) => {
    const decision = await make(broken)(ann, 'doc:read', { id: '1' });
    expect(decision).toMatchObject({
      allowed: false,
      reason: 'unavailable',
      cause: expect.any(TypeError) as TypeError,
    });
    expect(await make({ ...broken, onFailure: 'open' })(ann, 'doc:read', { id: '1' })).toMatchObject({
      allowed: false,
    });
    expect(received).toEqual([]);
  });

  it.each(['userOf', 'relationOf', 'objectOf', 'contextOf', 'contextualTuplesOf'] as const)(
    'are denied with onFailure open, too, when %s returns a promise, whose rejection does not end the process',
    async (name) => {
      for (const promise of [() => Promise.resolve('user:a'), () => Promise.reject(new Error('down'))]) {
        const broken = { [name]: promise } as Partial<OpenFgaPermissionsOptions<User, Doc>>;
        const decision = await make({ ...broken, onFailure: 'open' })(ann, 'doc:read', { id: '1' });
        expect(decision).toMatchObject({ allowed: false, reason: 'unavailable', cause: { path: `${name}()` } });
      }
      expect(received).toEqual([]);
    },
  );

  it('are denied with onFailure open, too, when contextualTuplesOf returns something other than a list', async () => {
    const contextualTuplesOf = () => new Set([{ user: 'user:a', relation: 'banned', object: 'doc:1' }]) as never;
    const decision = await make({ contextualTuplesOf, onFailure: 'open' })(ann, 'doc:read', { id: '1' });
    expect(decision).toMatchObject({ allowed: false, cause: { path: 'contextualTuplesOf()' } });
  });

  it('report the cause of a failure without the credentials that were sent', async () => {
    const authorization = 'Bearer the-token-of-the-service';
    const headersOf = () => ({ authorization });
    const broken: Partial<OpenFgaPermissionsOptions<User, Doc>>[] = [
      {
        headersOf,
        fetch: () => Promise.reject(Object.assign(new Error(`refused ${authorization}`), { authorization })),
      },
      { headersOf: () => ({ authorization: `${authorization}\r\nx: y` }) },
      { headersOf: () => Promise.reject(new Error('no credentials')) },
    ];
    for (const options of broken) {
      const { cause } = await make(options)(ann, 'doc:read', { id: '1' });
      expect(cause).toBeInstanceOf(Error);
      expect(inspect(cause, { depth: 9, showHidden: true })).not.toContain('the-token-of-the-service');
    }
  });

  it('are closed only for the checks of a batch that have no result', async () => {
    fault = () => ({ result: { 0: { allowed: true }, 1: { error: { message: 'x' } } } });
    const decisions = await make().many(ann, 'doc:read', [{ id: '1' }, { id: '2' }, { id: '3' }]);
    expect(decisions.map(({ reason }) => reason)).toEqual(['allowed', 'unavailable', 'unavailable']);
  });

  it('are closed at the time limit, whether the server or headersOf is slow', async () => {
    fault = () => 'hang';
    const clock = virtualClock();
    const can = make({ clock });
    const slow = make({ clock, headersOf: () => new Promise(() => {}) });
    const waiting = [can(ann, 'doc:read', { id: '1' }), slow(ann, 'doc:read', { id: '1' })];
    let settled = 0;
    for (const one of waiting) void one.then(() => settled++);
    await clock.advance(299);
    expect(settled).toBe(0);
    await clock.advance(1);
    for (const { reason, cause } of await Promise.all(waiting)) {
      expect([reason, cause]).toEqual(['unavailable', expect.objectContaining({ code: 'MAC_TIMEOUT' })]);
    }
    expect(clock.pendingTimers).toBe(0);
  });

  it('reject only the caller whose signal aborted', async () => {
    fault = () => 'hang';
    const clock = virtualClock();
    const can = make({ clock });
    const controller = new AbortController();
    const given = can(ann, 'doc:read', { id: '1' }, { signal: controller.signal });
    const other = can(ann, 'doc:read', { id: '1' });
    controller.abort(new Error('gave up'));
    await expect(given).rejects.toThrow('gave up');
    await clock.advance(300);
    expect((await other).reason).toBe('unavailable');
    await expect(can(ann, 'doc:read', { id: '1' }, { signal: controller.signal })).rejects.toThrow('gave up');
  });

  it('are requested independently of the deadlines of their callers', async () => {
    fault = () => 'hang';
    const clock = virtualClock();
    const works: unknown[] = [];
    const can = make({
      clock,
      fetch: (url, init) => {
        works.push(currentWork());
        return globalThis.fetch(url, init);
      },
    });
    const ask = (timeoutMs: number, id: string) => runWork({ clock, timeoutMs }, () => can(ann, 'doc:read', { id }));
    const hurried = ask(50, '1').catch((error: unknown) => error);
    const patient = ask(5_000, '2');
    await clock.advance(50);
    expect(await hurried).toMatchObject({ code: 'MAC_TIMEOUT' });
    await clock.advance(250);
    expect((await patient).reason).toBe('unavailable');
    expect(works).toEqual([undefined]);
    expect(can.stats().requests).toBe(1);
  });

  it('are cached if configured, and never read from the cache with higher consistency', async () => {
    const clock = virtualClock();
    const can = make({ clock, cache: { ttlMs: 1_000 } });
    const read = async (options?: object) => (await can(ann, 'doc:read', { id: '1' }, options)).allowed;
    expect([await read(), await read()]).toEqual([true, true]);
    expect(received).toHaveLength(1);
    tuples.clear();
    expect(await read()).toBe(true);
    expect(await read({ consistency: 'higher' })).toBe(false);
    expect(received.at(-1)!.body.consistency).toBe('HIGHER_CONSISTENCY');
    // The decision with higher consistency updates the cache.
    expect(await read()).toBe(false);
    tuples.add('user:a viewer doc:1');
    await clock.advance(1_000);
    expect(await read()).toBe(true);
  });

  it('are not replaced in the cache by the decision of an earlier request, and expire by when they were asked', async () => {
    const clock = virtualClock();
    const late: (() => void)[] = [];
    const can = make({
      clock,
      timeoutMs: 5_000,
      cache: { ttlMs: 1_000 },
      fetch: (_url, { body }) => {
        const { consistency, ...check } = JSON.parse(body!) as ReceivedRequest['body'];
        const response = Response.json({ allowed: allowed(check) });
        if (consistency === 'HIGHER_CONSISTENCY') return Promise.resolve(response);
        return new Promise((resolve) => late.push(() => resolve(response)));
      },
    });
    const read = (options?: object) => can(ann, 'doc:read', { id: '1' }, options);
    const early = read();
    await clock.advance(1);
    tuples.clear();
    expect((await read({ consistency: 'higher' })).allowed).toBe(false);
    late.pop()!();
    expect((await early).allowed).toBe(true);
    expect((await read()).allowed).toBe(false);
    await clock.advance(1_000);
    const slow = read();
    await clock.advance(900);
    late.pop()!();
    await slow;
    expect(can.stats().cache).toMatchObject({ hits: 1, misses: 2 });
    await clock.advance(100);
    const again = read();
    await clock.settle();
    expect(late).toHaveLength(1);
    late.pop()!();
    await again;
  });

  it('are sent in a separate request with higher consistency', async () => {
    const can = make();
    await Promise.all([
      can(ann, 'doc:read', { id: '1' }),
      can(ann, 'doc:read', { id: '1' }, { consistency: 'higher' }),
      can(ann, 'doc:read', { id: '2' }),
    ]);
    expect(received.map(({ body }) => body.consistency).sort()).toEqual(['HIGHER_CONSISTENCY', 'MINIMIZE_LATENCY']);
  });

  it.each<[string, object, string]>([
    ['plain http across the network', { apiUrl: 'http://fga.internal' }, 'apiUrl'],
    ['a URL with a query', { apiUrl: 'https://fga.example.com/?tenant=1' }, 'apiUrl'],
    ['a URL with a fragment', { apiUrl: 'https://fga.example.com/#tenant' }, 'apiUrl'],
    ['no model', { authorizationModelId: '' }, 'authorizationModelId'],
    ['an empty relation', { relationOf: { a: '' } }, 'relationOf.a'],
    ['no deadline', { timeoutMs: Infinity }, 'timeoutMs'],
    ['an invalid onFailure', { onFailure: 'deny' }, 'onFailure'],
    ['a misspelt option', { fallback: 'open' }, 'fallback'],
  ])('reject %s', (_, options, path) => {
    expect(() => make(options)).toThrow(expect.objectContaining({ path: `openFgaPermissions.${path}` }) as Error);
  });
});
