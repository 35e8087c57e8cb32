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

/** A script, and how to run it in one round trip. */
export class Script {
  static readonly #made = new Map<string, Script>();

  /** The script of that text, of which there are a few: its digest is worked out once. */
  static of(source: string): Script {
    const made = Script.#made.get(source) ?? new Script(source);
    Script.#made.set(source, made);
    return made;
  }

  readonly #source: string;
  readonly #digest: string;

  private constructor(source: string) {
    this.#source = source;
    this.#digest = createHash('sha1').update(source).digest('hex');
  }

  /** Runs it by its digest; a server that does not know it, because it was restarted or flushed, is sent the whole of it. */
  async run(client: RedisClient, keys: string[], args: string[]): Promise<unknown> {
    try {
      return await ('evalSha' in client
        ? client.evalSha(this.#digest, { keys, arguments: args })
        : client.evalsha(this.#digest, keys.length, ...keys, ...args));
    } catch (error) {
      if (!isReply(error, 'NOSCRIPT')) throw error;
    }
    return await ('evalSha' in client
      ? client.eval(this.#source, { keys, arguments: args })
      : client.eval(this.#source, keys.length, ...keys, ...args));
  }
}

/** Sends a command of which the client need not know what it means. */
export type Sender = (words: string[]) => Promise<unknown>;

/**
 * How to send commands that the client does not know, one after the other to one server. Undefined where they could end up at another
 * key than a script's, since the client puts a prefix before the keys it knows of; and with a cluster, a pool or a sentinel.
 */
export function rawSenderOf(client: RedisClient): Sender | undefined {
  const { sendCommand, call, options } = client as {
    sendCommand?: (words: string[]) => Promise<unknown>;
    call?: (...words: string[]) => Promise<unknown>;
    options?: { keyPrefix?: string };
  };
  if ((options?.keyPrefix ?? '') !== '') return undefined;
  // Of the clients of node-redis, only one that is a single connection counts how often it connected.
  if ('socketEpoch' in client) return (words) => (sendCommand as Sender).call(client, words);
  if ('evalSha' in client || isCluster(client) || call === undefined) return undefined;
  return (words) => call.apply(client, words);
}

/** Whether the server answered with an error that begins so. */
export function isReply(error: unknown, code: string): boolean {
  return error instanceof Error && error.message.startsWith(code);
}

/** Whether each command goes to the server of its one slot: then keys of several subjects cannot share a command. */
export function isCluster(client: RedisClient): boolean {
  return (client as { isCluster?: unknown }).isCluster === true || 'getSlotRandomNode' in client;
}

export function assertRedisClient(path: string, client: unknown): asserts client is RedisClient {
  const known = client as Partial<IoRedisClient & NodeRedisClient> | null | undefined;
  if (typeof known?.evalSha !== 'function' && typeof known?.evalsha !== 'function') {
    throw new OptionsError(path, client, 'a client of node-redis or ioredis');
  }
}
