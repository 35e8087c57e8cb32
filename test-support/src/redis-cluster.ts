import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { nodeRedis, type Connected } from './redis-clients.ts';
import type { ServerProgram } from './redis-servers.ts';

/** Masters on loopback that share the slots, and replicas of the first if asked for, for as long as a test needs them. */
export interface LocalCluster {
  /** Of the masters, and then of the replicas. */
  readonly ports: readonly number[];
  /** Any command to one node. */
  command(port: number, ...words: string[]): Promise<unknown>;
  /** Ends a node without notice. */
  kill(port: number): Promise<void>;
  close(): Promise<void>;
}

export interface ClusterOptions {
  /** 3 at least, the default: so many it takes to agree that one of them is dead. */
  readonly masters?: number;
  /** All of them of the first master. Default: 0. */
  readonly replicas?: number;
}

interface Node {
  readonly port: number;
  /** Where nodes speak to each other. */
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
      // Where nothing can take a node's place, a busy machine must not make it look dead.
      'cluster-node-timeout': replicas > 0 ? 1_000 : 5_000,
      'cluster-replica-validity-factor': 0,
      // A replica need not wait for others that could be given the same copy.
      'repl-diskless-sync-delay': 0,
    };
    const words = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, String(value)]);
    return { port, busPort, server: spawn(program, words, { env, stdio: 'ignore' }) };
  });
  const clients = new Map<number, Connected>();
  const command = async (port: number, ...words: string[]): Promise<unknown> => {
    const client = clients.get(port) ?? (await nodeRedis(`redis://127.0.0.1:${port}`));
    clients.set(port, client);
    return await client.command(...words);
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

/** Gives each master its share of the slots, lets all meet, and waits until they agree. */
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
  const says = async (port: number, section: string[], ...lines: string[]): Promise<boolean> => {
    const info = String(await command(port, ...section));
    return lines.every((line) => info.includes(line));
  };
  for (const { port } of nodes) {
    await until(() => says(port, ['CLUSTER', 'INFO'], 'cluster_state:ok', `cluster_known_nodes:${nodes.length}`));
  }
  const first = nodes[0] as Node;
  for (const { port } of nodes.slice(masters)) {
    await command(port, 'CLUSTER', 'REPLICATE', String(await command(first.port, 'CLUSTER', 'MYID')));
    await until(() => says(port, ['INFO', 'replication'], 'master_link_status:up'));
  }
}

async function until(check: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 600; attempt++) {
    if (await check()) return;
    await pause(25);
  }
  throw new Error('The cluster did not come up');
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
