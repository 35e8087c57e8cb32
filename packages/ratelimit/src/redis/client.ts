import { createHash } from 'node:crypto';
import { OptionsError } from '@macadam/core';

/** The part of a node-redis client that is used: a client, cluster or sentinel. */
export interface NodeRedisClient {
  /** Runs a script by its digest. */
  evalSha(digest: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>;
  /** Runs a script. */
  eval(script: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>;
}

/** The part of an ioredis client that is used. */
export interface IoRedisClient {
  /** Runs a script by its digest. */
  evalsha(digest: string, keyCount: number, ...keysAndArguments: string[]): Promise<unknown>;
  /** Runs a script. */
  eval(script: string, keyCount: number, ...keysAndArguments: string[]): Promise<unknown>;
}

/**
 * A Redis client of the application: node-redis or ioredis. It is never connected, reconfigured or closed by the store.
 */
export type RedisClient = IoRedisClient | NodeRedisClient;

/** A Lua script that is run by its digest. */
export class Script {
  static readonly #cache = new Map<string, Script>();

  /** Returns the script of this source. There are few different ones, so that each digest is computed once. */
  static of(source: string): Script {
    const script = Script.#cache.get(source) ?? new Script(source);
    Script.#cache.set(source, script);
    return script;
  }

  readonly #source: string;
  readonly #digest: string;

  private constructor(source: string) {
    this.#source = source;
    this.#digest = createHash('sha1').update(source).digest('hex');
  }

  /** Runs the script by its digest. If the server does not know it (restarted, or flushed), sends the source. */
  async run(client: RedisClient, keys: string[], args: string[]): Promise<unknown> {
    try {
      return await ('evalSha' in client
        ? client.evalSha(this.#digest, { keys, arguments: args })
        : client.evalsha(this.#digest, keys.length, ...keys, ...args));
    } catch (error) {
      if (!isErrorReply(error, 'NOSCRIPT')) throw error;
    }
    return await ('evalSha' in client
      ? client.eval(this.#source, { keys, arguments: args })
      : client.eval(this.#source, keys.length, ...keys, ...args));
  }
}

/** Sends a command that the client library may not know, as its name and arguments. */
export type SendCommand = (words: string[]) => Promise<unknown>;

/**
 * Returns how to send commands that the client library may not know, in order, to one server. Undefined if the client adds
 * a prefix to keys, which it would not do for such a command; and for a cluster, a pool or a sentinel.
 */
export function rawSenderOf(client: RedisClient): SendCommand | undefined {
  const { sendCommand, call, options } = client as {
    sendCommand?: (words: string[]) => Promise<unknown>;
    call?: (...words: string[]) => Promise<unknown>;
    options?: { keyPrefix?: string };
  };
  if ((options?.keyPrefix ?? '') !== '') return undefined;
  // In node-redis, only a client with a single connection has `socketEpoch`.
  if ('socketEpoch' in client) return (words) => (sendCommand as SendCommand).call(client, words);
  if ('evalSha' in client || isCluster(client) || call === undefined) return undefined;
  return (words) => call.apply(client, words);
}

/** Whether the server replied with an error that starts with `code`. */
export function isErrorReply(error: unknown, code: string): boolean {
  return error instanceof Error && error.message.startsWith(code);
}

/** Whether the client is of a cluster, where a command can only have keys of one slot. */
export function isCluster(client: RedisClient): boolean {
  return (client as { isCluster?: unknown }).isCluster === true || 'getSlotRandomNode' in client;
}

export function assertRedisClient(path: string, client: unknown): asserts client is RedisClient {
  const known = client as Partial<IoRedisClient & NodeRedisClient> | null | undefined;
  if (typeof known?.evalSha !== 'function' && typeof known?.evalsha !== 'function') {
    throw new OptionsError(path, client, 'a client of node-redis or ioredis');
  }
}
