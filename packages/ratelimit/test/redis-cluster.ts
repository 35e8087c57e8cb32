import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Cluster, Redis } from 'ioredis';
import { createCluster } from 'redis';
import type { Connected } from './redis-server.ts';

/** Three servers that share the slots, made of the program that serves the other tests. */
export interface TestCluster {
  readonly ports: readonly number[];
  close(): Promise<void>;
}

interface Program {
  readonly path: string;
  readonly env: NodeJS.ProcessEnv;
}

/** The program of the server that the workspace's tests brought; undefined where there is none to start. */
export function serverProgram(): Program | undefined {
  const { REDIS_SERVER: path, REDIS_SERVER_LIBRARIES: libraries } = process.env;
  if (path === undefined) return undefined;
  return { path, env: { ...process.env, ...(libraries !== '' && { LD_LIBRARY_PATH: libraries }) } };
}

export async function startCluster({ path, env }: Program): Promise<TestCluster> {
  const folder = mkdtempSync(join(tmpdir(), 'ratelimit-cluster-'));
  const ports = await freePorts(6);
  const servers: ChildProcess[] = [];
  for (const [i, port] of ports.slice(0, 3).entries()) {
    const flags = { bind: '127.0.0.1', port, dir: folder, save: '', appendonly: 'no' };
    const cluster = {
      'cluster-enabled': 'yes',
      'cluster-config-file': `nodes-${i}.conf`,
      'cluster-port': ports[i + 3] as number,
    };
    const words = Object.entries({ ...flags, ...cluster }).flatMap(([name, value]) => [`--${name}`, String(value)]);
    servers.push(spawn(path, words, { env, stdio: 'ignore' }));
  }
  const close = async (): Promise<void> => {
    await Promise.all(
      servers.map(async (server) => {
        if (server.exitCode !== null || !server.kill('SIGKILL')) return;
        await new Promise((done) => server.once('exit', done));
      }),
    );
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await meet(ports);
  } catch (error) {
    await close();
    throw error;
  }
  return { ports: ports.slice(0, 3), close };
}

/** Gives each server its third of the slots, lets them meet, and waits until all agree. */
async function meet(ports: readonly number[]): Promise<void> {
  const nodes = ports
    .slice(0, 3)
    .map((port) => new Redis({ port, host: '127.0.0.1', retryStrategy: () => 50, maxRetriesPerRequest: null }));
  for (const node of nodes) node.on('error', () => {});
  try {
    for (const [i, node] of nodes.entries()) {
      const range = [Math.ceil((16_384 * i) / 3), Math.ceil((16_384 * (i + 1)) / 3) - 1].map(String);
      await node.call('CLUSTER', 'ADDSLOTSRANGE', ...range);
      await node.call('CLUSTER', 'SET-CONFIG-EPOCH', String(i + 1));
      if (i > 0) await nodes[0]?.call('CLUSTER', 'MEET', '127.0.0.1', String(ports[i]), String(ports[i + 3]));
    }
    for (const node of nodes) {
      for (;;) {
        const info = String(await node.call('CLUSTER', 'INFO'));
        if (info.includes('cluster_state:ok') && info.includes('cluster_known_nodes:3')) break;
        await pause(20);
      }
    }
  } finally {
    for (const node of nodes) node.disconnect();
  }
}

export async function nodeRedisCluster({ ports }: TestCluster): Promise<Connected> {
  const client = createCluster({ rootNodes: ports.map((port) => ({ url: `redis://127.0.0.1:${port}` })) });
  client.on('error', () => {});
  await client.connect();
  return {
    client,
    command: (...words) => client.sendCommand(undefined, false, words),
    close: async () => client.destroy(),
  };
}

export async function ioRedisCluster({ ports }: TestCluster): Promise<Connected> {
  const client = new Cluster(
    ports.map((port) => ({ host: '127.0.0.1', port })),
    { lazyConnect: true },
  );
  client.on('error', () => {});
  await client.connect();
  return {
    client,
    command: (name, ...words) => client.call(name as string, ...words),
    close: async () => client.disconnect(),
  };
}

async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<ReturnType<typeof createServer>>((resolve) => {
          const server = createServer().listen(0, '127.0.0.1', () => resolve(server));
        }),
    ),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  return ports;
}
