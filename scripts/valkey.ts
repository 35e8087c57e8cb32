// Provides a Valkey with recent commands (SET … IFEQ, since 8.1), so that tests cover servers with and without them:
// VALKEY_URL, or a new enough server on PATH, or that of a newer Debian, which brings its own C library.
import { chmodSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './children.mjs';
import { debianPackage } from './debian.ts';
import { ping, withServer, type Server } from './redis.ts';
import { onPath } from './toolchain.mjs';
import { filesBelow } from './workspace.ts';

/** The oldest Debian release with a new enough Valkey. */
const SUITE = 'trixie';
const MIN_VERSION = { major: 8, minor: 1 };

/**
 * Runs `work` with VALKEY_URL and VALKEY_SERVER set. Without such a server, prints a notice, and the tests that need it
 * are skipped, which the totals show.
 */
export async function withValkey<T>(work: () => Promise<T>): Promise<T> {
  const given = process.env['VALKEY_URL'];
  if (given !== undefined && given !== '') {
    const { hostname, port, username, password } = new URL(given);
    const reply = await ping(hostname, Number(port || 6379), username, password).catch((error: Error) => error.message);
    if (reply !== '+PONG') throw new Error(`VALKEY_URL is set, but no Valkey responds there (${reply}).`);
    return await work();
  }
  const server = await findServer().catch((error: Error) => {
    console.log(
      `No Valkey ${MIN_VERSION.major}.${MIN_VERSION.minor} or newer: tests that need a newer server are skipped (${error.message}). Set VALKEY_URL to one.`,
    );
  });
  if (server === undefined) return await work();
  return await withServer(server, async (url) => {
    Object.assign(process.env, { VALKEY_URL: url, VALKEY_SERVER: server.program });
    try {
      return await work();
    } finally {
      for (const name of ['VALKEY_URL', 'VALKEY_SERVER']) delete process.env[name];
    }
  });
}

async function findServer(): Promise<Server> {
  for (const program of onPath('valkey-server')) {
    const { output } = await run(program, ['--version'], { output: 'capture' });
    const [, major = 0, minor = 0] = (/v=(\d+)\.(\d+)/.exec(output) ?? []).map(Number);
    if (major > MIN_VERSION.major || (major === MIN_VERSION.major && minor >= MIN_VERSION.minor))
      return { program, env: process.env };
  }
  const { home } = await debianPackage('valkey-server', { suite: SUITE });
  const program = writeLauncher(home);
  const { code, output } = await run(program, ['--version'], { output: 'capture' });
  if (code !== 0) throw new Error(`the server of Debian ${SUITE} does not run on this machine: ${output.trim()}`);
  return { program, env: process.env };
}

/** Writes a shell script that starts the server with its own dynamic loader and libraries. */
function writeLauncher(home: string): string {
  const launcher = join(home, 'valkey-server');
  if (existsSync(launcher)) return launcher;
  const loader = filesBelow(home, (path) => /\/ld-linux[^/]*\.so\.\d+$/.test(path))[0];
  const library = filesBelow(home, (path) => /\/libc\.so\.6$/.test(path))[0];
  if (loader === undefined || library === undefined)
    throw new Error(`the package of Debian ${SUITE} contains no dynamic loader`);
  const libraries = library.slice(0, library.lastIndexOf('/'));
  const command = `exec "$home/${loader}" --library-path "$home/${libraries}" "$home/usr/bin/valkey-server" "$@"`;
  writeFileSync(launcher, `#!/bin/sh\nhome=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)\n${command}\n`);
  chmodSync(launcher, 0o755);
  return launcher;
}
