import { within } from '../within.ts';
import { ANSWER_MS, broken, CONNECT_MS } from './broken.ts';
import type { RedisConnection } from './client.ts';
import type { Feed, Source } from './feed.ts';
import { textsOf } from './message.ts';

const BLOCK_MS = 1_000;
const MOST_ENTRIES = 1_000;

/**
 * Follows a Redis Stream from where it was last, so that what was told while it was disconnected comes as well, as long as the
 * log keeps it.
 */
export class LogSource implements Source {
  #connection: RedisConnection | undefined;
  #at: string | undefined;
  #stopped = false;

  async follow(feed: Feed): Promise<void> {
    this.#stopped = false;
    const { clock, redis, names } = feed;
    await this.#begin(feed);
    if (this.#stopped) return;
    const connection = redis.duplicate();
    this.#connection = connection;
    try {
      await within(clock, CONNECT_MS, connection.connect());
      connection.unref();
      // Not every driver gives up a command when its connection breaks.
      const breaks = broken(connection);
      feed.probe();
      while (!this.#stopped) {
        const command = ['XREAD', 'COUNT', String(MOST_ENTRIES), 'BLOCK', String(BLOCK_MS), 'STREAMS', names.log];
        const answer = connection.send(names.log, [...command, this.#at as string]);
        const entries = entriesOf(await Promise.race([within(clock, BLOCK_MS + ANSWER_MS, answer), breaks]));
        for (const { id, number, message } of entries) {
          this.#at = id;
          if (message !== undefined) feed.receive(number, ...message);
        }
        if (entries.length > 0 || this.#stopped) continue;
        if (!(await within(clock, ANSWER_MS, feed.look()))) await this.#begin(feed);
      }
    } finally {
      connection.close();
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#connection?.close();
  }

  /** Where it was, or at the end of a log that does not reach so far: its server may have lost some of it, or all. */
  async #begin(feed: Feed): Promise<void> {
    const place = await within(feed.clock, ANSWER_MS, feed.where());
    if (feed.begun && !isBefore(place.at, this.#at as string)) return;
    if (feed.begun) feed.lose();
    this.#at = place.at;
    feed.begin(place);
  }
}

/** Of two places in a log, `milliseconds-number`. */
function isBefore(one: string, other: string): boolean {
  const [oneMs = 0, oneNumber = 0] = one.split('-').map(Number);
  const [otherMs = 0, otherNumber = 0] = other.split('-').map(Number);
  return oneMs === otherMs ? oneNumber < otherNumber : oneMs < otherMs;
}

interface LogEntry {
  readonly id: string;
  readonly number: number;
  /** Undefined for what is none of ours. */
  readonly message: [from: string, namespace: string, sign: string, data: string] | undefined;
}

/** The entries of the one stream that was read: RESP2 answers lists of lists, RESP3 a map, which drivers make an object. */
function entriesOf(answer: unknown): LogEntry[] {
  if (answer === null || answer === undefined) return [];
  const [first] = answer instanceof Map ? answer.values() : Object.values(answer);
  // As a list, the stream's name comes first: [name, entries], or name, entries.
  const lists = Array.isArray(answer)
    ? Array.isArray(first) && !Buffer.isBuffer(first)
      ? (first as unknown[])[1]
      : (answer as unknown[])[1]
    : first;
  return (lists as [Buffer, Buffer[]][]).map(([id, fields]) => {
    const field = (name: string): string => {
      const at = fields.findIndex((one, i) => i % 2 === 0 && String(one) === name);
      return String(fields[at + 1]);
    };
    return { id: String(id), number: Number(field('n')), message: textsOf(field('m'), 4) as LogEntry['message'] };
  });
}
