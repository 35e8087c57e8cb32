// A Valkey with the commands that servers have gained lately (SET … IFEQ, since 8.1), for tests of both ways to do a thing: VALKEY_URL,
// else a server on PATH that is new enough, else that of a newer Debian, which runs with a C library of its own.
import { chmodSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './children.mjs';
import { debianPackage } from './debian.ts';
import { ping, withServer, type Server } from './redis.ts';
import { onPath } from './toolchain.mjs';
import { filesBelow } from './workspace.ts';

/** The oldest release of Debian with a Valkey that is new enough. */
const SUITE = 'trixie';
const MIN_VERSION = { major: 8, minor: 1 };

/**
 * Runs `work` with VALKEY_URL and VALKEY_SERVER set. Where there is no such server and none can be brought, says so, and tests that
 * need it are skipped, which the last line of the run counts.
 */
export async function withValkey<T>(work: () => Promise<T>): Promise<T> {
  const given = process.env['VALKEY_URL'];
  if (given !== undefined && given !== '') {
    const { hostname, port, username, password } = new URL(given);
    const answer = await ping(hostname, Number(port || 6379), username, password).catch(
      (error: Error) => error.message,
    );
    if (answer !== '+PONG') throw new Error(`VALKEY_URL is set, but no Valkey answers there (${answer}).`);
    return await work();
  }
  const server = await findServer().catch((error: Error) => {
    console.log(
      `No Valkey ${MIN_VERSION.major}.${MIN_VERSION.minor} or newer: the tests of what only newer servers do are skipped (${error.message}). Set VALKEY_URL to one.`,
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
  const program = writeStarter(home);
  const { code, output } = await run(program, ['--version'], { output: 'capture' });
  if (code !== 0) throw new Error(`the one of Debian ${SUITE} does not run here: ${output.trim()}`);
  return { program, env: process.env };
}

/** A program that starts the server with the libraries it came with, and the loader that belongs to them. */
function writeStarter(home: string): string {
  const starter = join(home, 'valkey-server');
  if (existsSync(starter)) return starter;
  const loader = filesBelow(home, (path) => /\/ld-linux[^/]*\.so\.\d+$/.test(path))[0];
  const library = filesBelow(home, (path) => /\/libc\.so\.6$/.test(path))[0];
  if (loader === undefined || library === undefined)
    throw new Error(`its package of Debian ${SUITE} came without a loader`);
  const libraries = library.slice(0, library.lastIndexOf('/'));
  const command = `exec "$home/${loader}" --library-path "$home/${libraries}" "$home/usr/bin/valkey-server" "$@"`;
  writeFileSync(starter, `#!/bin/sh\nhome=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)\n${command}\n`);
  chmodSync(starter, 0o755);
  return starter;
}
