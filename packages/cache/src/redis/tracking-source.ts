import { withTimeout } from '../with-timeout.ts';
import { REPLY_TIMEOUT_MS, rejectOnDisconnect, CONNECT_TIMEOUT_MS } from './disconnect.ts';
import type { RedisConnection } from './client.ts';
import type { ChangeFeed, ChangeSource } from './change-feed.ts';

const CHECK_INTERVAL_MS = 1_000;

/**
 * Receives changes through client tracking in broadcast mode (RESP3, `coherence: tracking`): the server reports every
 * written key, whoever wrote it. That includes keys written by this process, even with `NOLOOP`: servers do not
 * attribute writes of a script to a client. So a value that was just loaded is read back once.
 */
export class TrackingSource implements ChangeSource {
  readonly #prefix: string;
  #connection: RedisConnection | undefined;
  #stop: AbortController = new AbortController();
  readonly serverNotifies: boolean = true;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  async follow(feed: ChangeFeed): Promise<void> {
    const stop = new AbortController();
    this.#stop = stop;
    const { clock, redis } = feed;
    let isOver = false;
    const connection = redis.duplicate({ emitInvalidate: true });
    this.#connection = connection;
    const probe = `${this.#prefix}:probe:{${Math.trunc(clock.now())}}`;
    const send = (...words: string[]): Promise<unknown> =>
      withTimeout(clock, REPLY_TIMEOUT_MS, connection.send('', words));
    try {
      await withTimeout(clock, CONNECT_TIMEOUT_MS, connection.connect());
      connection.unref();
      const disconnected = rejectOnDisconnect(connection);
      let probeReturned = false;
      connection.on('invalidate', (key) => {
        if (isOver || stop.signal.aborted) return;
        if (String(key) === probe) {
          probeReturned = true;
          feed.markProbeReceived();
        } else feed.notifyKeyWritten(key === null ? undefined : String(key));
      });
      await send('CLIENT', 'TRACKING', 'OFF');
      const prefixes = [`${this.#prefix}:`, `{${this.#prefix}}:marks:`].flatMap((prefix) => ['PREFIX', prefix]);
      await send('CLIENT', 'TRACKING', 'ON', 'BCAST', ...prefixes);
      // Changes made before tracking was on are unknown.
      feed.notifyKeyWritten(undefined);
      while (!stop.signal.aborted) {
        feed.markProbeSent();
        probeReturned = false;
        await withTimeout(
          clock,
          REPLY_TIMEOUT_MS,
          redis.send(probe, ['SET', probe, '', 'PX', String(CHECK_INTERVAL_MS)]),
        );
        await Promise.race([clock.sleep(CHECK_INTERVAL_MS, stop.signal), disconnected]);
        await send('PING');
        if (!probeReturned) throw new Error('The server does not report changed keys');
      }
    } finally {
      isOver = true;
      connection.close();
    }
  }

  stop(): void {
    this.#stop.abort();
    this.#connection?.close();
  }
}
