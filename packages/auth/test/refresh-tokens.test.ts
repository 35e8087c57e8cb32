// A30: refresh tokens that may be used only once, by processes that share a session. In virtual time.
import { seededRandom, virtualClock, type VirtualClock } from '@macadam/testkit';
import { describe, expect, it } from 'vitest';
import {
  memoryTokenStore,
  refreshTokens,
  type StoredTokens,
  type TokenClient,
  type TokenRequestError,
  type TokenStore,
} from '../src/index.ts';
import { client, TokenEndpoint } from './token-endpoint.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** An authorization server that ends the session when a refresh token is used for the second time. */
class RotatingServer extends TokenEndpoint {
  #valid = 'refresh-0';
  revoked = false;
  number = 0;

  constructor() {
    super();
    this.respond = ({ form }) => {
      if (form.get('refresh_token') !== this.#valid) this.revoked = true;
      if (this.revoked) return Response.json({ error: 'invalid_grant' }, { status: 400 });
      this.#valid = `refresh-${++this.number}`;
      return this.plain({ access_token: `access-${this.number}`, refresh_token: this.#valid });
    };
  }
}

interface Session {
  clock: VirtualClock;
  server: RotatingServer;
  process(store?: TokenStore, scope?: string): TokenClient;
}

function session(): Session {
  const clock = virtualClock({ settle: 'eventLoop' });
  const server = new RotatingServer();
  let seed = 0;
  const process = (store?: TokenStore, scope?: string): TokenClient =>
    refreshTokens({
      ...client,
      refreshToken: 'refresh-0',
      fetch: server.fetch,
      clock,
      random: seededRandom(seed++),
      ...(store !== undefined && { store }),
      ...(scope !== undefined && { scope }),
    });
  return { clock, server, process };
}

const errorOf = (promise: Promise<unknown>): Promise<TokenRequestError> =>
  promise.then(
    () => expect.unreachable('a token came'),
    (error: unknown) => error as TokenRequestError,
  );

describe('A30: a refresh token that changes with each use', () => {
  it('is used once, then the next one is used', async () => {
    const { clock, server, process } = session();
    const tokens = process();
    for (let round = 1; round <= 5; round++) {
      expect(await tokens.getToken()).toBe(`access-${round}`);
      await clock.advance(HOUR);
    }
    expect(server.revoked).toBe(false);
    expect(server.requests.map(({ form }) => form.get('refresh_token'))).toEqual(
      Array.from({ length: 5 }, (_, n) => `refresh-${n}`),
    );
  });

  it('is used by one of ten processes with a shared store, and the others use its new token', async () => {
    const { clock, server, process } = session();
    const store = memoryTokenStore();
    const processes = Array.from({ length: 10 }, () => process(store));
    for (let round = 1; round <= 4; round++) {
      const got = await Promise.all(processes.map((tokens) => tokens.getToken()));
      expect(new Set(got)).toEqual(new Set([`access-${round}`]));
      await clock.advance(HOUR);
    }
    expect(server).toMatchObject({ calls: 4, revoked: false });
  });

  it('is not used by a process that starts later and finds a recent token, with its age', async () => {
    const { clock, server, process } = session();
    const store = memoryTokenStore();
    await process(store).getToken();
    await clock.advance(20 * MINUTE);
    const late = process(store);
    expect(await late.getToken()).toBe('access-1');
    expect(late.stats().expiresInMs).toBe(40 * MINUTE);
    await clock.advance(40 * MINUTE - 10_000);
    expect(late.peekToken()).not.toBe('access-1');
    await clock.settle();
    expect(server.revoked).toBe(false);
  });

  it('is used by one process in background refreshes, too', async () => {
    const { clock, server, process } = session();
    const store = memoryTokenStore();
    const processes = Array.from({ length: 10 }, () => process(store));
    await Promise.all(processes.map((tokens) => tokens.getToken()));
    for (let minute = 0; minute < 58; minute++) {
      await clock.advance(MINUTE);
      for (const tokens of processes) expect(tokens.peekToken()).toBeDefined();
    }
    expect(server.revoked).toBe(false);
    expect(server.calls).toBeLessThanOrEqual(3);
  });

  it('without a shared store, its second use revokes the session', async () => {
    const { clock, server, process } = session();
    const processes = [process(), process()];
    await processes[0]!.getToken();
    await errorOf(processes[1]!.getToken());
    expect(server.revoked).toBe(true);
    await clock.settle();
  });

  it('is used again when the current access token was rejected', async () => {
    const { server, process } = session();
    const tokens = process(memoryTokenStore());
    tokens.invalidate(await tokens.getToken());
    expect(await tokens.getToken()).toBe('access-2');
    expect(server.revoked).toBe(false);
  });

  it('is not sent again for 10 minutes after invalid_grant, unless the store has another one', async () => {
    const { clock, server, process } = session();
    server.revoked = true;
    const saved: Parameters<TokenStore['save']>[1][] = [];
    const store: TokenStore = { ...memoryTokenStore(), load: () => Promise.resolve(saved.at(-1)) };
    const tokens = process(store);
    for (let minute = 0; minute < 10; minute++) {
      expect(await errorOf(tokens.getToken())).toMatchObject({ error: 'invalid_grant', status: 400, retryable: false });
      await clock.advance(MINUTE);
    }
    expect(server.calls).toBe(1);
    await errorOf(tokens.getToken());
    expect(server.calls).toBe(2);
    server.revoked = false;
    saved.push({ refreshToken: 'refresh-0' });
    await clock.advance(MINUTE);
    // The same token was rejected a minute ago.
    await errorOf(tokens.getToken());
    expect(server.calls).toBe(2);
    server.respond = ({ form }) => server.plain({ access_token: `for-${form.get('refresh_token')}` });
    saved.push({ refreshToken: 'another' });
    await clock.advance(MINUTE);
    expect(await tokens.getToken()).toBe('for-another');
  });

  it('is sent again after a server error, which rejects nothing', async () => {
    const { clock, server, process } = session();
    const working = server.respond;
    server.fail(503);
    const tokens = process();
    await errorOf(tokens.getToken());
    server.respond = working;
    await clock.advance(2_000);
    expect(await tokens.getToken()).toBe('access-1');
  });

  it('is saved with retries, and not lost when saving fails', async () => {
    const { clock, process } = session();
    const store = memoryTokenStore();
    let failures = 4;
    const flaky: TokenStore = {
      ...store,
      save: (key, value) => (failures-- > 0 ? Promise.reject(new Error('down')) : store.save(key, value)),
    };
    const tokens = process(flaky);
    const first = tokens.getToken();
    await clock.advance(1_000);
    expect(await first).toBe('access-1');
    await clock.advance(HOUR);
    const second = tokens.getToken();
    await clock.advance(1_000);
    expect(await second).toBe('access-2');
    // A later process finds it.
    expect(await process(flaky).getToken()).toBe('access-2');
  });

  it('is used by the other clients of the process when it could not be saved', async () => {
    const { clock, server, process } = session();
    const store = memoryTokenStore();
    let isDown = true;
    const flaky: TokenStore = {
      ...store,
      save: (key, value) => (isDown ? Promise.reject(new Error('down')) : store.save(key, value)),
    };
    const first = process(flaky, 'orders').getToken();
    await clock.advance(1_000);
    expect(await first).toBe('access-1');
    isDown = false;
    // The same token for the same scope, which is saved now; then another one, by the refresh token that came with it.
    expect(await process(flaky, 'orders').getToken()).toBe('access-1');
    expect(await process({ ...flaky }, 'orders').getToken()).toBe('access-1');
    isDown = true;
    const [third] = [process(flaky, 'billing').getToken(), await clock.advance(1_000)];
    expect(await third).toBe('access-2');
    const [fourth] = [process(flaky, 'payments').getToken(), await clock.advance(1_000)];
    expect(await fourth).toBe('access-3');
    expect(server.revoked).toBe(false);
  });

  it('is saved when the client is closed while it is used, and close waits for that', async () => {
    const { clock, server, process } = session();
    const store = memoryTokenStore();
    const rotate = server.respond!;
    let release!: () => void;
    const released = new Promise<void>((resolve) => (release = resolve));
    server.respond = async (request) => {
      const response = rotate(request);
      await released;
      return await response;
    };
    const [first, second] = [process(store), process(store, 'billing')];
    const waiting = Promise.all([first, second].map((one) => errorOf(one.getToken())));
    await clock.settle();
    expect(server.calls).toBe(1);
    let closed = false;
    const closing = Promise.all([first, second].map((one) => one.close())).then(() => (closed = true));
    // Those who wait for a token do not wait any longer. The second one has not sent the refresh token, and will not.
    for (const error of await waiting) expect(error).toMatchObject({ code: 'MAC_CLOSED' });
    expect(closed).toBe(false);
    release();
    await closing;
    await clock.settle();
    expect(clock.pendingTimers).toBe(0);
    expect(await process(store).getToken()).toBe('access-1');
    expect(await process(store, 'billing').getToken()).toBe('access-2');
    expect(server).toMatchObject({ calls: 2, revoked: false });
  });

  it('is not awaited for ever by close', async () => {
    const { clock, server, process } = session();
    server.respond = () => new Promise(() => {});
    const tokens = process({ ...memoryTokenStore(), save: () => new Promise(() => {}) });
    const failed = errorOf(tokens.getToken());
    await clock.settle();
    const closing = tokens.close();
    expect(await failed).toMatchObject({ code: 'MAC_CLOSED' });
    await clock.advance(10_000);
    await closing;
    await tokens.close();
  });

  it('rejects when the lock cannot be obtained', async () => {
    const { process } = session();
    const store: TokenStore = { ...memoryTokenStore(), withLock: () => Promise.reject(new Error('the lock is taken')) };
    expect(await errorOf(process(store).getToken())).toMatchObject({ reason: 'store', retryable: true });
  });

  it('times out on a store that never settles', async () => {
    const { clock, process } = session();
    for (const hung of ['load', 'save', 'withLock'] as const) {
      const store: TokenStore = { ...memoryTokenStore(), [hung]: () => new Promise(() => {}) };
      const failed = errorOf(process(store).getToken());
      await clock.advance(60_000);
      expect(await failed, hung).toMatchObject({ reason: 'store', retryable: true });
    }
  });

  it('is not replaced by the initial one when the store returns something other than a session', async () => {
    for (const saved of [{}, { refreshToken: '' }, { refreshToken: 7 }, 'text']) {
      const { server, process } = session();
      const store = { ...memoryTokenStore(), load: () => Promise.resolve(saved as never) };
      expect(await errorOf(process(store).getToken())).toMatchObject({ reason: 'store', retryable: true });
      expect(server.calls).toBe(0);
    }
    const { server, process } = session();
    const none = { ...memoryTokenStore(), load: () => Promise.resolve(null as never) };
    expect(await process(none).getToken()).toBe('access-1');
    expect(server.calls).toBe(1);
  });

  it('replaces an access token that the store returns as something else', async () => {
    const { clock } = session();
    for (const odd of [
      { accessToken: 'kept', grantedAtMs: Number.NaN, lifetimeMs: HOUR },
      { accessToken: 'kept', grantedAtMs: clock.now(), lifetimeMs: `${HOUR}` },
      { accessToken: 7, grantedAtMs: clock.now(), lifetimeMs: HOUR },
      'kept',
      null,
    ]) {
      const { server, process } = session();
      const store = memoryTokenStore();
      await process(store).getToken();
      const load = async (key: string) => {
        const { refreshToken, accessTokens } = (await store.load(key))!;
        const changed = Object.fromEntries(Object.keys(accessTokens!).map((request) => [request, odd as never]));
        return { refreshToken, accessTokens: changed };
      };
      expect(await process({ ...store, load }).getToken()).toBe('access-2');
      expect(server.revoked).toBe(false);
    }
  });

  it('A29: is separate for each server, client and session, and its key is a hash', async () => {
    const keys = new Set<string>();
    const store: TokenStore = { ...memoryTokenStore(), withLock: (key, run) => (keys.add(key), run()) };
    const server = new TokenEndpoint();
    const options = { ...client, fetch: server.fetch, store };
    for (const different of [
      { refreshToken: 'one' },
      { refreshToken: 'two' },
      { refreshToken: 'one', clientId: 'other' },
      { refreshToken: 'one', tokenUrl: 'https://other.example.com/token' },
    ]) {
      await refreshTokens({ ...options, ...different }).getToken();
    }
    expect(keys.size).toBe(4);
    expect([...keys].join()).not.toMatch(/one|two/);
  });

  it('is used by one of several clients that request different scopes, and each gets its own access tokens', async () => {
    const { clock, server, process } = session();
    const store = memoryTokenStore();
    const clients = ['orders', 'billing'].map((scope) => [process(store, scope), process(store, scope)]);
    for (const round of [0, 1, 2]) {
      const tokens = await Promise.all(clients.map((pair) => Promise.all(pair.map((one) => one.getToken()))));
      expect(tokens).toEqual([
        [`access-${2 * round + 1}`, `access-${2 * round + 1}`],
        [`access-${2 * round + 2}`, `access-${2 * round + 2}`],
      ]);
      await clock.advance(HOUR);
    }
    expect(server.requests.map(({ form }) => form.get('scope'))).toEqual(
      [0, 1, 2].flatMap(() => ['orders', 'billing']),
    );
    expect(server).toMatchObject({ calls: 6, revoked: false });
  });

  it('is stored with the access tokens that have not expired', async () => {
    const { clock, process } = session();
    const memory = memoryTokenStore();
    const saved: StoredTokens[] = [];
    const store: TokenStore = { ...memory, save: (key, tokens) => (saved.push(tokens), memory.save(key, tokens)) };
    for (const scope of ['a', 'b', 'c']) {
      await process(store, scope).getToken();
      await clock.advance(30 * MINUTE);
    }
    expect(saved.map(({ accessTokens = {} }) => Object.values(accessTokens).map((one) => one.accessToken))).toEqual([
      ['access-1'],
      ['access-1', 'access-2'],
      ['access-2', 'access-3'],
    ]);
  });
});
