// Many calls leave nothing behind: no listeners, timers or memory. In virtual time.
import { createHmac } from 'node:crypto';
import { getEventListeners } from 'node:events';
import { seededRandom } from '@macadam/testkit';
import { describe, expect, it } from 'vitest';
import {
  bearer,
  createDpopKey,
  createDpopVerifier,
  createHmacJwsVerifier,
  createIntrospector,
  memoryTokenStore,
  refreshTokens,
  tokenExchanges,
} from '../src/index.ts';
import { client, stageTokens, TokenEndpoint } from './token-endpoint.ts';
import { base64url } from './tokens.ts';

function heapUsed(): number {
  for (let n = 0; n < 3; n++) globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

describe('a token client', () => {
  it('leaves no listener and no timer, however a wait ends', async () => {
    const { clock, endpoint, tokens } = stageTokens();
    const shared = new AbortController();
    for (let call = 0; call < 50; call++) {
      const release = endpoint.hold();
      const waits = Array.from({ length: 20 }, () => tokens.getToken({ signal: shared.signal }));
      const leaving = new AbortController();
      const left = tokens.getToken({ signal: leaving.signal }).catch(() => 'gone');
      leaving.abort();
      expect(await left).toBe('gone');
      expect(getEventListeners(leaving.signal, 'abort')).toHaveLength(0);
      release();
      tokens.invalidate((await Promise.all(waits))[0]!);
      await clock.advance(10_000);
    }
    endpoint.fail();
    for (let call = 0; call < 50; call++) await tokens.getToken({ signal: shared.signal }).catch(() => {});
    expect(getEventListeners(shared.signal, 'abort')).toHaveLength(0);
    expect(clock.pendingTimers).toBe(0);
  });

  it('can be garbage-collected although its counts are exported', async () => {
    const made: WeakRef<object>[] = [];
    for (let n = 0; n < 50; n++) {
      const { tokens } = stageTokens();
      bearer(tokens);
      await tokens.getToken();
      made.push(new WeakRef(tokens));
    }
    await new Promise((resolve) => setImmediate(resolve));
    heapUsed();
    await new Promise((resolve) => setImmediate(resolve));
    heapUsed();
    expect(made.filter((one) => one.deref() !== undefined).length).toBeLessThan(5);
  });

  it('keeps at most maxSubjects of 100,000 subjects', async () => {
    const endpoint = new TokenEndpoint();
    const exchanges = tokenExchanges({ ...client, fetch: endpoint.fetch, maxSubjects: 100 });
    for (let n = 0; n < 1_000; n++) exchanges.for(`warm-${n}`);
    const before = heapUsed();
    for (let n = 0; n < 100_000; n++) exchanges.for(`caller-${n}`);
    expect(exchanges.stats().subjects).toBe(100);
    expect(heapUsed() - before).toBeLessThan(4_000_000);
    await exchanges.close();
  });

  it('leaves no lock in the memory store', async () => {
    const store = memoryTokenStore();
    const endpoint = new TokenEndpoint();
    const before = heapUsed();
    for (let n = 0; n < 2_000; n++) {
      const tokens = refreshTokens({
        ...client,
        refreshToken: 'the same',
        fetch: endpoint.fetch,
        store,
        random: seededRandom(n),
      });
      await tokens.getToken();
    }
    expect(endpoint.calls).toBe(1);
    expect(heapUsed() - before).toBeLessThan(8_000_000);
  });
});

describe('refresh tokens that could not be saved', () => {
  it('are forgotten with the clients of their session', async () => {
    const store = { ...memoryTokenStore(), save: () => Promise.reject(new Error('down')) };
    const before = heapUsed();
    for (let round = 0; round < 4; round++) {
      const { clock, endpoint } = stageTokens();
      endpoint.respond = ({ form }) =>
        endpoint.plain({ access_token: 'a'.repeat(50_000), refresh_token: `${form.get('refresh_token')}-next` });
      const tokens = Array.from({ length: 100 }, (_, n) =>
        refreshTokens({ ...client, refreshToken: `${round}-${n}`, fetch: endpoint.fetch, clock, store }).getToken(),
      );
      await clock.advance(1_000);
      await Promise.all(tokens);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(heapUsed() - before).toBeLessThan(10_000_000);
  });
});

describe('verifiers', () => {
  it('keep cached headers without the tokens they came with', async () => {
    const secret = new Uint8Array(32).fill(7);
    const verifier = createHmacJwsVerifier({ algorithm: 'HS256', secrets: [{ secret }], maxTokenLength: 1_048_576 });
    const content = base64url('x'.repeat(600_000));
    const before = heapUsed();
    for (let n = 0; n < 30; n++) {
      const input = `${base64url(JSON.stringify({ alg: 'HS256', 'x-number': n }))}.${content}`;
      const mac = createHmac('sha256', secret).update(input).digest('base64url');
      // A flat string, as it is received from a socket, and not a concatenation.
      await verifier.verify(Buffer.from(`${input}.${mac}`).toString('latin1'));
    }
    expect(verifier.stats().accepted).toBe(30);
    expect(heapUsed() - before).toBeLessThan(10_000_000);
  });

  it('keep at most maxEntries introspected tokens', async () => {
    const endpoint = new TokenEndpoint();
    endpoint.respond = ({ form }) => Response.json({ active: true, sub: form.get('token') });
    const introspector = createIntrospector({
      introspectionUrl: 'https://id.example.com/introspect',
      clientId: 'a',
      clientSecret: 'b',
      audience: [],
      fetch: endpoint.fetch,
      cache: { maxEntries: 100 },
    });
    for (let n = 0; n < 1_000; n++) await introspector.verify(`token-${n}`);
    expect(introspector.stats().cache.entries).toBe(100);
  });

  it('keep proofs only as long as they could be replayed', async () => {
    const { clock } = stageTokens();
    const key = createDpopKey({ clock });
    const server = createDpopVerifier({ clock, maxAgeMs: 1_000, clockToleranceMs: 0 });
    const target = { method: 'GET', url: 'https://orders.example.com/' };
    const before = heapUsed();
    for (let n = 0; n < 500; n++) {
      await server.verifyProof({ ...target, headers: { dpop: await key.proof(target) } });
      await clock.advance(100);
    }
    expect(server.stats().accepted).toBe(500);
    expect(heapUsed() - before).toBeLessThan(4_000_000);
    expect(clock.pendingTimers).toBe(0);
  });
});
