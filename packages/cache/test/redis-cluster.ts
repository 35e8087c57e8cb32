import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from 'redis';

/** Three masters on loopback, for as long as a test needs them. */
export interface LocalCluster {
  readonly ports: readonly number[];
  close(): Promise<void>;
}

const NODES = 3;
const SLOTS = 16_384;

/** The server that the workspace's tests brought; undefined where there is none to start. */
export function redisServer(): { program: string; env: NodeJS.ProcessEnv } | undefined {
  const { REDIS_SERVER: program, REDIS_SERVER_LIBRARIES: libraries } = process.env;
  if (program === undefined) return undefined;
  return { program, env: { ...process.env, ...(libraries !== '' && { LD_LIBRARY_PATH: libraries }) } };
}

export async function startCluster(): Promise<LocalCluster> {
  const server = redisServer();
  if (server === undefined) throw new Error('There is no redis-server to start');
  const folder = mkdtempSync(join(tmpdir(), 'macadam-cluster-'));
  const ports = await freePorts(NODES);
  const children = ports.map((port) => {
    const flags = ['--bind', '127.0.0.1', '--port', String(port), '--save', '', '--appendonly', 'no', '--dir', folder];
    const cluster = ['--cluster-enabled', 'yes', '--cluster-config-file', `nodes-${port}.conf`];
    return spawn(server.program, [...flags, ...cluster, '--cluster-node-timeout', '5000'], {
      env: server.env,
      stdio: 'ignore',
    });
  });
  const close = async (): Promise<void> => {
    await Promise.all(children.map((child) => ended(child)));
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await joinNodes(ports);
    return { ports, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function joinNodes(ports: readonly number[]): Promise<void> {
  const clients = await Promise.all(ports.map((port) => connectTo(port)));
  try {
    const share = Math.ceil(SLOTS / ports.length);
    for (const [i, client] of clients.entries()) {
      const last = Math.min((i + 1) * share, SLOTS) - 1;
      await client.sendCommand(['CLUSTER', 'ADDSLOTSRANGE', String(i * share), String(last)]);
      for (const port of ports) await client.sendCommand(['CLUSTER', 'MEET', '127.0.0.1', String(port)]);
    }
    for (const client of clients) {
      await until(async () => {
        const info = String(await client.sendCommand(['CLUSTER', 'INFO']));
        return info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${ports.length}`);
      });
    }
  } finally {
    for (const client of clients) client.destroy();
  }
}

async function connectTo(port: number): Promise<ReturnType<typeof createClient>> {
  const client = createClient({ url: `redis://127.0.0.1:${port}` });
  client.on('error', () => {});
  await client.connect();
  return client as ReturnType<typeof createClient>;
}

async function until(check: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt++) {
    if (await check()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('The cluster did not come up');
}

async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  const servers = Array.from({ length: count }, () => createServer());
  for (const server of servers) {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    ports.push((server.address() as { port: number }).port);
  }
  for (const server of servers) await new Promise((resolve) => server.close(resolve));
  // Nodes speak to each other at 10 000 above, which has to be a port as well.
  return ports.map((port) => (port > 55_000 ? port - 20_000 : port));
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await exit;
}
