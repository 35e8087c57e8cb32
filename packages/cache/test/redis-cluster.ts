import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from 'redis';

/** Three masters on loopback, and replicas of the first if asked for, for as long as a test needs them. */
export interface LocalCluster {
  /** Of the masters, and then of the replicas. */
  readonly ports: readonly number[];
  /** Any command to one node. */
  command(port: number, ...words: string[]): Promise<unknown>;
  /** Ends a node without notice. */
  kill(port: number): Promise<void>;
  close(): Promise<void>;
}

const NODES = 3;
const SLOTS = 16_384;

export interface ServerProgram {
  readonly name: string;
  readonly program: string;
  readonly env: NodeJS.ProcessEnv;
}

/** The servers that the workspace's tests brought; those that there are to start. */
export function serverPrograms(): ServerProgram[] {
  const { REDIS_SERVER: redis, REDIS_SERVER_LIBRARIES: libraries, VALKEY_SERVER: valkey } = process.env;
  const env = { ...process.env, ...(libraries !== '' && { LD_LIBRARY_PATH: libraries }) };
  return [
    ...(redis === undefined ? [] : [{ name: 'Redis', program: redis, env }]),
    ...(valkey === undefined ? [] : [{ name: 'Valkey', program: valkey, env: process.env }]),
  ];
}

export async function startCluster(server: ServerProgram, replicas: number = 0): Promise<LocalCluster> {
  const folder = mkdtempSync(join(tmpdir(), 'macadam-cluster-'));
  const ports = await freePorts(NODES + replicas);
  const children = ports.map((port) => {
    const flags = ['--bind', '127.0.0.1', '--port', String(port), '--save', '', '--appendonly', 'no', '--dir', folder];
    const cluster = ['--cluster-enabled', 'yes', '--cluster-config-file', `nodes-${port}.conf`];
    // Where nothing can take a node's place, a busy machine must not make it look dead.
    const timeout = [
      '--cluster-node-timeout',
      replicas > 0 ? '1000' : '5000',
      '--cluster-replica-validity-factor',
      '0',
    ];
    // A replica need not wait for others that could be given the same copy.
    const replication = ['--repl-diskless-sync-delay', '0'];
    return spawn(server.program, [...flags, ...cluster, ...timeout, ...replication], {
      env: server.env,
      stdio: 'ignore',
    });
  });
  const clients = new Map<number, ReturnType<typeof createClient>>();
  const command = async (port: number, ...words: string[]): Promise<unknown> => {
    const client = clients.get(port) ?? (await connectTo(port));
    clients.set(port, client);
    return client.sendCommand(words);
  };
  const kill = async (port: number): Promise<void> => {
    clients.get(port)?.destroy();
    clients.delete(port);
    await ended(children[ports.indexOf(port)] as ChildProcess);
  };
  const close = async (): Promise<void> => {
    for (const client of clients.values()) client.destroy();
    await Promise.all(children.map((child) => ended(child)));
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await joinNodes(ports, command);
    return { ports, command, kill, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function joinNodes(ports: readonly number[], command: LocalCluster['command']): Promise<void> {
  const masters = ports.slice(0, NODES);
  const share = Math.ceil(SLOTS / NODES);
  for (const [i, master] of masters.entries()) {
    const last = Math.min((i + 1) * share, SLOTS) - 1;
    await command(master, 'CLUSTER', 'ADDSLOTSRANGE', String(i * share), String(last));
    for (const port of ports) await command(master, 'CLUSTER', 'MEET', '127.0.0.1', String(port));
  }
  const isKnown = async (port: number): Promise<boolean> => {
    const info = String(await command(port, 'CLUSTER', 'INFO'));
    return info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${ports.length}`);
  };
  for (const port of ports) await until(() => isKnown(port));
  for (const replica of ports.slice(NODES)) {
    await command(replica, 'CLUSTER', 'REPLICATE', String(await command(masters[0] as number, 'CLUSTER', 'MYID')));
    await until(async () => String(await command(replica, 'INFO', 'replication')).includes('master_link_status:up'));
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
