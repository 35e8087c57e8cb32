import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { nodeRedis, type Connected } from './redis-clients.ts';
import type { ServerProgram } from './redis-servers.ts';

/** Masters on loopback that share the slots, and optional replicas of the first one. */
export interface LocalCluster {
  /** The ports of the masters, then those of the replicas. */
  readonly ports: readonly number[];
  /** Sends any command to one node. */
  command(port: number, ...args: string[]): Promise<unknown>;
  /** Kills a node with SIGKILL. */
  kill(port: number): Promise<void>;
  close(): Promise<void>;
}

export interface ClusterOptions {
  /** At least 3, the default: a majority must agree that a master is dead. */
  readonly masters?: number;
  /** Number of replicas of the first master. Default: 0. */
  readonly replicas?: number;
}

interface Node {
  readonly port: number;
  /** The port of the cluster bus. */
  readonly busPort: number;
  readonly server: ChildProcess;
}

const SLOTS = 16_384;

export async function startCluster(
  { program, env }: ServerProgram,
  { masters = 3, replicas = 0 }: ClusterOptions = {},
): Promise<LocalCluster> {
  const folder = mkdtempSync(join(tmpdir(), 'macadam-cluster-'));
  const count = masters + replicas;
  const free = await freePorts(2 * count);
  const nodes = free.slice(0, count).map((port, i): Node => {
    const busPort = free[count + i] as number;
    const flags = {
      ...{ bind: '127.0.0.1', port, dir: folder, save: '', appendonly: 'no', 'cluster-enabled': 'yes' },
      ...{ 'cluster-port': busPort, 'cluster-config-file': `nodes-${port}.conf` },
      // Without replicas there is no failover, and a busy machine must not make a node look dead.
      'cluster-node-timeout': replicas > 0 ? 1_000 : 5_000,
      'cluster-replica-validity-factor': 0,
      // Do not wait for other replicas that could share the same copy.
      'repl-diskless-sync-delay': 0,
    };
    const args = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, String(value)]);
    return { port, busPort, server: spawn(program, args, { env, stdio: 'ignore' }) };
  });
  const clients = new Map<number, Connected>();
  const command = async (port: number, ...args: string[]): Promise<unknown> => {
    const client = clients.get(port) ?? (await nodeRedis(`redis://127.0.0.1:${port}`));
    clients.set(port, client);
    return await client.command(...args);
  };
  const kill = async (port: number): Promise<void> => {
    await clients.get(port)?.close();
    clients.delete(port);
    await end(nodes.find((node) => node.port === port)!.server);
  };
  const close = async (): Promise<void> => {
    await Promise.all([...clients.values()].map((client) => client.close()));
    await Promise.all(nodes.map(({ server }) => end(server)));
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await joinNodes(nodes, masters, command);
    return { ports: nodes.map(({ port }) => port), command, kill, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Assigns slots to each master, joins all nodes, and waits until they agree on the state of the cluster. */
async function joinNodes(nodes: readonly Node[], masters: number, command: LocalCluster['command']): Promise<void> {
  const shareOf = (i: number): number => Math.ceil((SLOTS * i) / masters);
  for (const [i, { port }] of nodes.slice(0, masters).entries()) {
    await command(port, 'CLUSTER', 'ADDSLOTSRANGE', String(shareOf(i)), String(shareOf(i + 1) - 1));
    await command(port, 'CLUSTER', 'SET-CONFIG-EPOCH', String(i + 1));
  }
  for (const { port } of nodes.slice(0, masters)) {
    for (const other of nodes) {
      const address = ['127.0.0.1', String(other.port), String(other.busPort)];
      if (other.port !== port) await command(port, 'CLUSTER', 'MEET', ...address);
    }
  }
  const reports = async (port: number, section: string[], ...lines: string[]): Promise<boolean> => {
    const info = String(await command(port, ...section));
    return lines.every((line) => info.includes(line));
  };
  for (const { port } of nodes) {
    await until(() => reports(port, ['CLUSTER', 'INFO'], 'cluster_state:ok', `cluster_known_nodes:${nodes.length}`));
  }
  const first = nodes[0] as Node;
  for (const { port } of nodes.slice(masters)) {
    await command(port, 'CLUSTER', 'REPLICATE', String(await command(first.port, 'CLUSTER', 'MYID')));
    await until(() => reports(port, ['INFO', 'replication'], 'master_link_status:up'));
  }
}

async function until(check: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 600; attempt++) {
    if (await check()) return;
    await pause(25);
  }
  throw new Error('The cluster did not start');
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  return ports;
}

async function end(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const exit = once(server, 'exit');
  server.kill('SIGKILL');
  await exit;
}
