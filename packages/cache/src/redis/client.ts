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

/** The operations that this package uses, the same for every driver. */
export interface Redis {
  readonly driver: 'ioredis' | 'node-redis';
  readonly cluster: boolean;
  /** Sends a command to the node of the key. Bulk strings are returned as buffers. */
  send(key: string, words: RedisArgument[]): Promise<unknown>;
  /** Creates another connection with the same settings, not yet connected. */
  duplicate(options?: object): RedisConnection;
}

export interface RedisConnection extends Redis {
  connect(): Promise<unknown>;
  on(event: string, listener: (...args: unknown[]) => void): void;
  subscribe(channel: string, listener: (message: string) => void): Promise<unknown>;
  /** Lets the process exit while the connection is open, where the driver supports it. */
  unref(): void;
  close(): void;
}

/** The type byte of bulk strings in RESP (`$`), which node-redis maps to buffers. */
const BULK_STRING_TYPE = 36;
const BULK_STRINGS_AS_BUFFERS = { typeMapping: { [BULK_STRING_TYPE]: Buffer } };

export function toRedis(client: RedisClient): Redis {
  return toConnection(client);
}

function toConnection(client: RedisClient): RedisConnection {
  if ('callBuffer' in client) return ioRedis(client);
  return 'masters' in client ? nodeRedisCluster(client) : nodeRedis(client);
}

/** Closes the client; see `destroyOnceSettled`. */
type Close = () => void;

function nodeRedis(client: NodeRedisClient, close: Close = () => client.destroy()): RedisConnection {
  return {
    driver: 'node-redis',
    cluster: false,
    send: (_key, words) => client.sendCommand(words, BULK_STRINGS_AS_BUFFERS),
    duplicate: (options) => withErrorListener(duplicatedNodeRedis(client.duplicate(options) as NodeRedisClient)),
    connect: () => client.connect(),
    on: (event, listener) => void client.on(event, listener),
    subscribe: (channel, listener) => client.subscribe(channel, listener),
    unref: () => client.unref?.(),
    close: () => ignoreErrors(close),
  };
}

function nodeRedisCluster(client: NodeRedisCluster, close: Close = () => client.destroy()): RedisConnection {
  return {
    driver: 'node-redis',
    cluster: true,
    send: (key, words) => client.sendCommand(key, false, words, BULK_STRINGS_AS_BUFFERS),
    // One node is enough to receive changes, and the others may be down.
    duplicate: (options) =>
      withErrorListener(
        duplicatedNodeRedisCluster(client.duplicate({ ...options, minimizeConnections: true }) as NodeRedisCluster),
      ),
    connect: () => client.connect(),
    on: (event, listener) => void client.on(event, listener),
    subscribe: (channel, listener) => client.subscribe(channel, listener),
    unref: () => client.unref?.(),
    close: () => ignoreErrors(close),
  };
}

function ioRedis(client: IoRedisClient): RedisConnection {
  const own = { lazyConnect: true, enableOfflineQueue: !client.isCluster ? false : true };
  const overrides = (client.isCluster ? [undefined, own] : [own]) as never[];
  return {
    driver: 'ioredis',
    cluster: client.isCluster,
    send: (_key, [name, ...words]) => client.callBuffer(name as string, ...words),
    duplicate: () => withErrorListener(toConnection(client.duplicate(...overrides) as IoRedisClient)),
    connect: () => client.connect(),
    on: (event, listener) => void client.on(event, listener),
    subscribe: (channel, listener) => {
      client.on('message', (_channel, message) => listener(String(message)));
      // ioredis prefixes keys, and therefore the channel that a script publishes to, but not the channel of
      // `subscribe`.
      return client.subscribe(`${String(client.options?.keyPrefix ?? '')}${channel}`);
    },
    unref: () => {},
    close: () => ignoreErrors(() => client.disconnect()),
  };
}

/**
 * Ignores `error` events, which would otherwise end the process: a broken connection already rejects the commands in
 * flight.
 */
function withErrorListener(connection: RedisConnection): RedisConnection {
  connection.on('error', () => {});
  return connection;
}

function duplicatedNodeRedis(client: NodeRedisClient): RedisConnection {
  let hasSocket = false;
  client.on('connect', () => (hasSocket = true));
  client.on('error', () => (hasSocket = false));
  return nodeRedis(client, () =>
    destroyOnceSettled(client, client.isReady === false && !hasSocket, ['connect', 'error']),
  );
}

function duplicatedNodeRedisCluster(client: NodeRedisCluster): RedisConnection {
  let isBroken = false;
  client.on('node-connect', () => (isBroken = false));
  client.on('node-error', () => (isBroken = true));
  return nodeRedisCluster(client, () => destroyOnceSettled(client, isBroken, ['node-connect', 'node-error']));
}

/**
 * Destroys a client. A socket that node-redis is opening at this moment is opened all the same and then leaks; it opens
 * one whenever another breaks. So the client is destroyed as soon as the attempt has succeeded or failed. Waiting until
 * it is ready could take for ever, if the server never sends its greeting.
 */
function destroyOnceSettled(
  client: NodeRedisClient | NodeRedisCluster,
  isOpening: boolean,
  settledEvents: readonly string[],
): void {
  if (!isOpening) return client.destroy();
  for (const event of settledEvents) client.on(event, () => ignoreErrors(() => client.destroy()));
}

function ignoreErrors(close: () => void): void {
  try {
    close();
  } catch {
    // It was closed already, or never open.
  }
}

export function assertRedisClient(path: string, client: unknown): asserts client is RedisClient {
  const known = client as Partial<Record<'callBuffer' | 'duplicate' | 'sendCommand', unknown>> | null | undefined;
  const sends = typeof known?.sendCommand === 'function' || typeof known?.callBuffer === 'function';
  if (!sends || typeof known?.duplicate !== 'function') {
    throw new OptionsError(path, client, 'a client of node-redis or ioredis');
  }
}
