import type { RedisConnection } from './client.ts';

/** The longest a connection may take to be made. */
export const CONNECT_MS = 2_000;
/** The longest an answer of a server may take beyond what it was told to wait. */
export const ANSWER_MS = 500;

/**
 * Rejects when a connection breaks. Drivers mend theirs silently, and then it is another connection: what was asked of the
 * server for the former, such as to tell of changes, is asked no more.
 */
export function broken(connection: RedisConnection): Promise<never> {
  const ended = new Promise<never>((_, reject) => {
    // Of a cluster, it is one of its nodes that says so.
    for (const event of ['close', 'end', 'reconnecting', 'node-reconnecting', 'node-disconnect']) {
      connection.on(event, () => reject(new Error('The connection broke')));
    }
  });
  // It may break while nobody waits for that.
  ended.catch(() => {});
  return ended;
}
