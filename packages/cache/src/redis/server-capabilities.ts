import type { Clock } from '@macadam/core';
import { withTimeout } from '../with-timeout.ts';
import { REPLY_TIMEOUT_MS } from './disconnect.ts';
import type { Redis } from './client.ts';

const DETECT_INTERVAL_MS = 1_000;

/** One per client of the application: what the server supports is detected once, however many caches there are. */
const known = new WeakMap<object, ServerCapabilities>();

export function capabilitiesOf(client: object): ServerCapabilities {
  const commands = known.get(client) ?? new ServerCapabilities();
  known.set(client, commands);
  return commands;
}

/**
 * Whether the server can compare and set in one command: `SET … IFEQ`, in Valkey since 8.1 and in Redis since 8.4. It
 * is detected by trying: version numbers of servers, forks and proxies say little about what they support.
 */
export class ServerCapabilities {
  #hasSetIfEqual: boolean | undefined;
  #detecting: Promise<void> | undefined;
  #detectedAt = -Infinity;

  /** False while it is unknown: scripts work everywhere. */
  get hasSetIfEqual(): boolean {
    return this.#hasSetIfEqual === true;
  }

  /**
   * Detects it, unless it is known; after a failure, again later. Returns undefined when there is nothing to wait for.
   * Whoever takes leases must wait, since processes that know and those that do not would not see the leases of each
   * other. Never rejects.
   */
  detect(redis: Redis, prefix: string, clock: Clock): Promise<void> | undefined {
    if (this.#hasSetIfEqual !== undefined || this.#detecting !== undefined) return this.#detecting;
    const now = clock.monotonic();
    if (now - this.#detectedAt < DETECT_INTERVAL_MS) return undefined;
    this.#detectedAt = now;
    // Stores nothing: the key does not exist, so nothing is equal.
    const probe = `${prefix}:probe:{ifeq}`;
    // Its own time limit: a driver that never settles the command must not block reads after a reconnect.
    this.#detecting = withTimeout(
      clock,
      REPLY_TIMEOUT_MS,
      redis.send(probe, ['SET', probe, '', 'IFEQ', '-', 'PX', '1']),
    )
      .then(
        () => void (this.#hasSetIfEqual = true),
        (error: unknown) => {
          if (isUnsupportedCommand(error)) this.#hasSetIfEqual = false;
        },
      )
      .finally(() => (this.#detecting = undefined));
    return this.#detecting;
  }

  /** The server does not support it after all: another one has taken its place. */
  markUnsupported(): void {
    this.#hasSetIfEqual = false;
  }
}

/**
 * Whether the server rejects the command itself, as a syntax error or for lack of permission. The wording differs
 * between servers.
 */
export function isUnsupportedCommand(error: unknown): boolean {
  return error instanceof Error && /^(?:ERR|NOPERM)\b/.test(error.message);
}
