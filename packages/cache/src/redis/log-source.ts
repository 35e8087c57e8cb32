import { withTimeout } from '../with-timeout.ts';
import { REPLY_TIMEOUT_MS, rejectOnDisconnect, CONNECT_TIMEOUT_MS } from './disconnect.ts';
import type { RedisConnection } from './client.ts';
import type { ChangeFeed, ChangeSource } from './change-feed.ts';
import { parseStringList } from './parse-string-list.ts';

const BLOCK_MS = 1_000;
const MAX_ENTRIES_PER_READ = 1_000;

/**
 * Receives changes from a Redis Stream (`coherence: log`), from where it stopped last. So changes made while it was
 * disconnected arrive too, as long as the log still contains them.
 */
export class LogSource implements ChangeSource {
  #connection: RedisConnection | undefined;
  #lastId: string | undefined;
  #stopped = false;

  async follow(feed: ChangeFeed): Promise<void> {
    this.#stopped = false;
    const { clock, redis, keyNames } = feed;
    await this.#resume(feed);
    if (this.#stopped) return;
    const connection = redis.duplicate();
    this.#connection = connection;
    try {
      await withTimeout(clock, CONNECT_TIMEOUT_MS, connection.connect());
      connection.unref();
      // Not every driver rejects a command whose connection breaks.
      const disconnected = rejectOnDisconnect(connection);
      feed.sendProbe();
      while (!this.#stopped) {
        const command = [
          'XREAD',
          'COUNT',
          String(MAX_ENTRIES_PER_READ),
          'BLOCK',
          String(BLOCK_MS),
          'STREAMS',
          keyNames.log,
        ];
        const reply = connection.send(keyNames.log, [...command, this.#lastId as string]);
        const entries = parseEntries(
          await Promise.race([withTimeout(clock, BLOCK_MS + REPLY_TIMEOUT_MS, reply), disconnected]),
        );
        for (const { id, sequence, message } of entries) {
          this.#lastId = id;
          if (message !== undefined) feed.receive(sequence, ...message);
        }
        if (entries.length > 0 || this.#stopped) continue;
        if (!(await withTimeout(clock, REPLY_TIMEOUT_MS, feed.checkForLoss()))) await this.#resume(feed);
      }
    } finally {
      connection.close();
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#connection?.close();
  }

  /**
   * Resumes where it stopped. If the log ends before that position, its server has lost changes, and it starts at the
   * end of the log instead.
   */
  async #resume(feed: ChangeFeed): Promise<void> {
    const position = await withTimeout(feed.clock, REPLY_TIMEOUT_MS, feed.readPosition());
    if (feed.hasStarted && !isBefore(position.logId, this.#lastId as string)) return;
    if (feed.hasStarted) feed.reset();
    this.#lastId = position.logId;
    feed.startAt(position);
  }
}

/** Compares two ids of log entries, `milliseconds-number`. */
function isBefore(one: string, other: string): boolean {
  const [oneMs = 0, oneNumber = 0] = one.split('-').map(Number);
  const [otherMs = 0, otherNumber = 0] = other.split('-').map(Number);
  return oneMs === otherMs ? oneNumber < otherNumber : oneMs < otherMs;
}

interface LogEntry {
  readonly id: string;
  readonly sequence: number;
  /** Undefined for an entry that this library did not write. */
  readonly message: [sender: string, namespace: string, code: string, data: string] | undefined;
}

/**
 * Parses the reply of `XREAD` for one stream: nested arrays in RESP2, a map in RESP3, which drivers return as a `Map`
 * or an object.
 */
function parseEntries(reply: unknown): LogEntry[] {
  if (reply === null || reply === undefined) return [];
  const [first] = reply instanceof Map ? reply.values() : Object.values(reply);
  // In an array, the name of the stream comes first: `[[name, entries]]` or `[name, entries]`.
  const lists = Array.isArray(reply)
    ? Array.isArray(first) && !Buffer.isBuffer(first)
      ? (first as unknown[])[1]
      : (reply as unknown[])[1]
    : first;
  return (lists as [Buffer, Buffer[]][]).map(([id, fields]) => {
    const field = (name: string): string => {
      const at = fields.findIndex((one, i) => i % 2 === 0 && String(one) === name);
      return String(fields[at + 1]);
    };
    return {
      id: String(id),
      sequence: Number(field('n')),
      message: parseStringList(field('m'), 4) as LogEntry['message'],
    };
  });
}
