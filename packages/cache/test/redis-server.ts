import { Redis } from 'ioredis';
import { createClient } from 'redis';
import type { RedisClient } from '@macadam/cache';

/** Where the tests' Redis is: `npm run unit` and `npm test` bring one. */
export function redisUrl(): string {
  const url = process.env['REDIS_URL'];
  if (url === undefined || url === '') throw new Error('Set REDIS_URL, or use `npm run unit -- --project cache`.');
  return url;
}

export interface TestServer {
  readonly name: string;
  /** Undefined where there is none: its tests are skipped, and the run says so. */
  readonly url: string | undefined;
}

/** What Redis 7 and Valkey 8.1 do differently is which commands they have: each kind runs what depends on that. */
export const servers: readonly TestServer[] = [
  { name: 'Redis', url: process.env['REDIS_URL'] },
  { name: 'Valkey', url: process.env['VALKEY_URL'] },
];

export interface Connected {
  readonly client: RedisClient;
  /** Any command, for looking behind the scenes. */
  command(...words: string[]): Promise<unknown>;
  close(): Promise<void>;
}

export async function nodeRedis(url: string = redisUrl()): Promise<Connected> {
  const client = createClient({ url, disableOfflineQueue: true });
  // A connection that is cut is what the tests are about.
  client.on('error', () => {});
  await client.connect();
  return {
    client,
    command: (...words) => client.sendCommand(words),
    close: async () => client.destroy(),
  };
}

export async function ioRedis(url: string = redisUrl()): Promise<Connected> {
  const client = new Redis(url, { lazyConnect: true, enableOfflineQueue: false, autoResendUnfulfilledCommands: false });
  client.on('error', () => {});
  await client.connect();
  return {
    client,
    command: (name, ...words) => client.call(name as string, ...words),
    close: async () => client.disconnect(),
  };
}
