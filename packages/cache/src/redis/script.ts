import { createHash } from 'node:crypto';
import type { Redis, RedisArgument } from './client.ts';

/** A Lua script that runs in one round trip. All its keys must be in one slot. */
export class Script {
  readonly #source: string;
  readonly #digest: string;

  constructor(source: string) {
    this.#source = source;
    this.#digest = createHash('sha1').update(source).digest('hex');
  }

  /**
   * Runs the script by its digest. A server that does not know it, after a restart or a flush, gets the source, unless
   * the script is not wanted any more by then (`isWanted`): then the result is undefined.
   */
  run(
    redis: Redis,
    keys: readonly string[],
    args: readonly RedisArgument[],
    isWanted?: () => boolean,
  ): Promise<unknown> {
    const words = ['EVALSHA', this.#digest, String(keys.length), ...keys, ...args];
    const send = (): Promise<unknown> => redis.send(keys[0] as string, words);
    return send().catch((error: unknown) => {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
      if (isWanted?.() === false) return undefined;
      words.splice(0, 2, 'EVAL', this.#source);
      return send();
    });
  }
}
