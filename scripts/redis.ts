// Provides a Redis for the tests: REDIS_URL, or a server on PATH, or Debian's, unpacked into `.tools`.
import { mkdtempSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { start, temporaryFolder } from './children.mjs';
import { debianPackage } from './debian.ts';
import { CheckFailed } from './programs.ts';
import { onPath } from './toolchain.mjs';
import { filesBelow } from './workspace.ts';

const SETUP_HINT =
  'The tests need a Redis or Valkey server: set REDIS_URL (for example redis://127.0.0.1:6379), or install redis-server or valkey-server.';

export interface Server {
  program: string;
  env: Record<string, string | undefined>;
}

/**
 * Runs `work` with REDIS_URL set to a running server, and stops the server afterwards if it was started here. Tests
 * that need several servers find the program in REDIS_SERVER, and its library folders in REDIS_SERVER_LIBRARIES.
 */
export async function withRedis<T>(work: () => Promise<T>): Promise<T> {
  const given = process.env['REDIS_URL'];
  if (given !== undefined && given !== '') {
    const { hostname, port, username, password } = new URL(given);
    const reply = await ping(hostname, Number(port || 6379), username, password).catch((error: Error) => error.message);
    if (reply !== '+PONG') throw new CheckFailed(`REDIS_URL is set, but no Redis responds there (${reply}).`);
    const program = findOnPath()?.program;
    if (program !== undefined) process.env['REDIS_SERVER'] ??= program;
    return await work();
  }
  const server = findOnPath() ?? (await downloadServer());
  return await withServer(server, async (url) => {
    process.env['REDIS_URL'] = url;
    process.env['REDIS_SERVER'] = server.program;
    process.env['REDIS_SERVER_LIBRARIES'] = server.env['LD_LIBRARY_PATH'] ?? '';
    try {
      return await work();
    } finally {
      for (const name of ['REDIS_URL', 'REDIS_SERVER', 'REDIS_SERVER_LIBRARIES']) delete process.env[name];
    }
  });
}

/** Runs `work` with the URL of a new server, which stores nothing on disk and is stopped afterwards. */
export async function withServer<T>(server: Server, work: (url: string) => Promise<T>): Promise<T> {
  const port = await freePort();
  const folder = temporaryFolder(mkdtempSync(join(tmpdir(), 'macadam-redis-')));
  const flags = ['--bind', '127.0.0.1', '--port', String(port), '--save', '', '--appendonly', 'no', '--dir', folder];
  const running = start(server.program, flags, { env: server.env, output: 'capture' });
  try {
    await waitUntilReady(port, running.result);
    return await work(`redis://127.0.0.1:${port}`);
  } finally {
    await running.stop();
  }
}

/** Sends PING, after AUTH if there is a password, over a new socket. Resolves with the last line of the reply. */
export async function ping(host: string, port: number, username = '', password = ''): Promise<string> {
  return await new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    let text = '';
    socket.setTimeout(5_000, () => socket.destroy(new Error('no reply within 5 s')));
    socket.once('error', reject).once('close', () => resolve(text.trim().split('\r\n').at(-1) ?? ''));
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      if (text.endsWith('\r\n') && (password === '' || text.split('\r\n').length > 2)) socket.end();
    });
    const login = ['AUTH', username === '' ? 'default' : decodeURIComponent(username), decodeURIComponent(password)];
    socket.write((password === '' ? '' : command(login)) + command(['PING']));
  });
}

function command(words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`;
}

async function waitUntilReady(port: number, ended: Promise<{ output: string }>): Promise<void> {
  let endedOutput: string | undefined;
  void ended.then(({ output }) => (endedOutput = output));
  for (let attempt = 1; attempt <= 200; attempt += 1) {
    if (endedOutput !== undefined) throw new CheckFailed(`The Redis server exited at startup:\n${endedOutput.trim()}`);
    const reply = await ping('127.0.0.1', port).catch(() => '');
    if (reply === '+PONG') return;
    await new Promise((done) => setTimeout(done, 50));
  }
  throw new CheckFailed('The Redis server did not reply to PING within 10 s.');
}

function findOnPath(): Server | undefined {
  const program = ['redis-server', 'valkey-server'].flatMap(onPath)[0];
  return program === undefined ? undefined : { program, env: process.env };
}

async function downloadServer(): Promise<Server> {
  const { home, env } = await debianPackage('redis-server').catch((error: Error) => {
    throw new CheckFailed(`${SETUP_HINT} (Downloading Debian's failed: ${error.message})`);
  });
  // The file redis-server is an absolute link to this one, which is broken where the package was unpacked.
  const program = filesBelow(home, (path) => path.endsWith('bin/redis-check-rdb'))[0];
  if (program === undefined) throw new CheckFailed(SETUP_HINT);
  return { program: join(home, dirname(program), 'redis-server'), env };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  await new Promise((done) => server.close(done));
  return typeof address === 'object' && address !== null ? address.port : 0;
}
