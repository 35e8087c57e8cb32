import type { RedisConnection } from './client.ts';

/** Time limit for establishing a connection. */
export const CONNECT_TIMEOUT_MS = 2_000;
/** Time limit for a reply, in addition to the time the server was told to block. */
export const REPLY_TIMEOUT_MS = 500;

/**
 * Returns a promise that rejects when the connection breaks. Drivers reconnect silently, but the new connection has
 * lost the state of the old one, such as subscriptions and tracking.
 */
export function rejectOnDisconnect(connection: RedisConnection): Promise<never> {
  const ended = new Promise<never>((_, reject) => {
    // A cluster client reports it per node (`node-…`).
    for (const event of ['close', 'end', 'reconnecting', 'node-reconnecting', 'node-disconnect']) {
      connection.on(event, () => reject(new Error('The connection broke')));
    }
  });
  // It may break while nothing awaits the promise.
  ended.catch(() => {});
  return ended;
}
