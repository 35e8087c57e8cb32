import { OptionsError } from '@macadam/core';

/** One argument of a Redis command. */
export type RedisArgument = Buffer | string;

/** The part of a node-redis 6 client (`createClient`) that is used. */
export interface NodeRedisClient {
  /** Whether commands can be sent now. */
  readonly isReady?: boolean;
  /** Sends a command. */
  sendCommand(words: RedisArgument[], options?: object): Promise<unknown>;
  /** Creates a client with the same settings. */
  duplicate(overrides?: object): unknown;
  /** Connects. Called on duplicates only. */
  connect(): Promise<unknown>;
  /** Closes the connection at once. Called on duplicates only. */
  destroy(): void;
  /** Subscribes to a channel. Called on duplicates only. */
  subscribe(channel: string, listener: (message: string) => void): Promise<unknown>;
  /** Lets the process exit while the connection is open. */
  unref?(): void;
  /** Adds a listener of an event. */
  on(event: string, listener: (...args: unknown[]) => void): unknown;
}

/** The part of a node-redis 6 cluster (`createCluster`) that is used. */
export interface NodeRedisCluster {
  /** The primary nodes; tells a cluster from a client. */
  readonly masters: readonly unknown[];
  /** Sends a command to the node of a key. */
  sendCommand(
    firstKey: string | undefined,
    isReadonly: boolean | undefined,
    words: RedisArgument[],
    options?: object,
  ): Promise<unknown>;
  /** Creates a cluster client with the same settings. */
  duplicate(overrides?: object): unknown;
  /** Connects. Called on duplicates only. */
  connect(): Promise<unknown>;
  /** Closes the connections at once. Called on duplicates only. */
  destroy(): void;
  /** Subscribes to a channel. Called on duplicates only. */
  subscribe(channel: string, listener: (message: string) => void): Promise<unknown>;
  /** Lets the process exit while the connections are open. */
  unref?(): void;
  /** Adds a listener of an event. */
  on(event: string, listener: (...args: unknown[]) => void): unknown;
}

/** The part of an ioredis client (`Redis` or `Cluster`) that is used. */
export interface IoRedisClient {
  /** Whether it is a `Cluster`. */
  readonly isCluster: boolean;
  /** The options that it was created with. */
  readonly options?: {
    /** A prefix that ioredis adds to keys. */
    readonly keyPrefix?: unknown;
  };
  /** Sends a command and returns bulk strings as buffers. */
  callBuffer(name: string, ...words: RedisArgument[]): Promise<unknown>;
  /** Creates a client with the same settings. */
  duplicate(...overrides: never[]): unknown;
  /** Connects. Called on duplicates only. */
  connect(): Promise<unknown>;
  /** Closes the connection. Called on duplicates only. */
  disconnect(): void;
  /** Subscribes to a channel. Called on duplicates only. */
  subscribe(channel: string): Promise<unknown>;
  /** Adds a listener of an event. */
  on(event: string, listener: (...args: unknown[]) => void): unknown;
}

/**
 * A Redis client of the application: node-redis or ioredis, single or cluster. It is never connected, reconfigured or
 * closed by the cache.
 */
export type RedisClient = IoRedisClient | NodeRedisClient | NodeRedisCluster;

/** One of the clients, as this package uses it. */
export interface Redis {
  readonly driver: 'ioredis' | 'node-redis';
  readonly cluster: boolean;
  /** Sends a command to where the key lives. Bulk strings come back as buffers. */
  send(key: string, words: RedisArgument[]): Promise<unknown>;
  /** A connection of its own, not yet connected. */
  duplicate(options?: object): RedisConnection;
}

export interface RedisConnection extends Redis {
  connect(): Promise<unknown>;
  on(event: string, listener: (...args: unknown[]) => void): void;
  subscribe(channel: string, listener: (message: string) => void): Promise<unknown>;
  /** A connection that only listens does not keep the process alive, where the driver can say so. */
  unref(): void;
  close(): void;
}

/** Bulk strings, by their mark in the protocol, as bytes. */
const BULK_STRING = 36;
const AS_BYTES = { typeMapping: { [BULK_STRING]: Buffer } };

export function redisOf(client: RedisClient): Redis {
  return connectionOf(client);
}

function connectionOf(client: RedisClient): RedisConnection {
  if ('callBuffer' in client) return ioRedis(client);
  return 'masters' in client ? nodeRedisCluster(client) : nodeRedis(client);
}

