import { withTimeout } from '../with-timeout.ts';
import { REPLY_TIMEOUT_MS, rejectOnDisconnect, CONNECT_TIMEOUT_MS } from './disconnect.ts';
import type { RedisConnection } from './client.ts';
import type { ChangeFeed, ChangeSource } from './change-feed.ts';
import { parseStringList } from './parse-string-list.ts';

const CHECK_INTERVAL_MS = 1_000;

/**
 * Receives changes over Pub/Sub (`coherence: pubsub`). Messages sent while it is disconnected are lost, which the
 * sequence numbers reveal.
 */
export class PubSubSource implements ChangeSource {
  #connection: RedisConnection | undefined;
  #stop: AbortController = new AbortController();

  async follow(feed: ChangeFeed): Promise<void> {
    const stop = new AbortController();
    this.#stop = stop;
    const { clock, redis, keyNames } = feed;
    let isOver = false;
    await withTimeout(clock, REPLY_TIMEOUT_MS, feed.readPosition());
    if (stop.signal.aborted) return;
    const connection = redis.duplicate();
    this.#connection = connection;
    try {
      await withTimeout(clock, CONNECT_TIMEOUT_MS, connection.connect());
      connection.unref();
      const disconnected = rejectOnDisconnect(connection);
      const onMessage = (text: string): void => {
        // Messages of a closed connection say nothing about the position of the next one.
        if (isOver || stop.signal.aborted) return;
        const message = parseStringList(text, 5);
        if (message === undefined) return;
        const [sequence, sender, namespace, code, data] = message as [string, string, string, string, string];
        feed.receive(Number(sequence), sender, namespace, code, data);
      };
      await withTimeout(clock, REPLY_TIMEOUT_MS, connection.subscribe(keyNames.log, onMessage));
      feed.startAt(await withTimeout(clock, REPLY_TIMEOUT_MS, feed.readPosition()));
      feed.sendProbe();
      while (!stop.signal.aborted) {
        await Promise.race([clock.sleep(CHECK_INTERVAL_MS, stop.signal), disconnected]);
        // The connection may be dead without a close event: reconnect.
        if (!(await withTimeout(clock, REPLY_TIMEOUT_MS, feed.checkForLoss()))) throw new Error('Messages were lost');
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
