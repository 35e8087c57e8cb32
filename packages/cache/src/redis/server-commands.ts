import type { Clock } from '@macadam/core';
import { within } from '../within.ts';
import { ANSWER_MS } from './broken.ts';
import type { Redis } from './client.ts';

const ASK_AGAIN_MS = 1_000;

/** One for each client of a caller's: what a server can do is found out once, however many caches there are. */
const known = new WeakMap<object, ServerCommands>();

export function commandsOf(client: object): ServerCommands {
  const commands = known.get(client) ?? new ServerCommands();
  known.set(client, commands);
  return commands;
}

/**
 * Whether the server compares and sets in one command: `SET … IFEQ`, which Valkey has since 8.1 and Redis since 8.4, and older ones
 * call an error. It is asked, since version numbers of servers, forks and proxies say little about what they do.
 */
export class ServerCommands {
  #comparesAndSets: boolean | undefined;
  #asking: Promise<void> | undefined;
  #askedAt = -Infinity;

  /** False while it is not known: scripts do the same everywhere. */
  get comparesAndSets(): boolean {
    return this.#comparesAndSets === true;
  }

  /**
   * Asks, unless it is known; a server that does not answer is asked again later. Undefined when there is nothing to wait for: who
   * takes leases must wait, since those who know and those who do not would not see each other's. Never rejects.
   */
  ask(redis: Redis, prefix: string, clock: Clock): Promise<void> | undefined {
    if (this.#comparesAndSets !== undefined || this.#asking !== undefined) return this.#asking;
    const now = clock.monotonic();
    if (now - this.#askedAt < ASK_AGAIN_MS) return undefined;
    this.#askedAt = now;
    // Sets nothing: nothing stands there that could be equal.
    const probe = `${prefix}:probe:{ifeq}`;
    // Within a time of its own: what drivers never answer must not keep reads waiting once there is another connection.
    this.#asking = within(clock, ANSWER_MS, redis.send(probe, ['SET', probe, '', 'IFEQ', '-', 'PX', '1']))
      .then(
        () => void (this.#comparesAndSets = true),
        (error: unknown) => {
          if (isRefusal(error)) this.#comparesAndSets = false;
        },
      )
      .finally(() => (this.#asking = undefined));
    return this.#asking;
  }

  /** It does not, although it seemed to: another server has taken its place. */
  deny(): void {
    this.#comparesAndSets = false;
  }
}

/** Whether a server says that it does not do such a thing, or not for us: a syntax error, in words that differ. */
export function isRefusal(error: unknown): boolean {
  return error instanceof Error && /^(?:ERR|NOPERM)\b/.test(error.message);
}
