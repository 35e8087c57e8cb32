import { Cluster } from 'ioredis';
import { createCluster } from 'redis';
import type { RedisClient } from '@macadam/cache';
import type { LocalCluster } from './redis-cluster.ts';

export interface ClusterClient {
  readonly client: RedisClient;
  close(): void;
}

async function nodeRedis({ ports }: LocalCluster): Promise<ClusterClient> {
  const client = createCluster({
    rootNodes: ports.map((port) => ({ url: `redis://127.0.0.1:${port}` })),
    defaults: { disableOfflineQueue: true },
  });
  client.on('error', () => {});
  await client.connect();
  return { client, close: () => client.destroy() };
}

async function ioRedis({ ports }: LocalCluster): Promise<ClusterClient> {
  const nodes = ports.map((port) => ({ host: '127.0.0.1', port }));
  const client = new Cluster(nodes, { lazyConnect: true, slotsRefreshTimeout: 2_000 });
  client.on('error', () => {});
  await client.connect();
  return { client, close: () => client.disconnect() };
}

/** Ways to a cluster, by the name of the driver. */
export const clusterClients: readonly [name: string, connect: (cluster: LocalCluster) => Promise<ClusterClient>][] = [
  ['node-redis', nodeRedis],
  ['ioredis', ioRedis],
];
