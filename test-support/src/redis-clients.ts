import { Cluster, Redis } from 'ioredis';
import { createClient, createCluster } from 'redis';
import { redisUrl } from './redis-servers.ts';

export type NodeRedis = ReturnType<typeof createClient>;
export type NodeRedisCluster = ReturnType<typeof createCluster>;

/** A connected client. */
export interface Connected<Client = NodeRedis | NodeRedisCluster | Redis | Cluster> {
  readonly client: Client;
  /** Sends any command, to set up and inspect the state of the server. */
  command(...args: string[]): Promise<unknown>;
  close(): Promise<void>;
}

/** Connects to a server, by the name of the driver. */
export const clients: readonly [name: string, connect: (url?: string) => Promise<Connected<NodeRedis | Redis>>][] = [
  ['node-redis', nodeRedis],
  ['ioredis', ioRedis],
];

export async function nodeRedis(url: string = redisUrl()): Promise<Connected<NodeRedis>> {
  const client = createClient({ url, disableOfflineQueue: true }) as NodeRedis;
  // Tests cut connections on purpose.
  client.on('error', () => {});
  await client.connect();
  return {
    client,
    command: (...args) => client.sendCommand(args),
    close: async () => client.destroy(),
  };
}

export async function ioRedis(url: string = redisUrl()): Promise<Connected<Redis>> {
  const client = new Redis(url, { lazyConnect: true, enableOfflineQueue: false, autoResendUnfulfilledCommands: false });
  client.on('error', () => {});
  await client.connect();
  return { client, command: byName(client), close: async () => client.disconnect() };
}

/** The address of a cluster: the ports of its nodes on loopback. */
interface Nodes {
  readonly ports: readonly number[];
}

/** Connects to a cluster, by the name of the driver. */
export const clusterClients: readonly [
  name: string,
  connect: (cluster: Nodes) => Promise<Connected<NodeRedisCluster | Cluster>>,
][] = [
  ['node-redis', nodeRedisCluster],
  ['ioredis', ioRedisCluster],
];

async function nodeRedisCluster({ ports }: Nodes): Promise<Connected<NodeRedisCluster>> {
  const client = createCluster({
    rootNodes: ports.map((port) => ({ url: `redis://127.0.0.1:${port}` })),
    defaults: { disableOfflineQueue: true },
  }) as NodeRedisCluster;
  client.on('error', () => {});
  await client.connect();
  return {
    client,
    command: (...args) => client.sendCommand(undefined, false, args),
    close: async () => client.destroy(),
  };
}

async function ioRedisCluster({ ports }: Nodes): Promise<Connected<Cluster>> {
  const nodes = ports.map((port) => ({ host: '127.0.0.1', port }));
  const client = new Cluster(nodes, { lazyConnect: true, slotsRefreshTimeout: 2_000 });
  client.on('error', () => {});
  await client.connect();
  return { client, command: byName(client), close: async () => client.disconnect() };
}

function byName(client: Redis | Cluster): Connected['command'] {
  return (name, ...args) => client.call(name as string, ...args);
}
