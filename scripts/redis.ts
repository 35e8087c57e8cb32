// A Redis for the tests: REDIS_URL, else a server on PATH, else Debian's, unpacked into the folder of tools.
import { mkdirSync, mkdtempSync, readdirSync, renameSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { run, start, temporaryFolder } from './children.mjs';
import { CheckFailed } from './programs.ts';
import { onPath } from './toolchain.mjs';
import { filesBelow, root } from './workspace.ts';

const howTo =
  'The tests need a Redis or Valkey server: set REDIS_URL (for example redis://127.0.0.1:6379), or install redis-server or valkey-server.';

interface Server {
  program: string;
  env: Record<string, string | undefined>;
}

/** Runs `work` with REDIS_URL set to a server that answers, and stops the server afterwards if it is ours. */
export async function withRedis<T>(work: () => Promise<T>): Promise<T> {
  const given = process.env['REDIS_URL'];
  if (given !== undefined && given !== '') {
    const { hostname, port, username, password } = new URL(given);
    const answer = await ping(hostname, Number(port || 6379), username, password).catch(
      (error: Error) => error.message,
    );
    if (answer !== '+PONG') throw new CheckFailed(`REDIS_URL is set, but no Redis answers there (${answer}).`);
    return await work();
  }
  const server = findOnPath() ?? (await bringFromDebian());
  const port = await freePort();
  const folder = temporaryFolder(mkdtempSync(join(tmpdir(), 'macadam-redis-')));
  const flags = ['--bind', '127.0.0.1', '--port', String(port), '--save', '', '--appendonly', 'no', '--dir', folder];
  const running = start(server.program, flags, { env: server.env, output: 'capture' });
  try {
    await answers(port, running.result);
    process.env['REDIS_URL'] = `redis://127.0.0.1:${port}`;
    return await work();
  } finally {
    delete process.env['REDIS_URL'];
    await running.stop();
  }
}

/** Sends PING, after AUTH if there is a password, over a socket of its own; resolves to the first line of the answer. */
export async function ping(host: string, port: number, username = '', password = ''): Promise<string> {
  return await new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    let text = '';
    socket.setTimeout(5_000, () => socket.destroy(new Error('no answer within 5 s')));
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

async function answers(port: number, ended: Promise<{ output: string }>): Promise<void> {
  let over: string | undefined;
  void ended.then(({ output }) => (over = output));
  for (let attempt = 1; attempt <= 200; attempt += 1) {
    if (over !== undefined) throw new CheckFailed(`The Redis server ended at once:\n${over.trim()}`);
    const answer = await ping('127.0.0.1', port).catch(() => '');
    if (answer === '+PONG') return;
    await new Promise((done) => setTimeout(done, 50));
  }
  throw new CheckFailed('The Redis server did not answer PING within 10 s.');
}

function findOnPath(): Server | undefined {
  const program = ['redis-server', 'valkey-server'].flatMap(onPath)[0];
  return program === undefined ? undefined : { program, env: process.env };
}

/**
 * Downloads Debian's package with what it needs and unpacks it: nothing is installed, so it takes no rights, starts no
 * service and changes nothing on the machine.
 */
async function bringFromDebian(): Promise<Server> {
  const home = join(root, '.tools', 'redis');
  const unpacked = () => filesBelow(home, (path) => path.endsWith('bin/redis-check-rdb'))[0];
  if (unpacked() === undefined) {
    if (onPath('apt-get').length === 0 || onPath('dpkg').length === 0) throw new CheckFailed(howTo);
    console.log("Bringing Debian's redis-server ...");
    await unpackPackage('redis-server', home).catch((error: Error) => {
      throw new CheckFailed(`${howTo} (Bringing Debian's did not work: ${error.message})`);
    });
  }
  const program = unpacked();
  if (program === undefined) throw new CheckFailed(howTo);
  const libraries = new Set(filesBelow(home, (path) => path.includes('.so.')).map((path) => join(home, dirname(path))));
  return {
    program: join(home, dirname(program), 'redis-server'),
    env: { ...process.env, LD_LIBRARY_PATH: [...libraries].join(':') },
  };
}

async function unpackPackage(name: string, home: string): Promise<void> {
  const aside = temporaryFolder(`${home}.${process.pid}`);
  const [lists, cache, files] = ['lists', 'cache', 'files'].map((part) => join(aside, part)) as [
    string,
    string,
    string,
  ];
  for (const folder of [join(lists, 'partial'), join(cache, 'archives', 'partial'), files]) {
    mkdirSync(folder, { recursive: true });
  }
  const settings = [
    `Dir::State::lists=${lists}`,
    `Dir::Cache=${cache}`,
    'Debug::NoLocking=1',
    'APT::Sandbox::User=root',
  ];
  const apt = ['-qq', '-y', ...settings.flatMap((setting) => ['-o', setting])];
  const steps = [['update'], ['install', '--download-only', '--no-install-recommends', name]];
  for (const step of steps) {
    const { code, output } = await run('apt-get', [...apt, ...step], { output: 'capture' });
    if (code !== 0) throw new Error(output.trim().split('\n').at(-1) ?? 'apt-get failed');
  }
  const archives = readdirSync(join(cache, 'archives')).filter((file) => file.endsWith('.deb'));
  for (const archive of archives) {
    const { code, output } = await run('dpkg', ['-x', join(cache, 'archives', archive), files], { output: 'capture' });
    if (code !== 0) throw new Error(output.trim());
  }
  renameSync(files, home);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  await new Promise((done) => server.close(done));
  return typeof address === 'object' && address !== null ? address.port : 0;
}
