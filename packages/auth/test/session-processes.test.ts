// A30 with real processes: a session in Redis, shared by several processes, one of which is killed while it requests a
// token.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { redisUrl } from '@macadam/test-support/redis-servers';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';

/** Long enough to observe waiting processes, short enough for the test to wait for it. */
const LOCK_MS = 2_000;

/** A server whose refresh tokens may be used once: the second use ends the session. */
const session = { number: 0, revoked: false, refreshes: 0, hold: false, held: () => {} };
const server = createServer((request, response) => {
  let body = '';
  request.on('data', (piece) => (body += String(piece)));
  request.on('end', () => {
    session.refreshes++;
    // A request without a response: the state in which the process is killed.
    if (session.hold) return session.held();
    const form = new URLSearchParams(body);
    if (form.get('refresh_token') !== `refresh-${session.number}`) session.revoked = true;
    response.setHeader('content-type', 'application/json');
    if (session.revoked) return response.writeHead(400).end('{"error":"invalid_grant"}');
    const number = ++session.number;
    const tokens = { access_token: `access-${number}`, refresh_token: `refresh-${number}` };
    response.end(JSON.stringify({ ...tokens, token_type: 'Bearer', expires_in: 3_600 }));
  });
});

const PROGRAM = `
  import { createInterface } from 'node:readline';
  import { createClient } from 'redis';
  import { redisTokenStore, refreshTokens } from '@macadam/auth';
  const { redisUrl, tokenUrl, prefix, key, lockTtlMs } = JSON.parse(process.argv.at(-1));
  const redis = await createClient({ url: redisUrl }).connect();
  const store = redisTokenStore(redis, { encryptionKeys: [Buffer.from(key, 'hex')], prefix, lockTtlMs });
  const tokens = refreshTokens({ tokenUrl, clientId: 'shop', clientSecret: 'a secret', refreshToken: 'refresh-0', store });
  let given;
  for await (const line of createInterface({ input: process.stdin })) {
    if (line === 'renew') tokens.invalidate(given);
    given = await tokens.getToken().catch((error) => error.reason + ' ' + error.error);
    console.log(given);
  }
`;

interface Worker {
  readonly child: ChildProcess;
  ask(line: 'get' | 'renew'): Promise<string>;
}

const workers: Worker[] = [];
const key = randomBytes(32).toString('hex');
let prefix = '';

function startWorker(): Worker {
  const tokenUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`;
  const flags = ['--conditions=@macadam/source', '--input-type=module-typescript', '--eval', PROGRAM, '--'];
  const settings = JSON.stringify({ redisUrl: redisUrl(), tokenUrl, prefix, key, lockTtlMs: LOCK_MS });
  const child = spawn(process.execPath, [...flags, settings], {
    cwd: import.meta.dirname,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout! });
  const worker = {
    child,
    ask: async (line: 'get' | 'renew') => {
      const reply = once(lines, 'line') as Promise<[string]>;
      child.stdin!.write(`${line}\n`);
      return (await reply)[0];
    },
  };
  workers.push(worker);
  return worker;
}

beforeAll(async () => {
  prefix = `mat-test-${randomBytes(8).toString('hex')}`;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(() => {
  for (const { child } of workers.splice(0)) child.kill('SIGKILL');
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

it('A30: processes share a session, use each refresh token once, and survive the kill of one of them', async () => {
  const [one, two, three] = [startWorker(), startWorker(), startWorker()] as const;
  expect(await Promise.all(workers.map((worker) => worker.ask('get')))).toEqual(['access-1', 'access-1', 'access-1']);
  expect(await Promise.all(workers.map((worker) => worker.ask('renew')))).toEqual(['access-2', 'access-2', 'access-2']);
  expect(session).toMatchObject({ number: 2, refreshes: 2, revoked: false });

  // The server has received the request and not responded: the refresh token is still valid, and the lock is held.
  session.hold = true;
  const held = new Promise<void>((resolve) => (session.held = resolve));
  void one.ask('renew').catch(() => {});
  await held;
  session.hold = false;
  one.child.kill('SIGKILL');
  await once(one.child, 'exit');
  // They wait until the lock of the killed process expires.
  const replies = await Promise.all([two.ask('renew'), three.ask('renew')]);
  expect(replies).toEqual(['access-3', 'access-3']);
  expect(session).toMatchObject({ number: 3, refreshes: 4, revoked: false });
}, 60_000);