/** Has it end; see `endOnceMade`. */
type Close = () => void;

function nodeRedis(client: NodeRedisClient, close: Close = () => client.destroy()): RedisConnection {
  return {
    driver: 'node-redis',
    cluster: false,
    send: (_key, words) => client.sendCommand(words, AS_BYTES),
    duplicate: (options) => quiet(ownNodeRedis(client.duplicate(options) as NodeRedisClient)),
    connect: () => client.connect(),
    on: (event, listener) => void client.on(event, listener),
    subscribe: (channel, listener) => client.subscribe(channel, listener),
    unref: () => client.unref?.(),
    close: () => closeQuietly(close),
  };
}

function nodeRedisCluster(client: NodeRedisCluster, close: Close = () => client.destroy()): RedisConnection {
  return {
    driver: 'node-redis',
    cluster: true,
    send: (key, words) => client.sendCommand(key, false, words, AS_BYTES),
    // Of all nodes it is one that is listened to: the others may be away.
    duplicate: (options) =>
      quiet(ownCluster(client.duplicate({ ...options, minimizeConnections: true }) as NodeRedisCluster)),
    connect: () => client.connect(),
    on: (event, listener) => void client.on(event, listener),
    subscribe: (channel, listener) => client.subscribe(channel, listener),
    unref: () => client.unref?.(),
    close: () => closeQuietly(close),
  };
}

function ioRedis(client: IoRedisClient): RedisConnection {
  const own = { lazyConnect: true, enableOfflineQueue: !client.isCluster ? false : true };
  const overrides = (client.isCluster ? [undefined, own] : [own]) as never[];
  return {
    driver: 'ioredis',
    cluster: client.isCluster,
    send: (_key, [name, ...words]) => client.callBuffer(name as string, ...words),
    duplicate: () => quiet(connectionOf(client.duplicate(...overrides) as IoRedisClient)),
    connect: () => client.connect(),
    on: (event, listener) => void client.on(event, listener),
    subscribe: (channel, listener) => {
      client.on('message', (_channel, message) => listener(String(message)));
      // It puts its prefix before keys, so also before the channel that a script is told of, and not before this one.
      return client.subscribe(`${String(client.options?.keyPrefix ?? '')}${channel}`);
    },
    unref: () => {},
    close: () => closeQuietly(() => client.disconnect()),
  };
}

/** A connection that breaks says so to whoever waits for an answer; an `error` nobody listens to would end the process. */
function quiet(connection: RedisConnection): RedisConnection {
  connection.on('error', () => {});
  return connection;
}

function ownNodeRedis(client: NodeRedisClient): RedisConnection {
  let hasSocket = false;
  client.on('connect', () => (hasSocket = true));
  client.on('error', () => (hasSocket = false));
  return nodeRedis(client, () => endOnceMade(client, client.isReady === false && !hasSocket, ['connect', 'error']));
}

function ownCluster(client: NodeRedisCluster): RedisConnection {
  let isBroken = false;
  client.on('node-connect', () => (isBroken = false));
  client.on('node-error', () => (isBroken = true));
  return nodeRedisCluster(client, () => endOnceMade(client, isBroken, ['node-connect', 'node-error']));
}

/**
 * A socket that node-redis is about to open when it is told to end is opened all the same, and is nobody's from then on; it opens one
 * whenever another breaks. So it is told when that has come to an end; not later, since a server that never greets has it wait for ever.
 */
function endOnceMade(client: NodeRedisClient | NodeRedisCluster, isOpening: boolean, ends: readonly string[]): void {
  if (!isOpening) return client.destroy();
  for (const event of ends) client.on(event, () => closeQuietly(() => client.destroy()));
}

function closeQuietly(close: () => void): void {
  try {
    close();
  } catch {
    // It was closed, or never open.
  }
}

export function assertRedisClient(path: string, client: unknown): asserts client is RedisClient {
  const known = client as Partial<Record<'callBuffer' | 'duplicate' | 'sendCommand', unknown>> | null | undefined;
  const sends = typeof known?.sendCommand === 'function' || typeof known?.callBuffer === 'function';
  if (!sends || typeof known?.duplicate !== 'function') {
    throw new OptionsError(path, client, 'a client of node-redis or ioredis');
  }
}
