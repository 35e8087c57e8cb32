import { within } from '../within.ts';
import { ANSWER_MS, broken, CONNECT_MS } from './broken.ts';
import type { RedisConnection } from './client.ts';
import type { Feed, Source } from './feed.ts';

const CHECK_EVERY_MS = 1_000;

/**
 * Has the server itself say which keys were written, by whomever (RESP3 broadcast). It says so also to who wrote: servers do not
 * recognize the writer of what a script writes, whatever `NOLOOP` asks for. So what was loaded is read back once.
 */
export class TrackingSource implements Source {
  readonly #prefix: string;
  #connection: RedisConnection | undefined;
  #stop: AbortController = new AbortController();
  readonly tells: boolean = true;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  async follow(feed: Feed): Promise<void> {
    const stop = new AbortController();
    this.#stop = stop;
    const { clock, redis } = feed;
    let over = false;
    const connection = redis.duplicate({ emitInvalidate: true });
    this.#connection = connection;
    const probe = `${this.#prefix}:probe:{${Math.trunc(clock.now())}}`;
    const send = (...words: string[]): Promise<unknown> => within(clock, ANSWER_MS, connection.send('', words));
    try {
      await within(clock, CONNECT_MS, connection.connect());
      connection.unref();
      const breaks = broken(connection);
      let arrived = false;
      connection.on('invalidate', (key) => {
        if (over || stop.signal.aborted) return;
        if (String(key) === probe) {
          arrived = true;
          feed.arrived();
        } else feed.changed(key === null ? undefined : String(key));
      });
      await send('CLIENT', 'TRACKING', 'OFF');
      const prefixes = [`${this.#prefix}:`, `{${this.#prefix}}:marks:`].flatMap((prefix) => ['PREFIX', prefix]);
      await send('CLIENT', 'TRACKING', 'ON', 'BCAST', ...prefixes);
      // What changed while it was not listening is not known.
      feed.changed(undefined);
      while (!stop.signal.aborted) {
        feed.probed();
        arrived = false;
        await within(clock, ANSWER_MS, redis.send(probe, ['SET', probe, '', 'PX', String(CHECK_EVERY_MS)]));
        await Promise.race([clock.sleep(CHECK_EVERY_MS, stop.signal), breaks]);
        await send('PING');
        if (!arrived) throw new Error('The server does not tell what changes');
      }
    } finally {
      over = true;
      connection.close();
    }
  }

  stop(): void {
    this.#stop.abort();
    this.#connection?.close();
  }
}
